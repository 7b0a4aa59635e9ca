import { z } from "zod";
import { publicKeySet } from "../public-keys.ts";

/** A client in a file: the fields that an operator decides. Secrets and times are not among them. */
const desiredClient = z
  .strictObject({
    client_name: z.string(),
    token_endpoint_auth_method: z.string(),
    grant_types: z.array(z.string()),
    scope: z.string(),
    redirect_uris: z.array(z.string()),
    post_logout_redirect_uris: z.array(z.string()),
    backchannel_logout_uri: z.string(),
    backchannel_logout_session_required: z.boolean(),
    resources: z.array(z.string()),
    resource_server: z.string(),
    require_pkce: z.boolean(),
    refresh_without_offline_access: z.boolean(),
    access_token_ttl: z.string(),
    refresh_token_ttl: z.string(),
    refresh_token_max_age: z.string(),
    refresh_token_retry_window: z.string(),
    refresh_token_catch_up: z.string(),
    jwks: publicKeySet,
    jwks_uri: z.string(),
    single_use_client_assertions: z.boolean(),
    dpop_bound_access_tokens: z.boolean(),
    tls_client_certificate_bound_access_tokens: z.boolean(),
    tls_client_auth_subject_dn: z.string(),
    tls_client_auth_san_dns: z.string(),
    tls_client_auth_san_uri: z.string(),
    tls_client_auth_san_ip: z.string(),
    tls_client_auth_san_email: z.string(),
    access_token_format: z.string(),
    disabled: z.boolean(),
  })
  .partial();

/** A scope in a file. What is left out stays as it is on the server. */
const desiredScope = z
  .strictObject({ description: z.string(), claims: z.array(z.string()) })
  .partial();

/** A protected resource in a file. What is left out is not set, so that removing a line takes away what it gave. */
const desiredResource = z
  .strictObject({
    name: z.string(),
    scope: z.string(),
    audience: z.string(),
    access_token_format: z.string(),
    access_token_ttl: z.string(),
    self_registered_clients: z.boolean(),
  })
  .partial();

/** The names of the fields of a resource in a file. */
export const resourceFieldNames = Object.keys(
  desiredResource.shape,
) as (keyof DesiredResource)[];

/** The names of the fields of a scope in a file. */
export const scopeFieldNames = Object.keys(
  desiredScope.shape,
) as (keyof DesiredScope)[];

/** The names of the fields of a client in a file, in the order in which `export` writes them. */
export const clientFieldNames = Object.keys(
  desiredClient.shape,
) as (keyof DesiredClient)[];

/** The content of a file. A section that is left out is not touched. YAML reads an empty section as null. */
export const desiredSchema = z.strictObject({
  scopes: z
    .record(
      z.string(),
      z.union([
        // A text is the description, because most scopes have nothing else.
        z.string().transform((description): DesiredScope => ({ description })),
        desiredScope,
      ]),
    )
    .nullable()
    .transform(orEmpty)
    .optional(),
  resources: z
    .record(z.string(), desiredResource.nullable().transform(orEmpty))
    .nullable()
    .transform(orEmpty)
    .optional(),
  clients: z
    .record(z.string(), desiredClient.nullable().transform(orEmpty))
    .nullable()
    .transform(orEmpty)
    .optional(),
});

export type DesiredClient = z.output<typeof desiredClient>;
export type DesiredScope = z.output<typeof desiredScope>;
export type DesiredResource = z.output<typeof desiredResource>;
export type Desired = z.output<typeof desiredSchema>;

/** The path of a value in a file. */
export type Path = (string | number)[];

function orEmpty<T extends object>(value: T | null): T {
  return value ?? ({} as T);
}
