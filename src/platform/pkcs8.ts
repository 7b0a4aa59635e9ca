import type { JWK } from "jose";
import { algorithmOf } from "./der.ts";

/**
 * The kinds of keys, by the AlgorithmIdentifier of PKCS#8 in hexadecimal digits, and their algorithms for WebCrypto. An
 * RSA key is imported for any algorithm, because its JWK is the same for all.
 */
const algorithms: Record<string, SubtleCryptoImportKeyAlgorithm> = {
  // rsaEncryption and NULL (RFC 8017 section A.1).
  "06092a864886f70d0101010500": { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
  // id-ecPublicKey with secp256r1, and with secp384r1 (RFC 5480 section 2.1.1).
  "06072a8648ce3d020106082a8648ce3d030107": {
    name: "ECDSA",
    namedCurve: "P-256",
  },
  "06072a8648ce3d020106052b81040022": { name: "ECDSA", namedCurve: "P-384" },
  // id-Ed25519 (RFC 8410 section 3).
  "06032b6570": { name: "Ed25519" },
};

/**
 * Reads a private key in PKCS#8 (RFC 5208 section 5) with WebCrypto.
 *
 * @returns undefined if WebCrypto does not read it
 */
export async function readPkcs8(der: Uint8Array): Promise<JWK | undefined> {
  const algorithm = algorithms[algorithmOf(der)];
  if (!algorithm) return undefined;
  try {
    const key = await crypto.subtle.importKey("pkcs8", der, algorithm, true, [
      "sign",
    ]);
    const jwk = (await crypto.subtle.exportKey("jwk", key)) as JWK;
    // PKCS#8 does not say for which algorithm and use an RSA key is.
    const { alg: _alg, key_ops: _ops, ext: _ext, ...members } = jwk;
    return members;
  } catch {
    return undefined;
  }
}
