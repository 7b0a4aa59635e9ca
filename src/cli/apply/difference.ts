import type { Client } from "../commands/client-schema.ts";
import type { PublicKeys } from "../public-keys.ts";
import {
  clientFieldNames,
  type Desired,
  type DesiredClient,
  type DesiredResource,
  type DesiredScope,
  resourceFieldNames,
  scopeFieldNames,
} from "./desired.ts";

/** A value of a client's field, as it is or as it should be. Undefined: it is not set. */
export type Value = string | boolean | string[] | PublicKeys | undefined;

/** A field that differs. */
export interface FieldChange {
  field: string;
  from: Value;
  to: Value;
}

/** One change that makes a server as a file says. */
export interface Change {
  action: "create" | "change" | "delete";
  kind: "scope" | "resource" | "client";
  name: string;
  /** Empty for what is deleted. */
  fields: FieldChange[];
}

/** The state of a server: the catalogues, and those clients that the file and `--prune` name. */
export interface Current {
  scopes: ReadonlyMap<string, DesiredScope>;
  resources: ReadonlyMap<string, DesiredResource>;
  clients: ReadonlyMap<string, Client>;
}

/** What is deleted, because the command names it. */
export interface Pruned {
  scopes: readonly string[];
  resources?: readonly string[];
  clients: readonly string[];
}

/** The values that the server gives to fields that are left out. */
const defaults: Partial<Record<keyof DesiredClient, Value>> = {
  grant_types: ["authorization_code", "refresh_token"],
  scope: "",
  redirect_uris: [],
  resources: [],
  disabled: false,
};

/** The values that the server gives to the fields of a resource that are left out. */
export const resourceDefaults: Partial<Record<keyof DesiredResource, Value>> = {
  scope: "",
  self_registered_clients: false,
};

/** The fields of a client that its metadata document decides, if it has one. */
const decidedByDocument = new Set<keyof DesiredClient>([
  "client_name",
  "token_endpoint_auth_method",
  "grant_types",
  "redirect_uris",
  "jwks",
  "jwks_uri",
  "dpop_bound_access_tokens",
]);

/**
 * Compares a server with a file.
 *
 * @returns the changes in an order in which each can be made: a scope comes before the resources and clients that have it
 */
export function difference(
  { scopes = {}, resources = {}, clients = {} }: Desired,
  current: Current,
  pruned: Pruned,
): Change[] {
  const scopeChanges = Object.entries(scopes).flatMap(([name, desired]) => {
    const record = current.scopes.get(name);
    const fields = scopeFieldNames.map((field) => ({
      field,
      from: record?.[field],
      to: desired[field] ?? record?.[field],
    }));
    return changeOf("scope", name, record !== undefined, fields);
  });
  const resourceChanges = Object.entries(resources).flatMap(
    ([name, desired]) => {
      const record = current.resources.get(name);
      const fields = resourceFieldNames.map((field) => ({
        field,
        from: record?.[field],
        to: desired[field] ?? (record ? resourceDefaults[field] : undefined),
      }));
      return changeOf("resource", name, record !== undefined, fields);
    },
  );
  const clientChanges = Object.entries(clients).flatMap(([name, desired]) => {
    const record = current.clients.get(name);
    const fields = clientFieldNames.map((field) => ({
      field,
      from: record && valueIn(record, field),
      to: desiredValue(desired, field, record),
    }));
    return changeOf("client", name, record !== undefined, fields);
  });
  const deletions = (["client", "resource", "scope"] as const).flatMap(
    (kind) => {
      const list = `${kind}s` as const;
      return (pruned[list] ?? [])
        .filter((name) => current[list].has(name))
        .map((name): Change => ({ action: "delete", kind, name, fields: [] }));
    },
  );
  return [...scopeChanges, ...resourceChanges, ...clientChanges, ...deletions];
}

/** The value of a field of a client on the server. */
export function valueIn(client: Client, field: keyof DesiredClient): Value {
  if (field === "disabled") return client.disabled_at !== undefined;
  return client[field] as Value;
}

/** Tells whether a value is that of a field that is left out. */
export function isDefault(field: keyof DesiredClient, value: Value): boolean {
  return value === undefined || isSame(field, value, defaults[field]);
}

/**
 * The value that a client should have. `disabled` is left as it is unless the file has it, so that nobody enables
 * a client by the way that was disabled in an emergency. So is what a client's metadata document decides.
 */
function desiredValue(
  desired: DesiredClient,
  field: keyof DesiredClient,
  record: Client | undefined,
): Value {
  if (desired[field] !== undefined) return desired[field];
  if (field === "disabled") return record && valueIn(record, field);
  const isOfDocument = record?.registered_by === "metadata_document";
  if (isOfDocument && decidedByDocument.has(field))
    return valueIn(record, field);
  return record ? defaults[field] : undefined;
}

function changeOf(
  kind: Change["kind"],
  name: string,
  exists: boolean,
  compared: FieldChange[],
): Change[] {
  const fields = compared.filter(
    ({ field, from, to }) => !isSame(field, from, to),
  );
  if (exists && fields.length === 0) return [];
  return [{ action: exists ? "change" : "create", kind, name, fields }];
}

/** Compares two values. Lists and scopes are sets. */
function isSame(field: string, one: Value, other: Value): boolean {
  const [first, second] = [one, other].map((value) => {
    if (field === "scope" && typeof value === "string")
      return setText(value.split(" ").filter((scope) => scope !== ""));
    return Array.isArray(value) ? setText(value) : JSON.stringify(value);
  });
  return first === second;
}

function setText(values: string[]): string {
  return JSON.stringify([...new Set(values)].toSorted());
}
