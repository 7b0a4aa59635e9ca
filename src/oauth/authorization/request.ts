import { base64url } from "jose";
import type { Seconds } from "../duration.ts";
import { throwIfRefused, OAuthError } from "../errors.ts";
import { identityOf, type RequestedLogin } from "../login-attributes.ts";
import {
  allowedFor,
  finalizeScopeAndResource,
  registeredFor,
  requestedScopeAndResource,
} from "../scope-and-resource.ts";
import type { Parameters } from "../parameters.ts";
import { readCodeChallenge } from "./pkce.ts";
import type { RedirectTarget } from "./redirect-target.ts";
import { decryptJwt, encryptJwt } from "./encrypted-jwt.ts";
import type { Server } from "../server.ts";

/**
 * The authorization request (RFC 6749 section 4.1.1, RFC 7636, RFC 8707): what is checked of it, and
 * what of it goes to the login and back, sealed.
 */

/** How long a person may take to sign in, in seconds: time to find a phone or to reset a password. */
const REQUEST_SECONDS = 30 * 60;

/** The other parameters that may be there once; `resource` may be repeated. */
const requestParameters = [
  "response_type",
  "response_mode",
  "scope",
  "state",
  "code_challenge",
  "code_challenge_method",
  "prompt",
  "login_hint",
  "ui_locales",
] as const;

export const responseTypes = ["code"] as const;
export const responseModes = ["query"] as const;

/** What a client asks for, checked; it survives JSON. */
export interface AuthorizationRequest {
  login: RequestedLogin;
  redirect_uri: string;
  /** Whether the request named it: then the token request has to as well (RFC 6749 section 4.1.3). */
  redirect_uri_named: boolean;
  state?: string;
  code_challenge: string;
  /**
   * The family that it leads to, in base64url: one for each request, so that a request can be played
   * again as often as one likes, and still one login comes of it at the most.
   */
  family_id: string;
  /** For the login, as the client sent them (OpenID Connect Core section 3.1.2.1). */
  prompt?: string;
  login_hint?: string;
  ui_locales?: string;
}

/**
 * Checks what is asked for, in the order of RFC 6749 section 4.1.1.
 *
 * @throws OAuthError, which the client learns of by redirect
 */
export async function checkAuthorizationRequest(
  server: Server,
  { client, redirect_uri }: RedirectTarget,
  parameters: Parameters,
): Promise<AuthorizationRequest> {
  parameters.refuseRepeated(requestParameters);
  const responseType = parameters.required("response_type");
  if (responseType !== responseTypes[0])
    throw new OAuthError("response_type_unsupported");
  const responseMode = parameters.optional("response_mode");
  if (responseMode !== undefined && responseMode !== responseModes[0])
    throw new OAuthError("response_mode_unsupported");
  if (!client.grant_types.includes("authorization_code")) {
    throw new OAuthError("grant_type_not_allowed", {
      subject: "authorization_code",
    });
  }
  const challenge = throwIfRefused(readCodeChallenge(parameters));
  const granted = throwIfRefused(
    finalizeScopeAndResource(
      requestedScopeAndResource(parameters),
      registeredFor(client),
      allowedFor(client, await server.scopes.catalogueAgain()),
    ),
  );
  return {
    login: { ...identityOf(client), ...granted },
    redirect_uri,
    redirect_uri_named: parameters.optional("redirect_uri") !== undefined,
    ...optional(parameters, "state"),
    ...challenge,
    family_id: base64url.encode(server.families.newId()),
    ...optional(parameters, "prompt"),
    ...optional(parameters, "login_hint"),
    ...optional(parameters, "ui_locales"),
  };
}

function optional<Name extends string>(
  parameters: Parameters,
  name: Name,
): Partial<Record<Name, string>> {
  const value = parameters.optional(name);
  return value === undefined
    ? {}
    : ({ [name]: value } as Partial<Record<Name, string>>);
}

/** The one parameter that the login gets: nobody but this server can read or alter it. */
export function encryptAuthorizationRequest(
  server: Server,
  request: AuthorizationRequest,
  now: Seconds,
): Promise<string> {
  return encryptJwt(server, "request", request, now + REQUEST_SECONDS);
}

/** A request that this server has sealed and that has not expired; otherwise why it is none. */
export async function decryptAuthorizationRequest(
  server: Server,
  encrypted: string,
  now: Seconds,
) {
  const decrypted = await decryptJwt(server, "request", encrypted, now);
  if (typeof decrypted === "string") return decrypted;
  const { claims, expires_at } = decrypted;
  return { request: claims as AuthorizationRequest, expires_at };
}
