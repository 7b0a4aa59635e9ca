import type { Seconds } from "./duration.ts";
import { type Client, restorableClient } from "./entities.ts";
import { identityOf, isSameClient } from "./login-attributes.ts";
import type { FamilyState } from "./repositories.ts";
import type { Server } from "./server.ts";
import { isBeforeFloor } from "./token-floor.ts";

/**
 * Finds a client that passes a check. If the isolate's own copy of the record fails the check, the record is
 * read again (at most once per second and client), because that copy may be a minute old.
 *
 * @param check returns what the caller needs of the client, or undefined if the client fails
 * @returns the result of the check; undefined if the client fails it twice
 */
export async function findClient<T>(
  { clients }: Pick<Server, "clients">,
  clientId: string,
  check: (client: Client | undefined) => T | undefined,
): Promise<T | undefined> {
  return (
    check(await clients.find(clientId)) ??
    check(await clients.findAgain(clientId))
  );
}

/**
 * Tells whether the client of a family exists, or could be enabled or restored, so that the family is not ended: it
 * goes on with its client. For an administrator who asks where a user is logged in.
 *
 * @param read reads the record of a client, without any cache
 */
export async function mayGoOn(
  server: Pick<Server, "clients">,
  family: Pick<FamilyState, "login" | "authorized_at">,
  now: Seconds,
  read = (clientId: string) => server.clients.read(clientId),
): Promise<boolean> {
  if (await hasOwner(server, family)) return true;
  const record = await read(family.login.client_id);
  const client =
    record && "deleted_at" in record ? restorableClient(record, now) : record;
  return client !== undefined && ownsFamily(client, family);
}

/** Tells whether a family is of this client and not of an earlier one with its id, and not ended by its record. */
function ownsFamily(
  client: Client,
  { login, authorized_at }: Pick<FamilyState, "login" | "authorized_at">,
): boolean {
  return (
    isSameClient(identityOf(client), login) &&
    !isBeforeFloor(client, authorized_at)
  );
}

/**
 * Tells whether the client of a family still exists, and its record does not end the family. Otherwise the
 * family counts as ended, because nobody can use its tokens. A later client with the same id is another
 * client.
 *
 * @param check tells whether the client is one that the caller wants
 */
export async function hasOwner(
  server: Pick<Server, "clients">,
  family: Pick<FamilyState, "login" | "authorized_at">,
  check = (_client: Client) => true,
): Promise<boolean> {
  const owner = await findClient(server, family.login.client_id, (client) =>
    client && ownsFamily(client, family) && check(client) ? client : undefined,
  );
  return owner !== undefined;
}
