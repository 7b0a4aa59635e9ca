import { base64url, SignJWT } from "jose";
import type { Seconds } from "./duration.ts";

/** A private key that signs, and how its public half is called in the JWKS. */
export interface SigningKey {
  alg: string;
  kid: string;
  key: CryptoKey;
}

export interface AccessTokenClaims {
  iss: string;
  sub: string;
  aud: string[];
  client_id: string;
  scope: string[];
  iat: Seconds;
  exp: Seconds;
  /** The family that the token belongs to: introspection finds it through `jti`. */
  family_id: Uint8Array;
}

/** A JWT access token (RFC 9068 section 2). */
export function signAccessToken(
  signingKey: SigningKey,
  claims: AccessTokenClaims,
): Promise<string> {
  const { family_id, scope, aud, ...registered } = claims;
  const nonce = crypto.getRandomValues(new Uint8Array(16));
  return new SignJWT({
    ...registered,
    // RFC 7519 section 4.1.3: one audience may stand alone.
    aud: aud.length === 1 ? aud[0]! : aud,
    ...(scope.length > 0 && { scope: scope.join(" ") }),
    jti: `${base64url.encode(family_id)}.${base64url.encode(nonce)}`,
  })
    .setProtectedHeader({
      alg: signingKey.alg,
      kid: signingKey.kid,
      typ: "at+jwt",
    })
    .sign(signingKey.key);
}
