import type { Client, ClientSecret } from "../entities.ts";
import type { EventFields } from "../events.ts";
import { fieldChanges } from "../field-changes.ts";
import { scopeSet } from "../scope.ts";

/**
 * Describes the change of a client for the event `client.changed`: which fields, from and to. Never a secret or a
 * hash: of a secret, the times are named.
 *
 * @param before undefined: the client did not exist, or its record could not be read
 * @param after undefined: the client was deleted
 * @param action left out: created, changed or deleted, by which of the two there is
 */
export function clientChanges(
  before: Client | undefined,
  after: Client | undefined,
  action: string = actionOf(before, after),
): EventFields<"client.changed"> & { client_id: string | undefined } {
  const client_id = (after ?? before)?.client_id;
  const changes = fieldChanges(comparable(before), comparable(after));
  return { client_id, action, changes };
}

function actionOf(before: Client | undefined, after: Client | undefined) {
  if (!after) return "deleted";
  if (!before) return "created";
  const [wasDisabled, isDisabled] = [before, after].map(
    (client) => "disabled_at" in client,
  );
  if (isDisabled === wasDisabled) return "changed";
  return isDisabled ? "disabled" : "enabled";
}

/** Makes a record whose fields can be shown, and whose lists are lists. */
function comparable(client: Client | undefined): Record<string, unknown> {
  if (!client) return {};
  const { client_id: _id, secrets, scope, ...shown } = client;
  return { ...shown, scope: scopeSet(scope), secrets: secrets.map(timesOf) };
}

/** Identifies a secret by the time when it was made, in seconds since 1970. */
function timesOf({ created_at, expires_at }: ClientSecret): string {
  return expires_at === undefined
    ? `made at ${created_at}`
    : `made at ${created_at}, ends at ${expires_at}`;
}
