import type { Client } from "./entities.ts";
import {
  type ClientIdentity,
  identityOf,
  isSameClient,
} from "./login-attributes.ts";
import type { Server } from "./server.ts";

/**
 * Finds a client that passes a check. The isolate's own copy of the record may be a minute old: where it
 * fails the check, the record is read again, at most once per second and client.
 *
 * @param check returns what the caller wants of the client; undefined if the client fails
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
 * Tells whether the client that a family was made for still exists. Nobody can use the families of a
 * deleted client, so they count as ended; a later client with the same id has no part in them.
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
