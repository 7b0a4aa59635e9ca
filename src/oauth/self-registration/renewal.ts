import type { Seconds } from "../duration.ts";
import type { Client, ClientTombstone } from "../entities.ts";
import { Periods } from "../periods.ts";
import type { ClientRepository } from "../repositories.ts";
import { documentPart, withDocumentPart } from "./document-part.ts";

/**
 * The time for which an isolate does not write the same registration again, in seconds. An isolate's own copy of a
 * record is at most that old, so the users of a popular client cause one write and not one for each of them.
 */
const QUIET_SECONDS = 60;

/** The registrations that each repository of this isolate has kept lately. */
const keptLately = new WeakMap<ClientRepository, Periods<object>>();

/** Thrown where there is nothing to write. */
const upToDate = Symbol("up to date");

/**
 * Writes the record of a client that registered itself, unless it is up to date. A client that was deleted, is gone or
 * belongs to an administrator by now stays as it is.
 *
 * @param least the time until which the registration must last. It then lasts for a third longer, so that a client that
 *   is used all the time is written once in a quarter of the time that it lasts
 */
export async function renewRegistration(
  clients: ClientRepository,
  client: Client,
  { least, now }: { least: Seconds; now: Seconds },
): Promise<void> {
  if (!isFirstLately(clients, client)) return;
  const registration_expires_at = least + Math.ceil((least - now) / 3);
  await clients
    .update(client.client_id, (current) => {
      const next = nextRecord(client, current(), { least, now });
      if (!next) throw upToDate;
      return { ...next, registration_expires_at };
    })
    .catch((error: unknown) => {
      if (error !== upToDate) throw error;
    });
}

/** Tells whether this isolate has not kept the same registration within the last minute. */
function isFirstLately(clients: ClientRepository, client: Client): boolean {
  const periods = keptLately.get(clients) ?? new Periods(QUIET_SECONDS);
  keptLately.set(clients, periods);
  const key = JSON.stringify([client.client_id, documentPart(client)]);
  if (periods.current(key)) return false;
  periods.begin(key, {});
  return true;
}

/**
 * Returns the record to write; undefined if none must be written. The client of a request has more than its record,
 * because the catalogue of resources gives it more, so nothing of it is written but what its document decides.
 */
function nextRecord(
  client: Client,
  stored: Client | ClientTombstone | undefined,
  { least, now }: { least: Seconds; now: Seconds },
): Client | undefined {
  const isOfDocument = client.registered_by === "metadata_document";
  if (!stored)
    return isOfDocument ? { ...client, scope: "", resources: [] } : undefined;
  // A tombstone blocks the client, and an administrator's record is not a registration.
  if (!("secrets" in stored) || stored.registered_by !== client.registered_by)
    return undefined;
  const next = isOfDocument ? withDocumentPart(stored, client, now) : stored;
  const lastsLongEnough = (stored.registration_expires_at ?? 0) >= least;
  return lastsLongEnough && hasSameDocument(stored, next) ? undefined : next;
}

function hasSameDocument(one: Client, other: Client): boolean {
  return (
    JSON.stringify(documentPart(one)) === JSON.stringify(documentPart(other))
  );
}
