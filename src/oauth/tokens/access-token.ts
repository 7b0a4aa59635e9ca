import { base64url, compactVerify, decodeProtectedHeader } from "jose";
import type { Seconds } from "../duration.ts";
import type { SigningKey, VerificationKeys } from "../keys.ts";

export interface AccessTokenClaims {
  iss: string;
  sub: string;
  aud: string[];
  client_id: string;
  scope: string[];
  iat: Seconds;
  exp: Seconds;
  /**
   * The family that the token belongs to: introspection finds it through `jti`. Left out: a token of
   * the client itself, which belongs to none.
   */
  family_id?: Uint8Array;
  /** The scopes once more, as league's resource servers read them. */
  scopes?: string[];
  nbf?: Seconds;
}

/** In `jti`, in the place of a family. */
const NO_FAMILY = "client";

/** A JWT access token (RFC 9068 section 2). */
export function signAccessToken(
  signingKey: SigningKey,
  claims: AccessTokenClaims,
): Promise<string> {
  const { family_id, scope, aud, ...registered } = claims;
  const nonce = base64url.encode(crypto.getRandomValues(new Uint8Array(16)));
  const payload = {
    ...registered,
    // RFC 7519 section 4.1.3: one audience may stand alone.
    aud: aud.length === 1 ? aud[0]! : aud,
    ...(scope.length > 0 && { scope: scope.join(" ") }),
    jti: `${family_id ? base64url.encode(family_id) : NO_FAMILY}.${nonce}`,
  };
  return signJwt(signingKey, JSON.stringify(payload));
}

const encoder = new TextEncoder();

/**
 * A JWS in its compact form (RFC 7515 section 7.1). By WebCrypto itself: what jose asks of the key and
 * the header at each signature has been asked once, when the key was read.
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

export interface VerifiedAccessToken {
  /** Undefined for a token of the client itself. */
  family_id: Uint8Array | undefined;
  expires_at: Seconds;
  /** The payload, as it was signed. */
  claims: {
    client_id: string;
    aud: string | string[];
    [claim: string]: unknown;
  };
}

/** What stands before the dot of `jti`: a family's id, as `signAccessToken` writes it, or that there is none. */
const familyInJti = new RegExp(`^(?:([\\w-]{43})|${NO_FAMILY})\\.`);

/** An access token that this server has signed, expired or not; undefined if it is none. */
export async function verifyAccessToken(
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
    // Not a JWS, not signed by us, or not JSON: whichever it is, it is no token of ours.
    return undefined;
  }
}

type AccessTokenPayload = VerifiedAccessToken["claims"] & {
  iss: string;
  jti: string;
  exp: Seconds;
};
