import type { z } from "zod";
import type { clientMetadata } from "./client-metadata.ts";
import { generateClientSecret, hashClientSecret } from "./client-secret.ts";
import { after, type Seconds } from "./duration.ts";
import type { Client, ClientSecret } from "./entities.ts";
import { OAuthError } from "./errors.ts";
import { parseScope, scopeSet } from "./scope.ts";
import type { Server } from "./server.ts";

/** What the operations on clients do, whichever door they come in by. */

type Metadata = {
  [Name in keyof typeof clientMetadata]?:
    z.output<(typeof clientMetadata)[Name]> | undefined;
};

/** Null takes a field away (RFC 7396). */
export type MetadataPatch = {
  [Name in keyof Metadata]?: Metadata[Name] | null;
};

/** More than one secret is in force only while one replaces another. */
const MOST_SECRETS = 5;

/** KV keeps nothing for a shorter time. */
const LEAST_KV_SECONDS = 60;

/** A client whose record does not say otherwise signs users in and keeps them signed in. */
const defaultGrantTypes: Client["grant_types"] = [
  "authorization_code",
  "refresh_token",
];

/**
 * Makes a client (RFC 7591 section 3.2.1).
 *
 * @returns its record, and its secret this one time; none for a public client
 * @throws OAuthError `client_id_taken`, `admin_body_invalid`
 */
export async function registerClient(
  server: Server,
  {
    client_id = crypto.randomUUID(),
    ...metadata
  }: Metadata & { client_id?: string | undefined },
  now: Seconds,
): Promise<{ client: Client; client_secret?: string }> {
  if (await server.clients.read(client_id))
    throw new OAuthError("client_id_taken");
  const client = await complete(server, {
    client_id,
    client_id_issued_at: now,
    ...metadata,
    secrets: [],
  });
  if (isPublic(client)) {
    await server.clients.save(client);
    return { client };
  }
  return addSecret(server, client, [], now);
}

/** @throws OAuthError `admin_target_unknown`, `admin_body_invalid` */
export async function updateClient(
  server: Server,
  clientId: string,
  patch: MetadataPatch,
): Promise<Client> {
  const changed: Record<string, unknown> = {
    ...(await existing(server, clientId)),
  };
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete changed[name];
    else changed[name] = value;
  }
  const client = await complete(server, changed as Identity & Metadata);
  // A public client has no secret; one that is made confidential again gets a new one.
  const saved = isPublic(client) ? { ...client, secrets: [] } : client;
  await server.clients.save(saved);
  return saved;
}

/**
 * Gives a client a new secret; the ones it had end after a while.
 *
 * @param oldSecretTtl ISO 8601: how long the secrets so far stay in force
 * @throws OAuthError `admin_target_unknown`, `client_has_no_secret`, `too_many_client_secrets`
 */
export async function rotateClientSecret(
  server: Server,
  clientId: string,
  oldSecretTtl: string,
  now: Seconds,
): Promise<{ client: Client; client_secret?: string }> {
  const client = await existing(server, clientId);
  if (isPublic(client)) throw new OAuthError("client_has_no_secret");
  const end = after(oldSecretTtl, now);
  const old = client.secrets
    .map((secret) => ({
      ...secret,
      expires_at: Math.min(secret.expires_at ?? Infinity, end),
    }))
    .filter(({ expires_at }) => now < expires_at);
  if (old.length >= MOST_SECRETS) {
    throw new OAuthError("too_many_client_secrets", {
      subject: String(MOST_SECRETS),
    });
  }
  return addSecret(server, client, old, now);
}

/**
 * Deletes a client. Its id stays taken for as long as one of its families could live, so that no
 * family comes back to life with a new client of the same name.
 *
 * @throws OAuthError `admin_target_unknown`
 */
export async function deleteClient(
  server: Server,
  clientId: string,
  now: Seconds,
): Promise<void> {
  const client = await existing(server, clientId);
  const ages = [
    client.refresh_token_max_age,
    server.settings.refresh_token_max_age,
  ];
  const lastEnd = Math.max(
    ...ages.map((age) => (age === undefined ? now : after(age, now))),
  );
  const tombstone = { client_id: clientId, deleted_at: now };
  await server.clients.bury(
    tombstone,
    Math.max(lastEnd - now, LEAST_KV_SECONDS),
  );
}

/** The client as it is stored now. @throws OAuthError `admin_target_unknown` */
export async function existing(
  server: Server,
  clientId: string,
): Promise<Client> {
  const record = await server.clients.read(clientId);
  if (record && "secrets" in record) return record;
  throw new OAuthError("admin_target_unknown", { subject: "such client" });
}

async function addSecret(
  server: Server,
  client: Client,
  old: ClientSecret[],
  now: Seconds,
) {
  const client_secret = generateClientSecret();
  const hash = await hashClientSecret(client_secret);
  const updated = { ...client, secrets: [{ hash, created_at: now }, ...old] };
  await server.clients.save(updated);
  return { client: updated, client_secret };
}

type Identity = Pick<Client, "client_id" | "client_id_issued_at" | "secrets">;

/** Fills in what was left out, and makes sure that the scopes exist. */
async function complete(
  server: Server,
  described: Identity & Metadata,
): Promise<Client> {
  const scope = (parseScope(described.scope ?? "") ?? []).join(" ");
  const catalogue = await server.scopes.read();
  const unknown = scopeSet(scope).find(
    (name) => !Object.hasOwn(catalogue, name),
  );
  if (unknown !== undefined)
    throw fieldError("scope", `${unknown} is not in the scope catalogue`);
  const {
    grant_types = defaultGrantTypes,
    redirect_uris = [],
    resources = [],
    ...rest
  } = described;
  return { ...rest, grant_types, redirect_uris, resources, scope };
}

/** The admin API names the field that is wrong. */
export function fieldError(field: string, problem: string): OAuthError {
  return new OAuthError("admin_body_invalid", {
    subject: `${field}: ${problem}`,
    fields: { [field]: problem },
  });
}

function isPublic(client: Client): boolean {
  return client.token_endpoint_auth_method === "none";
}
