import type { AccessTokenClaims } from "./access-token.ts";

/**
 * What league's `BearerTokenValidator` reads and RFC 9068 has not: the scopes as an array, the client's id
 * in `aud`, of which it takes only one, and `nbf`, without which league 8.3.2 to 8.3.5 refuse a token. An
 * audience that was granted or asked for by name (RFC 8707) is kept: it says which resource server the
 * token is for.
 */
export function leagueClaims(
  claims: AccessTokenClaims,
  resource: readonly string[],
): Partial<AccessTokenClaims> {
  return {
    ...(resource.length === 0 && { aud: [claims.client_id] }),
    scopes: claims.scope,
    nbf: claims.iat,
  };
}
