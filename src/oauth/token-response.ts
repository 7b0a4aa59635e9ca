import { signAccessToken } from "./access-token.ts";
import type { Seconds } from "./duration.ts";
import type { Client } from "./entities.ts";
import { accessTokenExpiry, lifetimesOf } from "./lifetimes.ts";
import { type RefreshTokenClaims, sealRefreshToken } from "./refresh-token.ts";
import type { Server } from "./server.ts";

/** A successful answer of the token endpoint (RFC 6749 section 5.1). */
export interface TokenResponse {
  token_type: "Bearer";
  /** Seconds. */
  expires_in: number;
  access_token: string;
  refresh_token: string;
  /** Left out where no scope is granted: the grammar has no word for none. */
  scope?: string;
}

/** What the tokens of one answer are for. */
export interface TokenGrant {
  client: Client;
  subject: string;
  scope: string[];
  resource: string[];
  refreshToken: RefreshTokenClaims;
  /** Which key makes the refresh token. */
  key_id: number;
}

/** The pair of tokens for a grant: a signed access token and the next refresh token. */
export async function tokenResponse(
  server: Server,
  grant: TokenGrant,
  now: Seconds,
): Promise<TokenResponse> {
  const { settings, signingKey, tokenKeys } = server;
  const { client, subject, scope, resource, refreshToken, key_id } = grant;
  const lifetimes = lifetimesOf(client, settings);
  const exp = accessTokenExpiry(lifetimes, now, refreshToken.expires_at);
  const access_token = await signAccessToken(signingKey, {
    iss: settings.issuer,
    sub: subject,
    aud: resource.length > 0 ? resource : [settings.audience],
    client_id: client.client_id,
    scope,
    iat: now,
    exp,
    family_id: refreshToken.family_id,
  });
  return {
    token_type: "Bearer",
    expires_in: exp - now,
    access_token,
    refresh_token: await sealRefreshToken(tokenKeys, refreshToken, key_id),
    ...(scope.length > 0 && { scope: scope.join(" ") }),
  };
}
