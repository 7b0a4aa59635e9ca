import {
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  type JWK,
  SignJWT,
  base64url,
} from "jose";

/** Makes keys and DPoP proofs (RFC 9449 section 4.2), as a client does. It needs no Workers runtime. */

/** The key pair of a client. */
export interface ProofKey {
  alg: string;
  privateKey: CryptoKey;
  /** The public key, for the header of a proof. */
  jwk: JWK;
  /** The thumbprint of the public key (RFC 7638). */
  jkt: string;
}

/** Makes a key pair for proofs. */
export async function makeProofKey(alg = "ES256"): Promise<ProofKey> {
  const { publicKey, privateKey } = await generateKeyPair(alg, {
    extractable: true,
  });
  const jwk = await exportJWK(publicKey);
  return { alg, privateKey, jwk, jkt: await calculateJwkThumbprint(jwk) };
}

/** The claims of a proof. Any other claim may stand beside them. Undefined leaves a claim out. */
export interface ProofClaims extends Record<string, unknown> {
  htm: unknown;
  htu: unknown;
  /** Left out: a fresh one. */
  jti?: unknown;
  /** Left out: now. */
  iat?: unknown;
  nonce?: unknown;
  ath?: unknown;
}

/**
 * Makes a proof.
 *
 * @param header members that replace those of a good header. Undefined leaves a member out
 */
export function proof(
  { alg, privateKey, jwk }: ProofKey,
  claims: ProofClaims,
  header: Record<string, unknown> = {},
): Promise<string> {
  const payload: Record<string, unknown> = {
    jti: crypto.randomUUID(),
    iat: Math.floor(Date.now() / 1000),
    ...claims,
  };
  return new SignJWT(payload)
    .setProtectedHeader({ typ: "dpop+jwt", alg, jwk, ...header })
    .sign(privateKey);
}

/** Returns the claim `ath` of a proof that goes to an API with an access token. */
export async function accessTokenHash(accessToken: string): Promise<string> {
  const bytes = new TextEncoder().encode(accessToken);
  return base64url.encode(
    new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)),
  );
}
