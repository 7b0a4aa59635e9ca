import { isClientId } from "../client-metadata.ts";
import type { Seconds } from "../duration.ts";
import type { Client } from "../entities.ts";
import { OAuthError } from "../errors.ts";
import { type ClientIdentity, identityOf } from "../login-attributes.ts";
import type { Parameters } from "../parameters.ts";
import { isRegistered, withEncodedParameters } from "../redirect-uri.ts";
import type { RequestLog } from "../request-log.ts";
import type { Server } from "../server.ts";
import { decryptJwt, encryptJwt } from "../encrypted-jwt.ts";
import {
  findHintedLogin,
  type HintedLogin,
  type Session,
  verifyHint,
} from "./hint.ts";

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

/** A checked logout request. It survives JSON. */
export interface LogoutRequest {
  /** Left out: the request names no client. */
  client?: ClientIdentity;
  /** Only if the request had a valid ID token, and its login had not ended. */
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
  /** The request had an ID token that this server has signed. Its login may have ended. */
  hasHint: boolean;
  /** The login that the ID token of the request belongs to. Left out: it has ended, or there is no such token. */
  login?: HintedLogin;
}

/**
 * Checks a logout request, and looks at the login of its ID token last. Nothing has changed if it throws, and the browser
 * must not be redirected then, because no URI is certain.
 *
 * An ID token that is not valid counts as none where the login can ask the user and `client_id` says which app it is,
 * because apps keep old ID tokens and section 2 lets the login ask. Elsewhere the request is refused.
 *
 * @param state see `state.ts`
 * @param network the network that the request came from. Empty: nobody knows it
 * @throws OAuthError `parameter_repeated`, `logout_hint_invalid`, `logout_client_differs`, `logout_client_missing`,
 *   `logout_client_unknown`, `logout_redirect_uri_unregistered`, `metadata_documents_limited`
 */
export async function checkLogoutRequest(
  server: Server,
  parameters: Parameters,
  { state, network }: { state?: string; network: string },
  log: RequestLog,
): Promise<CheckedLogout> {
  parameters.refuseRepeated(parameterNames);
  const idToken = parameters.optional("id_token_hint");
  const sentId = parameters.optional("client_id");
  const canAsk =
    server.settings.logout_url !== undefined && sentId !== undefined;
  const hint =
    idToken === undefined ? undefined : await verifyHint(server, idToken);
  if (idToken !== undefined && !hint && !canAsk)
    throw new OAuthError("logout_hint_invalid");
  const clientId = sentId ?? hint?.aud;
  // RP-Initiated Logout section 2: both must agree.
  if (hint && hint.aud !== clientId)
    throw new OAuthError("logout_client_differs");
  const client = await findClient(server, clientId, network);
  if (client) log.fields.client_id = client.client_id;
  const uri = parameters.optional("post_logout_redirect_uri");
  if (uri !== undefined && !client)
    throw new OAuthError("logout_client_missing");
  if (uri !== undefined && !mayReturnTo(client, uri))
    throw new OAuthError("logout_redirect_uri_unregistered");
  if (hint) log.begin("family");
  const found =
    hint && client ? await findHintedLogin(server, hint, client) : "ended";
  if (found === "foreign" && !canAsk)
    throw new OAuthError("logout_hint_invalid");
  const login = typeof found === "string" ? undefined : found;
  const ui_locales = parameters.optional("ui_locales");
  const logout_hint = parameters.optional("logout_hint");
  const request: LogoutRequest = {
    ...(client && { client: identityOf(client) }),
    ...(login && { session: login.session }),
    ...(uri !== undefined && { post_logout_redirect_uri: uri }),
    ...(uri !== undefined && state !== undefined && { state }),
    ...(ui_locales !== undefined && { ui_locales }),
    ...(logout_hint !== undefined && { logout_hint }),
  };
  return {
    request,
    ...(client && { client }),
    hasHint: hint !== undefined,
    ...(login && { login }),
  };
}

async function findClient(
  { clients }: Pick<Server, "clients">,
  clientId: string | undefined,
  network: string,
): Promise<Client | undefined> {
  if (clientId === undefined) return undefined;
  const client = isClientId(clientId)
    ? await clients.findAgain(clientId, network)
    : undefined;
  if (!client) throw new OAuthError("logout_client_unknown");
  return client;
}

/** Tells whether the browser may be redirected to a URI of a client (section 3). */
export function mayReturnTo(client: Client | undefined, uri: string): boolean {
  return isRegistered(uri, client?.post_logout_redirect_uris ?? []);
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
