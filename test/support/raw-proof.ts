import { base64url } from "jose";
import type { ProofKey } from "./dpop.ts";
import { TOKEN_URL } from "./proving.ts";

/** Makes proofs that no library would make: from any bytes, with any signature. */

const encoder = new TextEncoder();

/** The header of a good proof. `changes` replaces members; undefined leaves a member out. */
export function headerOf(
  { alg, jwk }: ProofKey,
  changes: Record<string, unknown> = {},
): Record<string, unknown> {
  return { typ: "dpop+jwt", alg, jwk, ...changes };
}

/** The claims of a good proof for the token endpoint. `changes` replaces claims; undefined leaves a claim out. */
export function goodClaims(
  changes: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    jti: crypto.randomUUID(),
    htm: "POST",
    htu: TOKEN_URL,
    iat: Math.floor(Date.now() / 1000),
    ...changes,
  };
}

type Part = string | Uint8Array | Record<string, unknown>;

/** Encodes a part of a JWS. An object becomes JSON. */
export function encoded(part: Part): string {
  return base64url.encode(
    typeof part === "string" || part instanceof Uint8Array
      ? part
      : JSON.stringify(part),
  );
}

/** Signs header and payload as they are, with ES256. */
export async function signedWith(
  { privateKey }: Pick<ProofKey, "privateKey">,
  header: Part,
  payload: Part,
): Promise<string> {
  const input = `${encoded(header)}.${encoded(payload)}`;
  return `${input}.${encoded(await ecdsa(privateKey, input))}`;
}

/** Makes a signature of ES256: r and s, 32 bytes each. */
export async function ecdsa(
  key: CryptoKey,
  input: string,
): Promise<Uint8Array> {
  const algorithm = { name: "ECDSA", hash: "SHA-256" };
  return new Uint8Array(
    await crypto.subtle.sign(algorithm, key, encoder.encode(input)),
  );
}

/** Replaces the signature of a proof. */
export function withSignature(proof: string, signature: Uint8Array): string {
  return proof.slice(0, proof.lastIndexOf(".") + 1) + encoded(signature);
}

/** Reads the signature of a proof. */
export function signatureOf(proof: string): Uint8Array {
  return base64url.decode(proof.slice(proof.lastIndexOf(".") + 1));
}
