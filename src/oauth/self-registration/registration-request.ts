import * as v from "valibot";
import type { AuthenticationMethod } from "../authentication-methods.ts";
import { type ClientKeys, usableKeys } from "../client-keys.ts";
import { keyFieldsProblem } from "../client-keys-rule.ts";
import { isSecretKey } from "../jwk-members.ts";
import { clientMetadata } from "../client-metadata.ts";
import { fieldError, OAuthError, type Reason } from "../errors.ts";
import type { GrantTypeName } from "../grant-types.ts";
import { outgoingUriProblem } from "../outgoing-uri.ts";
import { registrationProblem } from "../redirect-uri.ts";
import { maxCharacters, parse } from "../schema.ts";
import { plainClientName } from "./client-name.ts";
import { MAX_REDIRECT_URIS } from "./redirect-uris.ts";

/** The metadata that a client decides about itself when it registers (RFC 7591 section 2, RFC 9449 section 5.2). */
export interface RegistrationMetadata {
  client_name?: string;
  redirect_uris: string[];
  grant_types: GrantTypeName[];
  /** Left out: the client named none, and may send its secret by HTTP Basic or in the body. */
  token_endpoint_auth_method?: AuthenticationMethod;
  /** The public keys of the client, or their address. Only for private_key_jwt, because nothing else here uses them. */
  jwks?: ClientKeys;
  jwks_uri?: string;
  /** Left out: false. */
  dpop_bound_access_tokens?: true;
}

/** The methods of a client that registered itself. A certificate needs an administrator, who trusts its authority. */
const allowedMethods = [
  "client_secret_basic",
  "client_secret_post",
  "private_key_jwt",
  "none",
] as const satisfies AuthenticationMethod[];

/** The grant types that a client may have that registered itself: it signs users in, and keeps them signed in. */
const allowedGrantTypes = [
  "authorization_code",
  "refresh_token",
] as const satisfies GrantTypeName[];

const invalid = "registration_metadata_invalid";

const names = v.pipe(
  v.array(v.pipe(v.string(), maxCharacters(255))),
  v.maxLength(50),
);

const keySet = v.object({ keys: v.nullish(v.array(v.unknown())) });

const redirectUris = v.pipe(
  v.array(v.unknown()),
  v.maxLength(
    MAX_REDIRECT_URIS,
    `must have at most ${MAX_REDIRECT_URIS} values. For more, ask an administrator to register the client`,
  ),
  clientMetadata.redirect_uris,
);

/**
 * Reads the metadata of a registration. A member that is null or empty counts as left out, because libraries send such
 * members. Members that the server does not know are ignored (RFC 7591 section 2), and so are those that it has no use
 * for: `scope` too, because the catalogue of resources decides what the client may ask for.
 *
 * @param body the JSON of the request
 * @param issuer that of the server. A local one may read keys from a program beside it
 * @throws OAuthError `registration_metadata_invalid` or `registration_redirect_uri_invalid`
 */
export function readRegistration(
  body: Readonly<Record<string, unknown>>,
  issuer: string,
): RegistrationMetadata {
  const redirect_uris = readRedirectUris(member(body, "redirect_uris"));
  const grant_types = readGrantTypes(body);
  const responseTypes = readMember(body, "response_types", names);
  if (responseTypes && !responseTypes.includes("code"))
    throw fieldError("response_types", "must have code", invalid);
  const token_endpoint_auth_method = readMember(
    body,
    "token_endpoint_auth_method",
    v.picklist(allowedMethods),
  );
  const keys = readKeys(body, token_endpoint_auth_method, issuer);
  const isBound = readMember(body, "dpop_bound_access_tokens", v.boolean());
  const name = readMember(body, "client_name", v.string());
  // A consent page shows the name, so it is cleaned. The answer tells the client what it is called.
  const client_name = name === undefined ? undefined : plainClientName(name);
  readMember(body, "scope", v.string());
  return {
    ...(client_name !== undefined && { client_name }),
    redirect_uris,
    grant_types,
    ...(token_endpoint_auth_method && { token_endpoint_auth_method }),
    ...keys,
    ...(isBound && { dpop_bound_access_tokens: true }),
  };
}

/** Reads the keys of a client, or their address. Keys of another kind are passed over (RFC 7517 section 5). */
function readKeys(
  body: Readonly<Record<string, unknown>>,
  method: AuthenticationMethod | undefined,
  issuer: string,
): Pick<RegistrationMetadata, "jwks" | "jwks_uri"> {
  if (method !== "private_key_jwt") return {};
  const set = readMember(body, "jwks", keySet);
  const refuse = (field: string, problem: string) =>
    fieldError(field, problem, invalid);
  if (set?.keys?.some(isSecretKey))
    throw refuse(
      "jwks",
      "has a private key. Register the public key of a new key pair, because others may have seen this one",
    );
  const jwks = set && usableKeys(set);
  if (typeof jwks === "string") throw refuse("jwks", jwks);
  const jwks_uri = readMember(body, "jwks_uri", clientMetadata.jwks_uri);
  const wrong = keyFieldsProblem({
    token_endpoint_auth_method: method,
    jwks,
    jwks_uri,
  });
  if (wrong) throw refuse(wrong.field, wrong.problem);
  const uriProblem =
    jwks_uri === undefined ? undefined : outgoingUriProblem(jwks_uri, issuer);
  if (uriProblem !== undefined) throw refuse("jwks_uri", uriProblem);
  return { ...(jwks && { jwks }), ...(jwks_uri !== undefined && { jwks_uri }) };
}

/** Returns a member of the body. Undefined: it is left out, null or empty. */
function member(
  body: Readonly<Record<string, unknown>>,
  name: string,
): unknown {
  const value = Object.hasOwn(body, name) ? body[name] : undefined;
  const isEmpty =
    value === null ||
    (typeof value === "string" && value.trim() === "") ||
    (Array.isArray(value) && value.length === 0);
  return isEmpty ? undefined : value;
}

function readMember<S extends v.GenericSchema>(
  body: Readonly<Record<string, unknown>>,
  name: string,
  schema: S,
): v.InferOutput<S> | undefined {
  const value = member(body, name);
  return value === undefined
    ? undefined
    : checked(name, schema, value, invalid);
}

function checked<S extends v.GenericSchema>(
  name: string,
  schema: S,
  value: unknown,
  reason: Reason,
): v.InferOutput<S> {
  const { data, issues } = parse(schema, value);
  const [issue] = issues ?? [];
  if (!issue) return data;
  throw fieldError([name, ...issue.path].join("."), issue.message, reason);
}

/** Reads the redirect URIs, by the rule for every client and a bound of their own. */
function readRedirectUris(value: unknown): string[] {
  const name = "redirect_uris";
  const reason = "registration_redirect_uri_invalid";
  if (value === undefined)
    throw fieldError(
      name,
      "is missing: name each URI to which the browser comes back from the sign-in",
      reason,
    );
  const uris = checked(name, redirectUris, value, reason);
  for (const [position, uri] of uris.entries()) {
    const problem = registrationProblem(uri);
    if (problem !== undefined)
      throw fieldError(`${name}.${position}`, problem, reason);
  }
  return [...new Set(uris)];
}

/**
 * Reads the grant types. Those that the client cannot have are left out of its registration, which the answer tells (RFC
 * 7591 section 3.2.1), because clients list all that they know.
 */
function readGrantTypes(
  body: Readonly<Record<string, unknown>>,
): GrantTypeName[] {
  const asked = readMember(body, "grant_types", names) ?? allowedGrantTypes;
  if (!asked.includes("authorization_code"))
    throw fieldError(
      "grant_types",
      "must have authorization_code, because a client that registers itself signs users in",
      invalid,
    );
  return allowedGrantTypes.filter((type) => asked.includes(type));
}

/**
 * Reads the JSON of a request.
 *
 * @param text undefined: the Content-Type is not that of JSON
 * @throws OAuthError `registration_body_malformed`
 */
export function readRegistrationBody(
  text: string | undefined,
): Readonly<Record<string, unknown>> {
  const refuse = (subject: string) =>
    new OAuthError("registration_body_malformed", { subject });
  if (text === undefined)
    throw refuse("The Content-Type must be application/json.");
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw refuse("The body is not JSON.");
  }
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw refuse("The body must be a JSON object.");
  return body as Record<string, unknown>;
}
