import * as v from "valibot";
import { usableKeys } from "../client-keys.ts";
import { keyFieldsProblem } from "../client-keys-rule.ts";
import { isSecretKey } from "../jwk-members.ts";
import { clientMetadata } from "../client-metadata.ts";
import type { Client } from "../entities.ts";
import { outgoingUriProblem } from "../outgoing-uri.ts";
import { registrationProblem } from "../redirect-uri.ts";
import { type Issue, parse } from "../schema.ts";
import { plainClientName } from "./client-name.ts";
import { MAX_REDIRECT_URIS } from "./redirect-uris.ts";

/** The content of a client's metadata document (draft-ietf-oauth-client-id-metadata-document, section 4). */

/** The retry window of a client that registered itself: an agent that loses an answer tries again at once. */
const RETRY_WINDOW = "PT1M";

/** Many programs write null for a member that they leave out. */
const names = v.nullish(v.array(v.string()));
/** Section 4.1: there is no way to share a secret in a public document. */
const noSecret = v.nullish(
  v.never("must not be in a metadata document, because anybody can read it"),
);

/** The members that are read. All others are ignored. The MCP specification requires the first three. */
const metadataDocument = v.object({
  client_id: v.string(),
  client_name: v.string(),
  redirect_uris: v.pipe(
    v.array(v.string()),
    v.minLength(1),
    v.maxLength(MAX_REDIRECT_URIS),
  ),
  grant_types: names,
  response_types: names,
  token_endpoint_auth_method: v.nullish(v.string()),
  token_endpoint_auth_methods_supported: names,
  client_secret: noSecret,
  client_secret_expires_at: noSecret,
  jwks: v.nullish(v.object({ keys: v.nullish(v.array(v.unknown())) })),
  jwks_uri: v.nullish(v.string()),
  dpop_bound_access_tokens: v.nullish(v.boolean()),
});

type MetadataDocument = v.InferOutput<typeof metadataDocument>;

/**
 * Reads the client from the text of its metadata document.
 *
 * @param url the client_id, from which the document was read
 * @param issuer that of the server. A local one may read keys from a program beside it
 * @returns the client; or a sentence that says what is wrong with the document, without a value of it
 */
export function readDocument(
  url: string,
  text: string,
  issuer: string,
): Client | string {
  const { data, issues } = parse(metadataDocument, parseJson(text));
  if (issues) return sentence(issues[0]);
  if (data.client_id !== url)
    return "its client_id must be the URL of the document, character by character";
  const authentication = authenticationOf(data, issuer);
  if (typeof authentication === "string") return authentication;
  const problem = flowProblem(data);
  if (problem !== undefined) return problem;
  const client_name = plainClientName(data.client_name);
  if (client_name === undefined)
    return "its client_name has no visible character";
  const redirect_uris = usableRedirectUris(data.redirect_uris);
  if (typeof redirect_uris === "string") return redirect_uris;
  return {
    client_id: url,
    // The URL is the identity of the client, whenever it was first seen.
    client_id_issued_at: 0,
    client_name,
    ...authentication,
    ...(data.dpop_bound_access_tokens && { dpop_bound_access_tokens: true }),
    grant_types: grantTypesOf(data),
    redirect_uris,
    resources: [],
    scope: "",
    refresh_token_retry_window: RETRY_WINDOW,
    secrets: [],
    registered_by: "metadata_document",
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not an object either, so the schema refuses it.
    return undefined;
  }
}

function sentence(issue: Issue | undefined): string {
  const member = issue?.path.join(".");
  return member
    ? `its ${member} ${issue?.message}`
    : "it must be an object in JSON";
}

/** The fields of a client that say how it authenticates. */
type Authentication = Pick<
  Client,
  "token_endpoint_auth_method" | "jwks" | "jwks_uri"
>;

/**
 * Returns how the client authenticates: by its keys, or not at all. A document that is for many servers names its
 * preferred method, and may list the methods that it can use instead. A public client has no use for keys here.
 *
 * @returns what is wrong with the document, if the client can come in neither way
 */
function authenticationOf(
  data: MetadataDocument,
  issuer: string,
): Authentication | string {
  const { token_endpoint_auth_method: method, jwks } = data;
  if (jwks?.keys?.some(isSecretKey))
    return "its jwks has a private key, which anybody can read. Replace that key";
  if (method?.startsWith("client_secret_"))
    return "its token_endpoint_auth_method must be none or private_key_jwt, because a secret cannot be shared in a document that anybody can read";
  const supported = data.token_endpoint_auth_methods_supported ?? [];
  const isPublic = { token_endpoint_auth_method: "none" } as const;
  if ((method ?? "none") === "none") return isPublic;
  const byKey =
    method === "private_key_jwt" || supported.includes("private_key_jwt")
      ? keysOf(data, issuer)
      : "its token_endpoint_auth_method must be none or private_key_jwt";
  return typeof byKey === "string" && supported.includes("none")
    ? isPublic
    : byKey;
}

function keysOf(
  { jwks, jwks_uri }: MetadataDocument,
  issuer: string,
): Authentication | string {
  const keys = jwks ? usableKeys(jwks) : undefined;
  if (typeof keys === "string") return `its jwks ${keys}`;
  const uriProblem = jwks_uri
    ? (checkedUri(jwks_uri) ?? outgoingUriProblem(jwks_uri, issuer))
    : undefined;
  if (uriProblem !== undefined) return `its jwks_uri ${uriProblem}`;
  const authentication: Authentication = {
    token_endpoint_auth_method: "private_key_jwt",
    ...(keys && { jwks: keys }),
    ...(jwks_uri && { jwks_uri }),
  };
  const wrong = keyFieldsProblem(authentication);
  return wrong ? `its ${wrong.field} ${wrong.problem}` : authentication;
}

function checkedUri(uri: string): string | undefined {
  return parse(clientMetadata.jwks_uri, uri).issues?.[0]?.message;
}

function flowProblem(data: MetadataDocument): string | undefined {
  if (!(data.response_types ?? ["code"]).includes("code"))
    return "its response_types must have code";
  return grantTypesOf(data).includes("authorization_code")
    ? undefined
    : "its grant_types must have authorization_code";
}

/** Returns the grant types that such a client can use here. Those of other servers are passed over. */
function grantTypesOf({ grant_types }: MetadataDocument) {
  return (["authorization_code", "refresh_token"] as const).filter(
    (name) => grant_types?.includes(name) ?? true,
  );
}

/**
 * Returns the redirect URIs that may be registered. The others are passed over, because one document is for all
 * servers and nobody here can change it. If none is left, the result says what is wrong with the first one.
 */
function usableRedirectUris(uris: readonly string[]): string[] | string {
  const problems = uris.map(redirectUriProblem);
  const usable = uris.filter((_, position) => problems[position] === undefined);
  return usable.length > 0
    ? [...new Set(usable)]
    : `its redirect_uris.0 ${problems[0]}`;
}

function redirectUriProblem(uri: string): string | undefined {
  const { issues } = parse(clientMetadata.redirect_uris, [uri]);
  return issues?.[0]?.message ?? registrationProblem(uri);
}
