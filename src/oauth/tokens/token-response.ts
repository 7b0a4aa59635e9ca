import * as base64url from "jose/base64url";
import { leagueClaims } from "./access-token-format.ts";
import { type AccessTokenClaims, signAccessToken } from "./access-token.ts";
import type { Confirmation } from "../confirmation.ts";
import type { Seconds } from "../duration.ts";
import type { Catalogues, Client } from "../entities.ts";
import { accessTokenHash, signIdToken } from "../openid/id-token.ts";
import type { SigningKey, TokenKey } from "../keys.ts";
import { accessTokenExpiry, lifetimesOf } from "../lifetimes.ts";
import type { RefreshTokenClaims } from "../token-kind.ts";
import { issueRefreshToken } from "./refresh-token.ts";
import type { LoginAttributes } from "../login-attributes.ts";
import { accessTokenClaimsOf } from "../login-claims.ts";
import { OPENID, releasedClaims } from "../openid/scopes.ts";
import type { ScopeAndResource } from "../scope-and-resource.ts";
import type { Server } from "../server.ts";
import { tokenTarget } from "./token-target.ts";

/** A successful response of the token endpoint (RFC 6749 section 5.1). */
export interface TokenResponse {
  /** `DPoP`: the access token is bound to the key of the request's proof (RFC 9449 section 5). */
  token_type: "Bearer" | "DPoP";
  /** The lifetime of the access token, in seconds. */
  expires_in: number;
  access_token: string;
  /** Left out if the tokens are of the client itself, or if the login has no refresh token (`offline-access.ts`). */
  refresh_token?: string;
  /**
   * The time for which the client may hold the refresh token without using it, in seconds
   * (draft-ietf-oauth-refresh-token-expiration). Left out if there is none.
   */
  refresh_token_timeout?: number;
  /**
   * The time for which the login lasts, however often it is refreshed, in seconds (the same draft). Left out if there is no
   * refresh token, and while the family's object is of an older version.
   */
  authorization_expires_in?: number;
  /** Only with `openid` among the granted scopes (OpenID Connect Core sections 3.1.3.3 and 12.2). */
  id_token?: string;
  /** Left out if no scope is granted, because the grammar has no empty scope (section 3.3). */
  scope?: string;
}

/** The data from which a family's newest refresh token is made. */
export interface NewestToken {
  refreshToken: RefreshTokenClaims;
  /** The time when the family ends. Left out: its object is of an older version. */
  ends_at?: Seconds | undefined;
  /** The id of the key that makes the refresh token. */
  key_id: number;
  /** True: the login has no refresh token, so the client does not get this one. */
  is_withheld?: boolean;
}

/** The data from which the tokens of one response are made. */
export interface TokenGrant {
  client: Client;
  /** The login of the tokens. Its subject is their `sub`. */
  login: LoginAttributes;
  /** The scopes and resources of the access token: all of the login, or fewer. */
  granted: ScopeAndResource;
  /** Left out: the tokens are of the client itself (RFC 6749 section 4.4) and there is no refresh token. */
  newest?: NewestToken;
  /** Say which scope releases which claim about the user, and what the resources of the token want. */
  catalogues: Catalogues;
  /** The keys that the access token is bound to. Left out: none. */
  bound_to?: Confirmation | undefined;
  /** The `nonce` of the authorization request. Only the answer to its code has it (OpenID Connect Core section 12.2). */
  nonce?: string | undefined;
}

/**
 * Makes a token response: a signed access token; if the login has one, the newest refresh token; and with the
 * scope `openid`, an ID token.
 */
export async function tokenResponse(
  server: Server,
  grant: TokenGrant,
  now: Seconds,
): Promise<TokenResponse> {
  const { login, newest } = grant;
  const { settings } = server;
  const target = await tokenTarget(server, grant, now);
  const { client, scope, resource, audience } = target;
  const lifetimes = lifetimesOf(client, settings);
  const exp = accessTokenExpiry(
    lifetimes,
    now,
    newest?.refreshToken.expires_at,
  );
  const claims: AccessTokenClaims = {
    iss: settings.issuer,
    sub: login.subject,
    ...(login.sub_type && { sub_type: login.sub_type }),
    aud: audience,
    client_id: login.client_id,
    scope,
    iat: now,
    exp,
    ...accessTokenClaimsOf(login),
    ...(grant.bound_to && { cnf: grant.bound_to }),
    ...(newest && { family_id: newest.refreshToken.family_id }),
  };
  const format = client.access_token_format ?? settings.access_token_format;
  const signingKey = server.signingKeys.use(now);
  const access_token = await signAccessToken(
    signingKey,
    format === "league"
      ? { ...claims, ...leagueClaims(claims, resource) }
      : claims,
  );
  return {
    token_type: grant.bound_to?.jkt === undefined ? "Bearer" : "DPoP",
    expires_in: exp - now,
    access_token,
    ...(newest &&
      !newest.is_withheld &&
      (await refreshTokenOf(server, newest, now))),
    ...(scope.includes(OPENID) &&
      (await idTokenFor(signingKey, grant, claims, access_token))),
    ...(scope.length > 0 && { scope: scope.join(" ") }),
  };
}

/** Makes the members of a response about its refresh token. */
async function refreshTokenOf(
  server: Server,
  { refreshToken, ends_at, key_id }: NewestToken,
  now: Seconds,
) {
  const key = keyWithId(server, key_id, now);
  return {
    refresh_token: await issueRefreshToken(key, refreshToken),
    refresh_token_timeout: refreshToken.expires_at - now,
    ...(ends_at !== undefined && { authorization_expires_in: ends_at - now }),
  };
}

/**
 * Makes the ID token of a response. It has issuer, subject and times of the access token beside it, and the claims
 * about the user that the granted scopes release.
 *
 * @returns nothing if the tokens are of the client itself, because no user has signed in
 */
async function idTokenFor(
  signingKey: SigningKey,
  { login, granted, newest, catalogues, nonce }: TokenGrant,
  { iss, sub, iat, exp }: AccessTokenClaims,
  accessToken: string,
): Promise<{ id_token?: string }> {
  if (!newest || login.sub_type) return {};
  const { client_id, auth_time, acr, amr, id_token_claims = {} } = login;
  const { family_id } = newest.refreshToken;
  const claims = {
    iss,
    sub,
    aud: client_id,
    iat,
    exp,
    ...(auth_time !== undefined && { auth_time }),
    ...(nonce !== undefined && { nonce }),
    ...(acr !== undefined && { acr }),
    ...(amr !== undefined && { amr }),
    sid: login.sid ?? base64url.encode(family_id),
    at_hash: await accessTokenHash(signingKey, accessToken),
    family_id,
  };
  const person = releasedClaims(
    id_token_claims,
    granted.scope,
    catalogues.scopes,
  );
  return { id_token: await signIdToken(signingKey, claims, person) };
}

/**
 * Returns the key that made a token the first time, so that a retry gets the same string. If it is not configured any
 * more, it is the key that makes now.
 */
function keyWithId(
  { tokenKeys, tokenKeySchedule }: Server,
  keyId: number,
  now: Seconds,
): TokenKey {
  return tokenKeys.find(({ id }) => id === keyId) ?? tokenKeySchedule.use(now);
}
