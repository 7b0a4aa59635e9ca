import type { Client } from "./entities.ts";
import type { FamilyKey } from "./repositories.ts";
import type { Server } from "./server.ts";

/** Whether there is a client with this id, past this isolate's own copy. */
export async function isThere(
  { clients }: Pick<Server, "clients">,
  clientId: string,
): Promise<boolean> {
  return (
    (await clients.find(clientId)) !== undefined ||
    (await clients.findAgain(clientId)) !== undefined
  );
}

/**
 * Whether the client that a family was made for is still there. A deleted client's families can't be
 * used by anybody, and count as ended; one with the same id that was made later has no part in them.
 */
export async function hasOwner(
  server: Server,
  {
    client_id,
    client_issued_at,
  }: Pick<FamilyKey, "client_id" | "client_issued_at">,
): Promise<boolean> {
  const isOwner = (client: Client | undefined) =>
    client?.client_id_issued_at === client_issued_at;
  const { clients } = server;
  return (
    isOwner(await clients.find(client_id)) ||
    isOwner(await clients.findAgain(client_id))
  );
}
