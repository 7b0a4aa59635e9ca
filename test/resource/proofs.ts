import {
  base64url,
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  type JWK,
  SignJWT,
} from "jose";

/** A client's key for DPoP proofs, and the proofs that it signs (RFC 9449 section 4.2). */
export class ProofKey {
  readonly jwk: JWK;
  readonly jkt: string;
  readonly #privateKey: CryptoKey;
  readonly #alg: string;

  private constructor(
    privateKey: CryptoKey,
    alg: string,
    jwk: JWK,
    jkt: string,
  ) {
    this.#privateKey = privateKey;
    this.#alg = alg;
    this.jwk = jwk;
    this.jkt = jkt;
  }

  static async make(alg = "ES256"): Promise<ProofKey> {
    const { privateKey, publicKey } = await generateKeyPair(alg);
    const jwk = await exportJWK(publicKey);
    return new ProofKey(
      privateKey,
      alg,
      jwk,
      await calculateJwkThumbprint(jwk),
    );
  }

  /**
   * Signs a proof.
   *
   * @param access_token the token that goes with it. Left out: the proof has no `ath`
   * @param changes claims that differ. Undefined removes a claim
   */
  async prove(
    htm: string,
    htu: string,
    access_token?: string,
    changes: Record<string, unknown> = {},
    header: Record<string, unknown> = {},
  ): Promise<string> {
    const claims = {
      jti: crypto.randomUUID(),
      htm,
      htu,
      iat: Math.floor(Date.now() / 1000),
      ...(access_token !== undefined && { ath: await hashOf(access_token) }),
      ...changes,
    };
    return new SignJWT(JSON.parse(JSON.stringify(claims)))
      .setProtectedHeader({
        typ: "dpop+jwt",
        alg: this.#alg,
        jwk: this.jwk,
        ...header,
      })
      .sign(this.#privateKey);
  }
}

/** The hash of an access token (`ath`). */
export async function hashOf(access_token: string): Promise<string> {
  const bytes = new TextEncoder().encode(access_token);
  return base64url.encode(
    new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)),
  );
}
