import { base64url, compactVerify, decodeProtectedHeader } from "jose";
import type { Seconds } from "../duration.ts";
import type { SigningKey, VerificationKeys } from "../keys.ts";

/** The content of an access token (RFC 9068 section 2.2). */
export interface AccessTokenClaims {
  iss: string;
  sub: string;
  /** Only in a token without a user: `sub` is the id of the client. */
  sub_type?: "client";
  aud: string[];
  client_id: string;
  scope: string[];
  iat: Seconds;
  exp: Seconds;
  /**
   * The id of the token's family. It is a part of `jti`, where introspection finds it. Left out: the token is
   * of the client itself and has no family.
   */
  family_id?: Uint8Array;
  /** The scopes as an array, for league's resource servers. */
  scopes?: string[];
  nbf?: Seconds;
}

/** Stands in `jti` if the token has no family. */
const NO_FAMILY = "client";

/** Makes and signs a JWT access token (RFC 9068 section 2). */
export function signAccessToken(
  signingKey: SigningKey,
  claims: AccessTokenClaims,
): Promise<string> {
  const { family_id, scope, aud, ...registered } = claims;
  const nonce = base64url.encode(crypto.getRandomValues(new Uint8Array(16)));
  const payload = {
    ...registered,
    // RFC 7519 section 4.1.3: a single audience may be a string.
    aud: aud.length === 1 ? aud[0]! : aud,
    ...(scope.length > 0 && { scope: scope.join(" ") }),
    jti: `${family_id ? base64url.encode(family_id) : NO_FAMILY}.${nonce}`,
  };
  return signJwt(signingKey, JSON.stringify(payload));
}

const encoder = new TextEncoder();

/**
 * Makes a JWS in compact form (RFC 7515 section 7.1). It calls WebCrypto directly, because jose would check
 * key and header at every signature, and the server has checked them once, when the key was read.
 */
export async function signJwt(
  { key, parameters, header }: SigningKey,
  payload: string,
): Promise<string> {
  const input = `${header}.${base64url.encode(payload)}`;
  const signature = await crypto.subtle.sign(
    parameters,
    key,
    encoder.encode(input),
  );
  return `${input}.${base64url.encode(new Uint8Array(signature))}`;
}

/** An access token that this server has signed. It may have expired. */
export interface VerifiedAccessToken {
  /** Undefined: the token is of the client itself. */
  family_id: Uint8Array | undefined;
  expires_at: Seconds;
  /** The signed payload. */
  claims: {
    client_id: string;
    aud: string | string[];
    iat: Seconds;
    [claim: string]: unknown;
  };
}

/** The beginning of `jti`, as `signAccessToken` writes it: the id of a family, or that there is none. */
const familyInJti = new RegExp(`^(?:([\\w-]{43})|${NO_FAMILY})\\.`);

/**
 * Verifies signature, type and issuer of an access token, but not its expiry.
 *
 * @returns undefined if this server has not signed the token
 */
export async function verifyAccessToken(
  keys: VerificationKeys,
  issuer: string,
  token: string,
): Promise<VerifiedAccessToken | undefined> {
  try {
    const { kid = "" } = decodeProtectedHeader(token);
    const verificationKey = keys.get(kid);
    if (!verificationKey) return undefined;
    const { payload, protectedHeader } = await compactVerify(
      token,
      verificationKey.key,
      {
        algorithms: [verificationKey.alg],
      },
    );
    // The same key may sign other JWTs elsewhere, so type and issuer are checked as well.
    const claims = JSON.parse(
      new TextDecoder().decode(payload),
    ) as AccessTokenPayload;
    const jti = familyInJti.exec(claims.jti);
    if (protectedHeader.typ !== "at+jwt" || claims.iss !== issuer || !jti)
      return undefined;
    const [, family] = jti;
    return {
      family_id: family === undefined ? undefined : base64url.decode(family),
      expires_at: claims.exp,
      claims,
    };
  } catch {
    // Not a JWS, not signed by this server, or not JSON.
    return undefined;
  }
}

type AccessTokenPayload = VerifiedAccessToken["claims"] & {
  iss: string;
  jti: string;
  exp: Seconds;
};
