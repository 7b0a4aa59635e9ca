import * as base64url from "jose/base64url";
import { type Confirmation, thumbprintPattern } from "../confirmation.ts";
import type { Seconds } from "../duration.ts";
import { throwIfRefused, OAuthError } from "../errors.ts";
import { identityOf, type RequestedLogin } from "../login-attributes.ts";
import { OPENID } from "../openid/scopes.ts";
import type { RequestLog } from "../request-log.ts";
import { rememberResources } from "../resource-memory.ts";
import type { Catalogues } from "../entities.ts";
import { dropScopes } from "../scope.ts";
import {
  allowedFor,
  finalizeScopeAndResource,
  grantableFor,
  requestedScopeAndResource,
  scopesFor,
} from "../scope-and-resource.ts";
import type { Parameters } from "../parameters.ts";
import {
  type OpenIdParameters,
  readOpenIdParameters,
} from "./openid-parameters.ts";
import { readCodeChallenge } from "./pkce.ts";
import { readPrompt } from "./prompt.ts";
import type { RedirectTarget } from "./redirect-target.ts";
import { decryptJwt, encryptJwt } from "../encrypted-jwt.ts";
import { responseModes, responseTypes } from "./supported-values.ts";
import type { Server } from "../server.ts";

/**
 * The parameters that must not be repeated, beside those of the redirect target and of OpenID Connect. `resource` may
 * be repeated.
 */
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
  "dpop_jkt",
] as const;

/** The most dropped scopes that a log line names. */
const MAX_DROPPED_IN_LOG = 10;

/**
 * A checked authorization request (RFC 6749 section 4.1.1, RFC 7636, RFC 8707, OpenID Connect Core section 3.1.2.1). It
 * survives JSON.
 */
export interface AuthorizationRequest extends OpenIdParameters {
  login: RequestedLogin;
  redirect_uri: string;
  /** As it stands in the query, not decoded (`state.ts`). */
  state?: string;
  /** Left out: the request had none, because the client need not use PKCE. */
  code_challenge?: string;
  /**
   * The id of the family that the request leads to, in base64url. Each request has one, so that at most one
   * login comes from it, even if its encrypted form is used again.
   */
  family_id: string;
  /** For the sign-in page (OpenID Connect Core section 3.1.2.1). `prompt` is as `readPrompt` writes it. */
  prompt?: string;
  login_hint?: string;
  ui_locales?: string;
}

/**
 * Checks an authorization request, in the order of RFC 6749 section 4.1.1. Scopes that the client may not have
 * are dropped, because real clients ask for all scopes that the metadata lists, or for `offline_access`.
 *
 * @throws OAuthError, which goes to the client by redirect (section 4.1.2.1)
 */
export async function checkAuthorizationRequest(
  server: Server,
  {
    client,
    redirect_uri,
    catalogues: reading,
    state,
  }: RedirectTarget & { state?: string },
  parameters: Parameters,
  log: RequestLog,
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
  const challenge = throwIfRefused(readCodeChallenge(parameters, client));
  const prompt = throwIfRefused(readPrompt(parameters));
  const key = readKey(parameters);
  const catalogues = await reading;
  const allowed = allowedFor(client, catalogues);
  const requested = requestedScopeAndResource(parameters);
  const available = scopesFor(allowed, requested.resource);
  const { scope, dropped } = dropScopes(requested.scope, available);
  // Otherwise at least one is left. One that is the client's and not available belongs to another resource.
  if (
    Array.isArray(scope) &&
    scope.every((name) => !allowed.scope.includes(name))
  )
    throw new OAuthError("scope_none_left", { subject: scope.join(" ") });
  noteDropped(log, dropped, catalogues);
  const granted = throwIfRefused(
    finalizeScopeAndResource(
      { ...requested, scope },
      grantableFor(client, requested, allowed),
      allowed,
    ),
  );
  return {
    login: {
      ...identityOf(client),
      ...granted,
      ...(await rememberResources(client, granted.resource)),
      ...key,
    },
    redirect_uri,
    ...(state !== undefined && { state }),
    ...challenge,
    family_id: base64url.encode(server.families.newId()),
    ...prompt,
    ...optional(parameters, "login_hint"),
    ...optional(parameters, "ui_locales"),
    ...(granted.scope.includes(OPENID) &&
      (await readOpenIdParameters(server, client, parameters))),
  };
}

/** Reads the key that the code is bound to (RFC 9449 section 10). @throws OAuthError `dpop_jkt_malformed` */
function readKey(parameters: Parameters): { cnf?: Confirmation } {
  const jkt = parameters.optional("dpop_jkt");
  if (jkt === undefined) return {};
  if (!thumbprintPattern.test(jkt)) throw new OAuthError("dpop_jkt_malformed");
  return { cnf: { jkt } };
}

/** Notes dropped scopes in the log. It names those of the catalogue only: any other value could be a secret. */
function noteDropped(
  { fields }: RequestLog,
  dropped: readonly string[],
  { scopes }: Catalogues,
): void {
  const known = dropped.filter((name) => Object.hasOwn(scopes, name));
  const unknown = dropped.length - known.length;
  if (known.length > 0)
    fields.dropped_scopes = known.slice(0, MAX_DROPPED_IN_LOG);
  if (unknown > 0) fields.unknown_scopes = unknown;
}

/** Returns a parameter as an object, which is empty if the parameter is left out. */
function optional<Name extends string>(
  parameters: Parameters,
  name: Name,
): Partial<Record<Name, string>> {
  const value = parameters.optional(name);
  return value === undefined
    ? {}
    : ({ [name]: value } as Partial<Record<Name, string>>);
}

/** Encrypts a request for the sign-in page. Only this server can read or change it. */
export function encryptAuthorizationRequest(
  server: Server,
  request: AuthorizationRequest,
  now: Seconds,
): Promise<string> {
  return encryptJwt(server, "request", request, now);
}

/** Decrypts a request. @returns the request and its expiry, or the reason why it is not valid */
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
