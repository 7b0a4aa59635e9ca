import type { Client, ClientSecret, ClientTombstone } from "../entities.ts";
import type { EventFields, FieldChange } from "../events.ts";
import { fieldChanges } from "../field-changes.ts";
import type { ClientRepository } from "../repositories.ts";
import { scopeSet } from "../scope.ts";

/** A client's record before or after a change. Undefined: there was none, or it could not be read. */
type Record = Client | ClientTombstone | undefined;

/**
 * Describes the change of a client for the event `client.changed`: which fields, from and to. Never a secret, a
 * hash, or the query of the address for logout tokens. A secret is identified by the time when it was made.
 */
export function clientChanges(
  before: Record,
  after: Record,
): EventFields<"client.changed"> {
  const changes = [
    ...fieldChanges(comparable(before), comparable(after)).map(hideQuery),
    ...secretChanges(before, after),
  ];
  return { action: actionOf(before, after), changes };
}

/**
 * Wraps a repository, so that each change that was written is noted.
 *
 * @param note gets the records before and after it
 */
export function notingChanges(
  clients: ClientRepository,
  note: (clientId: string, before: Record, after: Record) => void,
): ClientRepository {
  const noting: Pick<ClientRepository, "update" | "replaceWithTombstone"> = {
    async update(clientId, change) {
      let before: Record;
      const client = await clients.update(clientId, (current) => {
        // Another change may have been faster, and then this function is called again.
        before = undefined;
        return change(() => (before = current()));
      });
      note(clientId, before, client);
      return client;
    },

    async replaceWithTombstone(clientId, change) {
      let before: Record;
      let after: Record;
      await clients.replaceWithTombstone(clientId, (current) => {
        before = undefined;
        const made = change(() => (before = current()));
        after = made.tombstone;
        return made;
      });
      note(clientId, before, after);
    },
  };
  return new Proxy(clients, {
    get(target, name) {
      const own: unknown = Reflect.get(noting, name);
      if (own !== undefined) return own;
      const method: unknown = Reflect.get(target, name);
      // Bound, because a repository has private fields.
      return typeof method === "function"
        ? (method.bind(target) as unknown)
        : method;
    },
  });
}

function actionOf(before: Record, after: Record): string {
  if (!after || "deleted_at" in after) return "deleted";
  if (!before) return "created";
  if ("deleted_at" in before) return "restored";
  const wasDisabled = "disabled_at" in before;
  if ("disabled_at" in after === wasDisabled) return "changed";
  return wasDisabled ? "enabled" : "disabled";
}

/** Makes fields that can be shown and compared. A deleted client has none, so that a restored one has all again. */
function comparable(record: Record): { [field: string]: unknown } {
  if (!record || !("secrets" in record)) return {};
  const {
    client_id: _id,
    secrets: _secrets,
    registration_token_hash: _hash,
    scope,
    ...shown
  } = record;
  return { ...shown, scope: scopeSet(scope) };
}

/** The addresses of a client that only this server and the client need to know. */
const unpublished = ["backchannel_logout_uri", "jwks_uri"];

/** Hides the query of an address that is not published, because it may hold a secret. */
function hideQuery(change: FieldChange): FieldChange {
  if (!unpublished.includes(change.field)) return change;
  const hidden = { ...change };
  for (const side of ["from", "to"] as const) {
    const uri = change[side];
    if (typeof uri === "string") hidden[side] = uri.replace(/\?.*$/s, "?…");
  }
  return hidden;
}

/** Compares the secrets by their hashes, which stay here: two may have been made in the same second. */
function secretChanges(before: Record, after: Record): FieldChange[] {
  const [was, is] = [before, after].map((record) =>
    record && "secrets" in record ? record.secrets : [],
  ) as [ClientSecret[], ClientSecret[]];
  const without = (secrets: ClientSecret[], others: ClientSecret[]) =>
    secrets
      .filter(
        ({ hash, expires_at }) =>
          !others.some(
            (other) => other.hash === hash && other.expires_at === expires_at,
          ),
      )
      .map(timesOf);
  const [added, removed] = [without(is, was), without(was, is)];
  if (added.length + removed.length === 0) return [];
  return [
    {
      field: "secrets",
      ...(added.length > 0 && { added }),
      ...(removed.length > 0 && { removed }),
    },
  ];
}

/** Identifies a secret by its times, in seconds since 1970. */
function timesOf({ created_at, expires_at }: ClientSecret): string {
  return expires_at === undefined
    ? `made at ${created_at}`
    : `made at ${created_at}, ends at ${expires_at}`;
}
