import { base64url } from "jose";
import { isClientId } from "../client-metadata.ts";
import type { Seconds } from "../duration.ts";
import type { Client } from "../entities.ts";
import { OAuthError } from "../errors.ts";
import { type VerifiedIdToken, verifyIdToken } from "../openid/id-token.ts";
import { type ClientIdentity, identityOf } from "../login-attributes.ts";
import type { Parameters } from "../parameters.ts";
import { isRegistered, withEncodedParameters } from "../redirect-uri.ts";
import type { Server } from "../server.ts";
import { decryptJwt, encryptJwt } from "../encrypted-jwt.ts";

/** Logout requests (OpenID Connect RP-Initiated Logout 1.0), and their encrypted form for the login. */

/** The parameters of section 2. None may be repeated. */
const parameterNames = [
  "id_token_hint",
  "logout_hint",
  "client_id",
  "post_logout_redirect_uri",
  "state",
  "ui_locales",
] as const;

/** The user and the session of a logout, as far as an ID token tells. */
interface Session {
  subject: string;
  /** The session that the login gave. Left out: it gave none. */
  sid?: string;
}

/** A checked logout request. It survives JSON. */
export interface LogoutRequest {
  /** Left out: the request names no client. */
  client?: ClientIdentity;
  /** Only if the request had a valid ID token. */
  session?: Session;
  post_logout_redirect_uri?: string;
  /** As it stands in the request, not decoded (`state.ts`). */
  state?: string;
  /** For the login. */
  ui_locales?: string;
  logout_hint?: string;
}

/** A logout request with what its parts were found to be. */
export interface CheckedLogout {
  request: LogoutRequest;
  client?: Client;
  /** The login that the ID token of the request belongs to. */
  family_id?: Uint8Array;
}

/**
 * Checks a logout request. Nothing has changed if it throws, and the browser must not be redirected then, because no
 * URI is certain.
 *
 * @param state see `state.ts`
 * @throws OAuthError `parameter_repeated`, `logout_hint_invalid`, `logout_client_differs`, `logout_client_missing`,
 *   `logout_client_unknown`, `logout_redirect_uri_unregistered`
 */
export async function checkLogoutRequest(
  server: Pick<Server, "clients" | "settings" | "verificationKeys">,
  parameters: Parameters,
  { state }: { state?: string },
): Promise<CheckedLogout> {
  parameters.refuseRepeated(parameterNames);
  const hint = await readHint(server, parameters.optional("id_token_hint"));
  const clientId = parameters.optional("client_id") ?? hint?.aud;
  // RP-Initiated Logout section 2: both must agree.
  if (hint && hint.aud !== clientId)
    throw new OAuthError("logout_client_differs");
  const client = await findClient(server, clientId);
  const uri = parameters.optional("post_logout_redirect_uri");
  if (uri !== undefined && !client)
    throw new OAuthError("logout_client_missing");
  if (uri !== undefined && !mayReturnTo(client, uri))
    throw new OAuthError("logout_redirect_uri_unregistered");
  const ui_locales = parameters.optional("ui_locales");
  const logout_hint = parameters.optional("logout_hint");
  const request: LogoutRequest = {
    ...(client && { client: identityOf(client) }),
    ...(hint && { session: sessionOf(hint) }),
    ...(uri !== undefined && { post_logout_redirect_uri: uri }),
    ...(uri !== undefined && state !== undefined && { state }),
    ...(ui_locales !== undefined && { ui_locales }),
    ...(logout_hint !== undefined && { logout_hint }),
  };
  return {
    request,
    ...(client && { client }),
    ...(hint && { family_id: hint.family_id }),
  };
}

/** Verifies the ID token of a request. It may have expired, because a user may sign out late (section 2). */
async function readHint(
  { settings, verificationKeys }: Pick<Server, "settings" | "verificationKeys">,
  hint: string | undefined,
): Promise<VerifiedIdToken | undefined> {
  if (hint === undefined) return undefined;
  const { issuer } = settings;
  const verified = await verifyIdToken(verificationKeys, issuer, hint);
  if (!verified) throw new OAuthError("logout_hint_invalid");
  return verified;
}

async function findClient(
  { clients }: Pick<Server, "clients">,
  clientId: string | undefined,
): Promise<Client | undefined> {
  if (clientId === undefined) return undefined;
  const client = isClientId(clientId)
    ? await clients.findAgain(clientId)
    : undefined;
  if (!client) throw new OAuthError("logout_client_unknown");
  return client;
}

/** Tells whether the browser may be redirected to a URI of a client (section 3). */
export function mayReturnTo(client: Client | undefined, uri: string): boolean {
  return isRegistered(uri, client?.post_logout_redirect_uris ?? []);
}

function sessionOf({ sub, sid, family_id }: VerifiedIdToken): Session {
  // The ID token of a login without a session has the id of its family as `sid`.
  const isOfLogin = sid !== base64url.encode(family_id);
  return { subject: sub, ...(isOfLogin && { sid }) };
}

/** Makes the URL to which the browser goes after the logout. Undefined: the request names none. */
export function afterLogout({
  post_logout_redirect_uri: uri,
  state,
}: LogoutRequest): string | undefined {
  if (uri === undefined || state === undefined) return uri;
  return withEncodedParameters(uri, [`state=${state}`]);
}

/** Encrypts a request for the login. Only this server can read or change it. */
export function encryptLogoutRequest(
  server: Server,
  request: LogoutRequest,
  now: Seconds,
): Promise<string> {
  return encryptJwt(server, "logout", request, now);
}

/** Decrypts a request. @returns the request and its expiry, or the reason why it is not valid */
export async function decryptLogoutRequest(
  server: Server,
  encrypted: string,
  now: Seconds,
) {
  const decrypted = await decryptJwt(server, "logout", encrypted, now);
  if (typeof decrypted === "string") return decrypted;
  const { claims, expires_at } = decrypted;
  return { request: claims as LogoutRequest, expires_at };
}
