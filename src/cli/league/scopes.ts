import { Failure } from "../failure.ts";
import { quoteArgument } from "../shell.ts";

/** The scopes that imported clients may ask for. */

export interface Scopes {
  catalogue: readonly string[];
  /** The scopes of a client whose row names none. */
  defaults: readonly string[];
}

/** The problem with a scope that is not in the catalogue, and what to do. */
export function unknownScopeProblem(name: string): string {
  return `the scope ${name} is not in the scope catalogue. Add it with \`npm run baton -- scopes put ${quoteArgument(name)} "What it allows"\`, or remove it here`;
}

/** True for a scope of the catalogue, and for Passport's `*`, which means all scopes. */
export function isKnown(name: string, { catalogue }: Scopes): boolean {
  return name === "*" || catalogue.includes(name);
}

/**
 * The catalogue, and the scopes of clients whose row names none.
 *
 * @param requested the option --scope
 * @throws Failure with what to do
 */
export function scopesWithDefaults(
  catalogue: readonly string[],
  requested: string | undefined,
): Scopes {
  if (requested === undefined) {
    if (catalogue.length > 0) return { catalogue, defaults: catalogue };
    throw new Failure(
      'The server has no scopes yet, so the clients would get none. First create the scopes of the old server: `npm run baton -- scopes put read "Read your notes"`. If the clients should have no scopes, add --scope "".',
    );
  }
  const defaults = [
    ...new Set(requested.split(/\s+/).filter((name) => name !== "")),
  ];
  const unknown = defaults.find((name) => !catalogue.includes(name));
  if (unknown !== undefined)
    throw new Failure(`--scope: ${unknownScopeProblem(unknown)}.`);
  return { catalogue, defaults };
}
