import type { Client } from "./entities.ts";
import type { Server } from "./server.ts";

/**
 * Finds a client of which something is true. What this isolate knows of it may be a minute old: where
 * that speaks against it, it looks past its own copy, at most once a second a client.
 *
 * @param judge what the caller wants of the client; undefined if it is not as it has to be
 */
export async function findClient<T>(
  { clients }: Pick<Server, "clients">,
  clientId: string,
  judge: (client: Client | undefined) => T | undefined,
): Promise<T | undefined> {
  return (
    judge(await clients.find(clientId)) ??
    judge(await clients.findAgain(clientId))
  );
}
