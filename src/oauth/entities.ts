import * as v from "valibot";
import { isBySecret } from "./authentication-methods.ts";
import {
  clientId,
  clientMetadata,
  duration,
  resourceUri,
  scopeList,
  scopeName,
  timestamp,
} from "./client-metadata.ts";
import type { Seconds } from "./duration.ts";
import { maxCharacters, record } from "./schema.ts";

/**
 * The records in KV. Unknown fields are dropped and not refused, so that a Worker one version older can read
 * what a newer one wrote.
 */

const { grant_types, scope, redirect_uris, resources, ...optionalMetadata } =
  clientMetadata;

/** A hashed client secret. A client has several while a secret is being rotated. */
const clientSecretRecord = v.object({
  /** SHA-256 of the secret, in base64url. */
  hash: v.pipe(
    v.string(),
    v.regex(/^[\w-]{43}$/, "must be 32 bytes in base64url"),
  ),
  /**
   * Random and not secret. It tells two secrets of the same second apart where the hash must not show: an ETag that was
   * made of the hash would confirm a guess. Left out: a version of Baton that had none.
   */
  id: v.optional(v.pipe(v.string(), v.regex(/^[\w-]{11}$/))),
  created_at: timestamp,
  /** From this time on, the secret is not accepted. Left out: it does not expire. */
  expires_at: v.optional(timestamp),
});

/** The record `client:<client_id>` in KV. */
export const clientRecord = v.object({
  client_id: clientId,
  client_id_issued_at: timestamp,
  grant_types,
  scope,
  redirect_uris: v.optional(redirect_uris, () => []),
  resources: v.optional(resources, () => []),
  ...v.partial(v.object(optionalMetadata)).entries,
  // A longer one that a record has anyway counts as the longest (`family/exchange.ts`).
  refresh_token_retry_window: v.optional(duration),
  secrets: v.pipe(v.array(clientSecretRecord), v.maxLength(10)),
  tokens_not_before: v.optional(
    v.pipe(
      timestamp,
      v.description(
        "Logins and tokens of the client from this time or before have ended. Seconds since 1970.",
      ),
    ),
  ),
  registered_by: v.optional(
    v.pipe(
      v.picklist(["metadata_document", "dynamic_registration"]),
      v.description(
        "How the client came in without an administrator: metadata_document: its client_id is the URL of its metadata document. dynamic_registration: by POST /register. Left out: an administrator has registered it.",
      ),
    ),
  ),
  registration_expires_at: v.optional(
    v.pipe(
      timestamp,
      v.description(
        "Only of a client that registered itself: the record ends then, unless the client is used. Seconds since 1970.",
      ),
    ),
  ),
  /** SHA-256 of the registration access token (RFC 7592 section 1.2), in base64url. */
  registration_token_hash: v.optional(
    v.pipe(v.string(), v.regex(/^[\w-]{43}$/)),
  ),
  disabled_at: v.optional(
    v.pipe(
      timestamp,
      v.description(
        "The client is disabled since this time: every endpoint treats it as unknown. Its logins are kept. Seconds since 1970.",
      ),
    ),
  ),
});

/** The record of a deleted client. Its id stays taken while tokens that name it may be valid. */
export const clientTombstone = v.object({
  client_id: clientId,
  deleted_at: timestamp,
  /** The record to restore. Left out: it could not be read, or an older version of Baton deleted it. */
  deleted_client: v.fallback(v.optional(clientRecord), undefined),
});

/** The record `scopes` in KV: the whole catalogue. */
export const scopeCatalogueRecord = record(
  scopeName,
  v.object({
    description: v.pipe(v.string(), maxCharacters(1000)),
    /** The claims about the person that the scope releases. Left out: the standard ones. */
    claims: v.optional(
      v.pipe(v.array(v.pipe(v.string(), maxCharacters(100))), v.maxLength(50)),
    ),
  }),
);

/** The record `resources` in KV: the whole catalogue of protected resources, by their URIs (RFC 8707 section 2). */
export const resourceCatalogueRecord = record(
  resourceUri,
  v.object({
    /** A name for people. */
    name: v.optional(v.pipe(v.string(), maxCharacters(255))),
    /** The scopes that belong to the resource: only its tokens have them. */
    scope: v.optional(scopeList, ""),
    /** `aud` of its tokens. Left out: the URI. */
    audience: v.optional(v.pipe(v.string(), maxCharacters(2048))),
    /** Overrides the formats and lifetimes of client and configuration. */
    access_token_format: v.optional(clientMetadata.access_token_format),
    access_token_ttl: v.optional(clientMetadata.access_token_ttl),
    /** True: clients that registered themselves may ask for the resource and its scopes. */
    self_registered_clients: v.optional(v.boolean(), false),
  }),
);

export type Client = v.InferOutput<typeof clientRecord>;
export type ClientTombstone = v.InferOutput<typeof clientTombstone>;
export type ClientSecret = v.InferOutput<typeof clientSecretRecord>;
/** Every scope that exists, by its name. */
export type ScopeCatalogue = Record<
  string,
  v.InferOutput<typeof scopeCatalogueRecord>[string] & {
    /** True: every client that may refresh may ask for it (`offline-access.ts`). No record has this. */
    is_open?: boolean;
  }
>;
/** The protected resources that are known by more than a name in a client's record, by their URIs. */
export type ResourceCatalogue = v.InferOutput<typeof resourceCatalogueRecord>;

/** The catalogues that say what tokens are for. */
export interface Catalogues {
  scopes: ScopeCatalogue;
  resources: ResourceCatalogue;
}

/** A client that was deleted and can be restored. */
export interface DeletedClient extends Client {
  deleted_at: Seconds;
  /** From this time on, the client cannot be restored. */
  restorable_until: Seconds;
}

/** The time for which a deleted client can be restored, in seconds: 30 days. */
export const RESTORABLE_SECONDS = 30 * 24 * 60 * 60;

/** Returns the client of a tombstone. Undefined: it cannot be restored. */
export function restorableClient(
  { deleted_at, deleted_client }: ClientTombstone,
  now: Seconds,
): DeletedClient | undefined {
  const restorable_until = deleted_at + RESTORABLE_SECONDS;
  return deleted_client && now < restorable_until
    ? { ...deleted_client, deleted_at, restorable_until }
    : undefined;
}

/** Tells whether a client is public: it does not authenticate (RFC 6749 section 2.1). */
export function isPublic(client: Client): boolean {
  return client.token_endpoint_auth_method === "none";
}

/** Tells whether a client authenticates with a secret. The others are public, or prove a key. */
export function hasSecret(client: Client): boolean {
  return isBySecret(client.token_endpoint_auth_method);
}
