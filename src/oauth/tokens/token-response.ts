import { leagueClaims } from "./access-token-format.ts";
import { type AccessTokenClaims, signAccessToken } from "./access-token.ts";
import type { Seconds } from "../duration.ts";
import type { Client } from "../entities.ts";
import { accessTokenExpiry, lifetimesOf } from "../lifetimes.ts";
import type { RefreshTokenClaims } from "../token-kind.ts";
import { issueRefreshToken } from "./refresh-token.ts";
import type { LoginAttributes } from "../login-attributes.ts";
import type { ScopeAndResource } from "../scope-and-resource.ts";
import type { Server } from "../server.ts";

/** A successful answer of the token endpoint (RFC 6749 section 5.1). */
export interface TokenResponse {
  token_type: "Bearer";
  /** Seconds. */
  expires_in: number;
  access_token: string;
  /** Left out where there is no login to go on with, or the client may not refresh. */
  refresh_token?: string;
  /** Left out where no scope is granted: the grammar has no word for none. */
  scope?: string;
}

/** A family's newest refresh token, still to be made. */
export interface NewestToken {
  refreshToken: RefreshTokenClaims;
  /** Which key makes the refresh token. */
  key_id: number;
}

/** What the tokens of one response are made of. */
export interface TokenGrant {
  client: Client;
  /** Whom the tokens are about. */
  login: LoginAttributes;
  /** What the access token is for: all of the login, or less. */
  granted: ScopeAndResource;
  /** Left out where the tokens are the client's own (RFC 6749 section 4.4). */
  newest?: NewestToken;
}

/** Makes the tokens of a grant: a signed access token and, for a login, the next refresh token. */
export async function tokenResponse(
  server: Server,
  { client, login, granted, newest }: TokenGrant,
  now: Seconds,
): Promise<TokenResponse> {
  const { scope, resource } = granted;
  const { settings, signingKey, tokenKeys } = server;
  const lifetimes = lifetimesOf(client, settings);
  const exp = accessTokenExpiry(
    lifetimes,
    now,
    newest?.refreshToken.expires_at,
  );
  const claims: AccessTokenClaims = {
    iss: settings.issuer,
    sub: login.subject,
    aud: resource.length > 0 ? resource : [settings.audience],
    client_id: login.client_id,
    scope,
    iat: now,
    exp,
    ...(newest && { family_id: newest.refreshToken.family_id }),
  };
  const format = client.access_token_format ?? settings.access_token_format;
  const access_token = await signAccessToken(
    signingKey,
    format === "league"
      ? { ...claims, ...leagueClaims(claims, resource) }
      : claims,
  );
  const mayRefresh = client.grant_types.includes("refresh_token");
  return {
    token_type: "Bearer",
    expires_in: exp - now,
    access_token,
    ...(newest &&
      mayRefresh && {
        refresh_token: await issueRefreshToken(
          tokenKeys,
          newest.refreshToken,
          newest.key_id,
        ),
      }),
    ...(scope.length > 0 && { scope: scope.join(" ") }),
  };
}
