import type { ScopeCatalogue } from "../oauth/entities.ts";
import type { JwkSet } from "../oauth/keys.ts";
import { claimsOfScope, isOpenIdOn } from "../oauth/openid/scopes.ts";

/** The claims of every ID token, beside those about the user. `jti`, `nonce` and `at_hash` describe the token alone. */
const registeredClaims = [
  "iss",
  "sub",
  "aud",
  "exp",
  "iat",
  "auth_time",
  "acr",
  "amr",
  "sid",
];

/**
 * Returns the members about ID tokens (OpenID Connect Discovery section 3), or none while OpenID Connect is off.
 *
 * @param jwks the algorithms of keys that sign later, or have signed before, are listed too
 */
export function idTokenMetadata(
  catalogue: ScopeCatalogue,
  jwks: JwkSet,
): Record<string, unknown> {
  if (!isOpenIdOn(catalogue)) return {};
  const released = Object.keys(catalogue).flatMap((scope) =>
    claimsOfScope(scope, catalogue),
  );
  return {
    id_token_signing_alg_values_supported: [
      ...new Set(jwks.keys.map(({ alg }) => alg)),
    ],
    claims_supported: [...new Set([...registeredClaims, ...released])],
    claims_parameter_supported: false,
    request_parameter_supported: false,
    // Left out, it would mean true.
    request_uri_parameter_supported: false,
  };
}
