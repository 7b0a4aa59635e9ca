import { Failure } from "../failure.ts";
import { argument } from "../shell.ts";

/** Which scopes the clients of the old server may ask for here. */

export interface Scopes {
  catalogue: readonly string[];
  /** Of a client whose row does not say. */
  usual: readonly string[];
}

/** What to do about a scope that the catalogue has not. */
export function unknownScope(name: string): string {
  return `the scope ${name} is not in the catalogue: add it with \`npm run baton -- scopes put ${argument(name)} "What it allows"\`, or take it out`;
}

/** Passport's * stands for every scope. */
export function isKnown(name: string, { catalogue }: Scopes): boolean {
  return name === "*" || catalogue.includes(name);
}

/** A catalogue, and what the clients get that the file says nothing of. @throws Failure */
export function usualScopes(
  catalogue: readonly string[],
  asked: string | undefined,
): Scopes {
  if (asked === undefined) {
    if (catalogue.length > 0) return { catalogue, usual: catalogue };
    throw new Failure(
      'The server has no scopes yet, which the clients could be given. Make them first, as the old server has them: `npm run baton -- scopes put read "Read your notes"`. If there are to be none, add --scope "".',
    );
  }
  const usual = [...new Set(asked.split(/\s+/).filter((name) => name !== ""))];
  const unknown = usual.find((name) => !catalogue.includes(name));
  if (unknown !== undefined)
    throw new Failure(`--scope: ${unknownScope(unknown)}.`);
  return { catalogue, usual };
}
