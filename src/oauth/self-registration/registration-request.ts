import * as v from "valibot";
import type { AuthenticationMethod } from "../authentication-methods.ts";
import { clientMetadata } from "../client-metadata.ts";
import { fieldError, OAuthError, type Reason } from "../errors.ts";
import type { GrantTypeName } from "../grant-types.ts";
import { registrationProblem } from "../redirect-uri.ts";
import { maxCharacters, parse } from "../schema.ts";
import { plainClientName } from "./client-name.ts";
import { MAX_REDIRECT_URIS } from "./redirect-uris.ts";

/** The metadata that a client decides about itself when it registers (RFC 7591 section 2). */
export interface RegistrationMetadata {
  client_name?: string;
  redirect_uris: string[];
  grant_types: GrantTypeName[];
  /** Left out: the client named none, and may send its secret by HTTP Basic or in the body. */
  token_endpoint_auth_method?: AuthenticationMethod;
}

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
 * @throws OAuthError `registration_metadata_invalid` or `registration_redirect_uri_invalid`
 */
export function readRegistration(
  body: Readonly<Record<string, unknown>>,
): RegistrationMetadata {
  const redirect_uris = readRedirectUris(member(body, "redirect_uris"));
  const grant_types = readGrantTypes(body);
  const responseTypes = readMember(body, "response_types", names);
  if (responseTypes && !responseTypes.includes("code"))
    throw fieldError("response_types", "must have code", invalid);
  const token_endpoint_auth_method = readMember(
    body,
    "token_endpoint_auth_method",
    clientMetadata.token_endpoint_auth_method,
  );
  const name = readMember(body, "client_name", v.string());
  // A consent page shows the name, so it is cleaned. The answer tells the client what it is called.
  const client_name = name === undefined ? undefined : plainClientName(name);
  readMember(body, "scope", v.string());
  return {
    ...(client_name !== undefined && { client_name }),
    redirect_uris,
    grant_types,
    ...(token_endpoint_auth_method && { token_endpoint_auth_method }),
  };
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
