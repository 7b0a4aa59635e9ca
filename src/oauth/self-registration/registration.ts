import * as base64url from "jose/base64url";
import { equalBytes } from "../constant-time.ts";
import type { Seconds } from "../duration.ts";
import {
  type Client,
  type ClientSecret,
  type ClientTombstone,
  hasSecret,
  isPublic,
} from "../entities.ts";
import { fieldError, OAuthError } from "../errors.ts";
import type { RegistrationMetadata } from "./registration-request.ts";

/**
 * The time for which a client stays that has signed nobody in yet, in seconds: a day. A person who adds a server to an
 * agent signs in at once, or on the next day with a new registration.
 */
const UNUSED_SECONDS = 24 * 60 * 60;

/** The retry window of a client that registered itself: agents often lose an answer, or refresh in two processes. */
const RETRY_WINDOW = "PT1M";

/** A fixed prefix, so that secret scanners find a registration access token. */
const PREFIX = "baton_rat_";

/** A client id as `newRegistration` makes it. */
const idPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Tells whether a client that registered itself may have this id. */
export function isRegisteredId(clientId: string): boolean {
  return idPattern.test(clientId);
}

/** Tells whether a client that registered itself has signed nobody in, so that its registration was never renewed. */
export function isUnused({
  client_id_issued_at,
  registration_expires_at = Infinity,
}: Client): boolean {
  return registration_expires_at <= client_id_issued_at + UNUSED_SECONDS;
}

/** Makes a registration access token (RFC 7592 section 1.2) of 256 random bits. */
export function makeRegistrationToken(): string {
  return PREFIX + base64url.encode(crypto.getRandomValues(new Uint8Array(32)));
}

/** Hashes a registration access token. A plain SHA-256 is enough, because nobody can guess such a token. */
export async function hashRegistrationToken(
  token: string,
): Promise<Uint8Array> {
  const bytes = new TextEncoder().encode(token);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

/**
 * Makes the record of a client that registers itself. It may ask for nothing by its record: the catalogue of resources
 * says what such clients may have.
 *
 * @param tokenHash of its registration access token
 * @param secret left out: the client has none, because it is public or has a key
 */
export function newRegistration(
  metadata: RegistrationMetadata,
  tokenHash: Uint8Array,
  secret: ClientSecret | undefined,
  now: Seconds,
): Client {
  return {
    client_id: crypto.randomUUID(),
    client_id_issued_at: now,
    ...metadata,
    scope: "",
    resources: [],
    refresh_token_retry_window: RETRY_WINDOW,
    secrets: secret ? [secret] : [],
    registered_by: "dynamic_registration",
    registration_expires_at: now + UNUSED_SECONDS,
    registration_token_hash: base64url.encode(tokenHash),
  };
}

/** Tells whether a client registered itself, is enabled, and got this registration access token. Takes constant time. */
export function isOwnRegistration(
  client: Client | ClientTombstone | undefined,
  tokenHash: Uint8Array,
): client is Client {
  if (!client || !("secrets" in client)) return false;
  const { registered_by, registration_token_hash: expected } = client;
  return (
    registered_by === "dynamic_registration" &&
    expected !== undefined &&
    equalBytes(base64url.decode(expected), tokenHash) &&
    client.disabled_at === undefined
  );
}

/**
 * Replaces what a client has decided about itself (RFC 7592 section 2.2). What an operator has set stays, and so do the
 * logins: no token goes to a new redirect URI before a user has signed in and agreed again.
 *
 * @throws OAuthError `registration_metadata_invalid`
 */
export function replacedRegistration(
  previous: Client,
  metadata: RegistrationMetadata,
): Client {
  const {
    client_name: _name,
    token_endpoint_auth_method: _method,
    jwks: _jwks,
    jwks_uri: _uri,
    dpop_bound_access_tokens: _bound,
    ...rest
  } = previous;
  const next = { ...rest, ...metadata };
  // It would need a new secret, or lose the one that it has.
  if (kindOf(next) !== kindOf(previous))
    throw fieldError(
      "token_endpoint_auth_method",
      `must be ${kindOf(previous)}, as it was registered. A client that wants another one registers again`,
      "registration_metadata_invalid",
    );
  return next;
}

/** Names how a client authenticates, as far as it cannot change. */
function kindOf(client: Client): string {
  if (isPublic(client)) return "none";
  return hasSecret(client)
    ? "client_secret_basic or client_secret_post"
    : "private_key_jwt";
}

/**
 * Makes the answer to a client that has registered, or reads its registration (RFC 7591 section 3.2.1, RFC 7592 section
 * 3). It has no empty members, because libraries refuse an empty URI and a null.
 *
 * @param allowed the client with everything that it may have today
 */
export function registrationJson(
  allowed: Client,
  {
    issuer,
    offline_access_required: listsOffline,
  }: { issuer: string; offline_access_required: boolean },
  token: string,
  clientSecret?: string,
): Record<string, unknown> {
  const { client_id, client_name, grant_types } = allowed;
  const { jwks, jwks_uri, dpop_bound_access_tokens } = allowed;
  const scopes = [
    allowed.scope,
    listsOffline && grant_types.includes("refresh_token")
      ? "offline_access"
      : "",
  ].filter((scope) => scope !== "");
  return {
    client_id,
    client_id_issued_at: allowed.client_id_issued_at,
    ...(clientSecret !== undefined && {
      client_secret: clientSecret,
      client_secret_expires_at: 0,
    }),
    registration_access_token: token,
    registration_client_uri: `${issuer}/register/${client_id}`,
    ...(client_name !== undefined && { client_name }),
    redirect_uris: allowed.redirect_uris,
    grant_types,
    response_types: ["code"],
    // RFC 7591 section 2: the method of a client that named none.
    token_endpoint_auth_method:
      allowed.token_endpoint_auth_method ?? "client_secret_basic",
    ...(jwks && { jwks }),
    ...(jwks_uri !== undefined && { jwks_uri }),
    ...(dpop_bound_access_tokens && { dpop_bound_access_tokens }),
    ...(scopes.length > 0 && { scope: scopes.join(" ") }),
  };
}

/**
 * Checks the members of a change that name the client (RFC 7592 section 2.2).
 *
 * @throws OAuthError `registration_metadata_invalid`
 */
export function checkNamedClient(
  body: Readonly<Record<string, unknown>>,
  clientId: string,
): void {
  if (Object.hasOwn(body, "client_id") && body["client_id"] === clientId)
    return;
  throw fieldError(
    "client_id",
    "must be that of the client whose registration is changed",
    "registration_metadata_invalid",
  );
}

/** Makes the refusal of a registration access token: that of another client, or of one that is gone. */
export function registrationTokenWrong(): OAuthError {
  return new OAuthError("registration_token_wrong", {
    headers: {
      "WWW-Authenticate":
        'Bearer realm="baton/register", error="invalid_token"',
    },
  });
}
