import type { Context } from "hono";
import { OAuthError } from "../../oauth/errors.ts";
import type { AppEnv } from "../endpoint.ts";
import { precondition } from "./precondition.ts";

/** Shared by the operations on scopes and on resources: a catalogue is one record, with its entries by their names. */

type Catalogue<Entry> = Record<string, Entry>;

/** Returns the entry with a name. Undefined: there is none. */
export function entryIn<Entry>(
  catalogue: Catalogue<Entry>,
  name: string,
): Entry | undefined {
  return Object.hasOwn(catalogue, name) ? catalogue[name] : undefined;
}

/**
 * Returns the catalogue without the entry with a name.
 *
 * @param what names the entry in the refusal
 * @throws OAuthError `admin_target_unknown`
 */
export function withoutEntry<Entry>(
  catalogue: Catalogue<Entry>,
  name: string,
  what: string,
): Catalogue<Entry> {
  if (!Object.hasOwn(catalogue, name))
    throw new OAuthError("admin_target_unknown", { subject: what });
  const { [name]: _removed, ...rest } = catalogue;
  return rest;
}

/**
 * Reads If-Match of a change: the ETag of the whole catalogue, because it is one record.
 *
 * @param what names the catalogue in the refusal
 */
export function ifMatch<Entry>(
  c: Context<AppEnv>,
  what: string,
  read: () => Promise<Catalogue<Entry>>,
): Promise<(current: Catalogue<Entry>) => void> {
  return precondition(c, what, read, (catalogue) => catalogue);
}
