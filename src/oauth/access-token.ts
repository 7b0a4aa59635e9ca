import { base64url, compactVerify, decodeProtectedHeader, SignJWT } from "jose";
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

/** By kid: the public halves of every key that may have signed a token that is still good. */
export type VerificationKeys = ReadonlyMap<
  string,
  { alg: string; key: CryptoKey }
>;

export interface VerifiedAccessToken {
  family_id: Uint8Array;
  expires_at: Seconds;
  /** The payload, as it was signed. */
  claims: {
    client_id: string;
    aud: string | string[];
    [claim: string]: unknown;
  };
}

/** What `signAccessToken` makes of a family's id, before the dot of `jti`. */
const familyInJti = /^([\w-]{43})\./;

/** An access token that this server has signed, expired or not; undefined if it is none. */
export async function openAccessToken(
  keys: VerificationKeys,
  issuer: string,
  token: string,
): Promise<VerifiedAccessToken | undefined> {
  try {
    const { kid = "" } = decodeProtectedHeader(token);
    const known = keys.get(kid);
    if (!known) return undefined;
    const { payload, protectedHeader } = await compactVerify(token, known.key, {
      algorithms: [known.alg],
    });
    // The same key may sign other things elsewhere: the type and the issuer say that it is ours.
    const claims = JSON.parse(
      new TextDecoder().decode(payload),
    ) as AccessTokenPayload;
    const family = familyInJti.exec(claims.jti)?.[1];
    if (protectedHeader.typ !== "at+jwt" || claims.iss !== issuer || !family)
      return undefined;
    return {
      family_id: base64url.decode(family),
      expires_at: claims.exp,
      claims,
    };
  } catch {
    // Not a JWS, not signed by us, or not JSON: whichever it is, it is no token of ours.
    return undefined;
  }
}

type AccessTokenPayload = VerifiedAccessToken["claims"] & {
  iss: string;
  jti: string;
  exp: Seconds;
};
