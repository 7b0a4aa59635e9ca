import { importJWK } from "jose/key/import";
import { calculateJwkThumbprint } from "jose/jwk/thumbprint";
import { compactVerify } from "jose/jws/compact/verify";
import type { JWK } from "jose";

/**
 * DPoP proofs (RFC 9449 section 4), for the token endpoint and for APIs. This folder imports jose alone, because
 * `resource/`, which other Workers import or copy, needs it too.
 */

/** The algorithms of proofs (RFC 7518 section 3.1, RFC 8037 section 3.1, RFC 9864). All are of key pairs. */
export const proofAlgorithms = [
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
  "PS256",
  "RS256",
] as const;

/** A proof that is good. */
export interface Proof {
  /** The thumbprint of its public key (RFC 7638), in base64url. */
  jkt: string;
  jti: string;
  /** Seconds since 1970. */
  iat: number;
  nonce?: string;
}

/** The request that a proof must be for, and the time. */
export interface ExpectedProof {
  method: string;
  /** The URLs that the request may name, such as those of the issuer. Query and fragment are ignored. */
  urls: readonly string[];
  /** Seconds since 1970. */
  now: number;
  /** The access token of the request: the proof must have its hash (`ath`). Left out: there is none. */
  access_token?: string;
  /**
   * Tells whether a nonce is one of the server's and still good. A good one stands in for `iat`, so that clients whose
   * clocks are wrong get in. Left out: nonces are ignored.
   */
  isNonce?: (nonce: string) => Promise<boolean>;
  /** True: a proof without a good nonce is refused. */
  needsNonce?: boolean;
}

/** Why a proof is not good. `use_nonce`: the client must try again with a nonce of the server. */
export type ProofProblem = { problem: string; use_nonce?: true };

/** Checks a DPoP proof (RFC 9449 section 4.3). */
export async function checkProof(
  proof: string,
  expected: ExpectedProof,
): Promise<Proof | ProofProblem> {
  // Foundation only: helper A completes this file.
  try {
    let key: JWK | undefined;
    const { payload } = await compactVerify(
      proof,
      async ({ jwk, alg }) => {
        key = jwk as JWK;
        return importJWK(key, alg);
      },
      { algorithms: [...proofAlgorithms] },
    );
    const claims = JSON.parse(new TextDecoder().decode(payload)) as {
      jti: string;
      iat: number;
      htm: string;
      htu: string;
      nonce?: string;
    };
    const { jti, iat, htm, htu, nonce } = claims;
    if (!key || htm !== expected.method || !expected.urls.includes(htu))
      return { problem: "it is for another request" };
    return {
      jkt: await calculateJwkThumbprint(key),
      jti,
      iat,
      ...(nonce !== undefined && { nonce }),
    };
  } catch {
    return { problem: "it is malformed" };
  }
}
