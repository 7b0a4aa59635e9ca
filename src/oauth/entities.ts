import { z } from "zod";
import {
  clientId,
  clientMetadata,
  scopeName,
  timestamp,
} from "./client-metadata.ts";

/**
 * What is kept, in the shape in which it is kept. Unknown fields are dropped, not refused, so that a
 * Worker one version older can still read what a newer one wrote.
 */

const { grant_types, scope, redirect_uris, resources, ...optionalMetadata } =
  clientMetadata;

/** A hashed client secret; more than one while a secret is being rotated. */
const clientSecretRecord = z.object({
  /** SHA-256 of the secret, in base64url. */
  hash: z.string().regex(/^[\w-]{43}$/, "has to be 32 bytes in base64url"),
  created_at: timestamp,
  /** From then on the secret is no longer accepted. Left out: it does not end. */
  expires_at: timestamp.optional(),
});

/** `client:<client_id>` in KV. */
export const clientRecord = z.object({
  client_id: clientId,
  client_id_issued_at: timestamp,
  grant_types,
  scope,
  redirect_uris: redirect_uris.default([]),
  resources: resources.default([]),
  ...z.object(optionalMetadata).partial().shape,
  secrets: z.array(clientSecretRecord).max(10),
});

/** A client that was deleted: its id cannot be made again while its old families might live. */
export const clientTombstone = z.object({
  client_id: clientId,
  deleted_at: timestamp,
});

/** `scopes` in KV: the whole catalogue. */
export const scopeCatalogueRecord = z.record(
  scopeName,
  z.object({ description: z.string().max(1000) }),
);

export type Client = z.output<typeof clientRecord>;
export type ClientTombstone = z.output<typeof clientTombstone>;
export type ClientSecret = z.output<typeof clientSecretRecord>;
/** Scope to description. */
export type ScopeCatalogue = z.output<typeof scopeCatalogueRecord>;

/** Whether a client has no secret, and shows none (RFC 6749 section 2.1). */
export function isPublic(client: Client): boolean {
  return client.token_endpoint_auth_method === "none";
}
