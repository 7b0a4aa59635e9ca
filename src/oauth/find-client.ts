import type { Client } from "./entities.ts";
import {
  type ClientIdentity,
  identityOf,
  isSameClient,
} from "./login-attributes.ts";
import type { Server } from "./server.ts";

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
 * Tells whether the client of a login still exists. Otherwise the login counts as ended, because nobody can
 * use its tokens. A later client with the same id is another client.
 */
export async function hasOwner(
  server: Pick<Server, "clients">,
  login: ClientIdentity,
): Promise<boolean> {
  const owner = await findClient(server, login.client_id, (client) =>
    client && isSameClient(identityOf(client), login) ? client : undefined,
  );
  return owner !== undefined;
}
