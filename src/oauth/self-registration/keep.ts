import { after, type Seconds } from "../duration.ts";
import type { Client } from "../entities.ts";
import { logEvent } from "../events.ts";
import { lifetimesOf, refreshTokenExpiry } from "../lifetimes.ts";
import type { Server } from "../server.ts";

/** Loads what few requests of few clients need. */
const loadRenewal = () => import("./renewal.ts");

/**
 * Keeps the record of a client that registered itself, because the client is used: stores the client of a metadata
 * document at its first sign-in and when the document has changed, and sets the end of the registration later. The
 * answer to the client does not wait for it, and does not fail with it.
 *
 * @param isSignIn true: a login has just begun; false: a login goes on
 * @returns undefined if there is nothing to do, as for every client of an administrator
 */
export function keepRegistration(
  server: Pick<Server, "clients" | "settings">,
  client: Client,
  now: Seconds,
  isSignIn: boolean,
): Promise<void> | undefined {
  const { client_id, registered_by, registration_expires_at } = client;
  if (registered_by === undefined) return undefined;
  const isOfDocument = registered_by === "metadata_document";
  const least = leastExpiry(client, server.settings, now);
  const endsTooSoon =
    registration_expires_at === undefined
      ? isOfDocument
      : registration_expires_at < least;
  if (!endsTooSoon && !(isSignIn && isOfDocument)) return undefined;
  const keep = async () => {
    const { renewRegistration } = await loadRenewal();
    await renewRegistration(server.clients, client, { least, now });
  };
  return keep().catch((error: unknown) => {
    logEvent("registration.not_kept", { client_id, error: String(error) });
  });
}

/**
 * Returns the time until which the registration of a client that is used now must last: REGISTRATION_IDLE_TTL, and as
 * long as a refresh token that the client gets now.
 */
function leastExpiry(
  client: Client,
  settings: Server["settings"],
  now: Seconds,
): Seconds {
  const lifetimes = lifetimesOf(client, settings);
  return Math.max(
    after(settings.registration_idle_ttl, now),
    refreshTokenExpiry(lifetimes, now),
  );
}
