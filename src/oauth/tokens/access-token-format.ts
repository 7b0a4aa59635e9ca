import type { AccessTokenClaims } from "./access-token.ts";

/**
 * Makes the claims that league's `BearerTokenValidator` reads and RFC 9068 does not have: the scopes as an
 * array, the client's id in `aud`, as the only value, and `nbf`, which league 8.3.2 to 8.3.5 require. An
 * audience that was named as `resource` (RFC 8707) is kept, because it says which resource server the token
 * is for.
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
