import { findClient } from "./find-client.ts";
import type { FamilyKey } from "./repositories.ts";
import type { Server } from "./server.ts";

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
  const owner = await findClient(server, client_id, (client) =>
    client?.client_id_issued_at === client_issued_at ? client : undefined,
  );
  return owner !== undefined;
}
