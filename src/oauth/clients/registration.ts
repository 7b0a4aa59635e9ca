import type { z } from "zod";
import type { clientMetadata } from "../client-metadata.ts";
import { makeSecret, secretRecord } from "./secret.ts";
import { after, type Seconds } from "../duration.ts";
import { type Client, type ClientTombstone, isPublic } from "../entities.ts";
import { fieldError, OAuthError } from "../errors.ts";
import { isForConfidentialClients } from "../grant-types.ts";
import { lifetimesOf, retryWindowExceeds } from "../lifetimes.ts";
import { registrationProblem } from "../redirect-uri.ts";
import { parseScope, scopeSet } from "../scope.ts";
import type { Server } from "../server.ts";

/** What the operations on clients do, whichever door they come in by. */

type Metadata = {
  [Name in keyof typeof clientMetadata]?:
    z.output<(typeof clientMetadata)[Name]> | undefined;
};

/** A client's record, and its secret where it has a new one. */
export interface ClientWithSecret {
  client: Client;
  client_secret?: string;
}

/** What a client is made of. */
interface NewClient extends Metadata {
  /** Left out: one is made up. */
  client_id?: string | undefined;
  /** One that the client has already; null: none yet; left out: a new one is made. */
  client_secret?: string | null | undefined;
}

/** Null takes a field away (RFC 7396). */
export type MetadataPatch = {
  [Name in keyof Metadata]?: Metadata[Name] | null;
};

/** KV keeps nothing for a shorter time. */
const MIN_KV_SECONDS = 60;

/** A client whose record does not say otherwise signs users in and keeps them signed in. */
const defaultGrantTypes: Client["grant_types"] = [
  "authorization_code",
  "refresh_token",
];

/**
 * Makes a client (RFC 7591 section 3.2.1).
 *
 * @returns its record, and its secret this one time if it was made here; none for a public client
 * @throws OAuthError `client_id_taken`, `admin_body_invalid`
 */
export async function registerClient(
  server: Server,
  {
    client_id = crypto.randomUUID(),
    client_secret: given,
    ...metadata
  }: NewClient,
  now: Seconds,
): Promise<ClientWithSecret> {
  const identity = { client_id, client_id_issued_at: now, secrets: [] };
  const described = await complete(server, { ...identity, ...metadata });
  checkRedirectUris(described.redirect_uris);
  if (isPublic(described) && given !== undefined)
    throw fieldError("client_secret", "a public client has none");
  const makesOne = given === undefined && !isPublic(described);
  const made = makesOne ? await makeSecret(now) : undefined;
  const record = given ? await secretRecord(given, now) : made?.record;
  const client = await server.clients.update(client_id, (current) => {
    if (current()) throw new OAuthError("client_id_taken");
    return record ? { ...described, secrets: [record] } : described;
  });
  return { client, ...(made && { client_secret: made.secret }) };
}

/**
 * Changes what a client's record says of it. A client that becomes public loses its secrets, and has
 * none when it becomes confidential again: it needs a new one.
 *
 * @throws OAuthError `admin_target_unknown`, `admin_body_invalid`
 */
export async function updateClient(
  server: Server,
  clientId: string,
  patch: MetadataPatch,
): Promise<Client> {
  const catalogue = await server.scopes.read();
  return server.clients.update(clientId, (current) => {
    const before = living(current());
    const changed: Record<string, unknown> = { ...before };
    for (const [name, value] of Object.entries(patch)) {
      if (value === null) delete changed[name];
      else changed[name] = value;
    }
    // A scope that it has kept may have left the catalogue: that is no reason to refuse the rest.
    const known = [...Object.keys(catalogue), ...scopeSet(before.scope)];
    const client = completeWith(known, server, changed as Identity & Metadata);
    checkRedirectUris(client.redirect_uris, before.redirect_uris);
    return isPublic(client) ? { ...client, secrets: [] } : client;
  });
}

/**
 * Deletes a client, also one whose record can't be read. Its id stays taken for as long as a family
 * could live that was made today: its tokens and those of another client are not to be mixed up.
 *
 * @throws OAuthError `admin_target_unknown`
 */
export function deleteClient(
  server: Server,
  clientId: string,
  now: Seconds,
): Promise<void> {
  const tombstone = { client_id: clientId, deleted_at: now };
  return server.clients.bury(clientId, (current) => {
    const client = livingUnlessMalformed(current);
    const lifetimes = lifetimesOf(client ?? {}, server.settings);
    const ages = [
      lifetimes.refresh_token_max_age,
      server.settings.refresh_token_max_age,
      // Of a token of the client itself, which no family bounds.
      lifetimes.access_token_ttl,
      // Such a token names its client by the id alone.
      ...server.tokenKinds.flatMap(({ longestLife = [] }) => longestLife),
    ];
    const lastEnd = Math.max(...ages.map((age) => after(age, now)));
    return { tombstone, seconds: Math.max(lastEnd - now, MIN_KV_SECONDS) };
  });
}

function livingUnlessMalformed(
  current: () => Client | ClientTombstone | undefined,
) {
  try {
    return living(current());
  } catch (error) {
    if (error instanceof OAuthError && error.reason === "record_malformed")
      return undefined;
    throw error;
  }
}

/** A client that is there. @throws OAuthError `admin_target_unknown` */
export function living(record: Client | ClientTombstone | undefined): Client {
  if (record && "secrets" in record) return record;
  throw new OAuthError("admin_target_unknown", { subject: "such client" });
}

type Identity = Pick<Client, "client_id" | "client_id_issued_at" | "secrets">;

/** Fills in what was left out, and makes sure that the scopes exist. */
async function complete(
  server: Server,
  described: Identity & Metadata,
): Promise<Client> {
  return completeWith(
    Object.keys(await server.scopes.read()),
    server,
    described,
  );
}

function completeWith(
  knownScopes: readonly string[],
  server: Server,
  described: Identity & Metadata,
): Client {
  const scope = (parseScope(described.scope ?? "") ?? []).join(" ");
  const unknown = scopeSet(scope).find((name) => !knownScopes.includes(name));
  if (unknown !== undefined)
    throw fieldError("scope", `${unknown} is not in the scope catalogue`);
  // A configured window that is longer than this client's tokens is no mistake of the client's.
  const windowIsOwn = described.refresh_token_retry_window !== undefined;
  const outlived =
    windowIsOwn && retryWindowExceeds(lifetimesOf(described, server.settings));
  if (outlived)
    throw fieldError(
      "refresh_token_retry_window",
      `is longer than ${outlived}`,
    );
  const {
    grant_types = defaultGrantTypes,
    redirect_uris = [],
    resources = [],
    ...rest
  } = described;
  const client = { ...rest, grant_types, redirect_uris, resources, scope };
  const confidential = grant_types.find(isForConfidentialClients);
  if (isPublic(client) && confidential !== undefined)
    throw fieldError(
      "grant_types",
      `${confidential} is for clients that have a secret`,
    );
  return client;
}

/** Those that were there before are let alone, so that they keep nobody from changing something else. */
function checkRedirectUris(
  uris: readonly string[],
  before: readonly string[] = [],
): void {
  for (const [position, uri] of uris.entries()) {
    const problem = before.includes(uri) ? undefined : registrationProblem(uri);
    if (problem !== undefined)
      throw fieldError(`redirect_uris.${position}`, problem);
  }
}
