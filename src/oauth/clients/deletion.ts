import {
  existingClient,
  type Precondition,
  withTimeToBeUsed,
} from "./registration.ts";
import { after, type Seconds } from "../duration.ts";
import {
  type Client,
  type ClientTombstone,
  RESTORABLE_SECONDS,
  restorableClient,
} from "../entities.ts";
import { OAuthError } from "../errors.ts";
import { lifetimesOf } from "../lifetimes.ts";
import type { Server } from "../server.ts";

/** The time for which the id of a client stays taken that has left nothing behind, in seconds: longer than any cache. */
const FORGOTTEN_SECONDS = 60 * 60;

/**
 * Deletes a client, even if its record can't be read. Its id stays taken until every token that names it has
 * expired, so that the tokens of two clients cannot be mixed up. The tombstone keeps the record, so that the
 * client can be restored.
 *
 * @param isForgotten tells whether no token names the client and nobody will want it back. Then nothing of it is kept, so
 *   that a stranger who registers and deletes clients leaves nothing in the storage
 * @throws OAuthError `admin_target_unknown`, and what `precondition` throws
 */
export function deleteClient(
  server: Server,
  clientId: string,
  now: Seconds,
  precondition: Precondition = () => {},
  isForgotten: (client: Client) => boolean = () => false,
): Promise<void> {
  return server.clients.replaceWithTombstone(clientId, (current) => {
    const client = existingClientUnlessMalformed(current);
    if (client) precondition(client);
    if (client && isForgotten(client)) {
      const tombstone = { client_id: clientId, deleted_at: now };
      return { tombstone, seconds: FORGOTTEN_SECONDS };
    }
    const tombstone = {
      client_id: clientId,
      deleted_at: now,
      ...(client && { deleted_client: client }),
    };
    const lifetimes = lifetimesOf(client ?? {}, server.settings);
    const ages = [
      lifetimes.refresh_token_max_age,
      server.settings.refresh_token_max_age,
      // An access token of the client itself is not bounded by a family.
      lifetimes.access_token_ttl,
      // A league token names its client by the id alone, so it would be valid for a later client.
      ...server.tokenKinds.flatMap(({ longestLife = [] }) => longestLife),
    ];
    const lastEnd = Math.max(...ages.map((age) => after(age, now)));
    return { tombstone, seconds: Math.max(lastEnd - now, RESTORABLE_SECONDS) };
  });
}

/**
 * Brings a deleted client back, with its secrets. Its logins go on where they were, because it is the same
 * client: nothing of them was changed.
 *
 * @throws OAuthError `admin_target_unknown`, `client_not_deleted`, `client_not_restorable`
 */
export function restoreClient(
  server: Pick<Server, "clients">,
  clientId: string,
  now: Seconds,
): Promise<Client> {
  return server.clients.update(clientId, (current) => {
    const record = current();
    if (!record)
      throw new OAuthError("admin_target_unknown", { subject: "such client" });
    if ("secrets" in record) throw new OAuthError("client_not_deleted");
    const restorable = restorableClient(record, now);
    if (!restorable) {
      const subject = record.deleted_client
        ? "it was deleted more than 30 days ago"
        : "its record was not kept when it was deleted";
      throw new OAuthError("client_not_restorable", { subject });
    }
    const { deleted_at: _at, restorable_until: _until, ...client } = restorable;
    return withTimeToBeUsed(client, now);
  });
}

function existingClientUnlessMalformed(
  current: () => Client | ClientTombstone | undefined,
) {
  try {
    return existingClient(current());
  } catch (error) {
    if (error instanceof OAuthError && error.reason === "record_malformed")
      return undefined;
    throw error;
  }
}
