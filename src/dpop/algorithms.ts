/**
 * The algorithms of proofs (RFC 7518 section 3.1, RFC 8037 section 3.1, RFC 9864), each with the keys that it takes. All
 * are of key pairs (RFC 9449 section 11.6). ES512 is left out, because its verification takes many times as long as that of
 * ES256, and anybody can send a proof.
 */
export const algorithms = {
  ES256: { kty: "EC", crv: "P-256", bytes: 32 },
  ES384: { kty: "EC", crv: "P-384", bytes: 48 },
  EdDSA: { kty: "OKP", crv: "Ed25519", bytes: 32 },
  Ed25519: { kty: "OKP", crv: "Ed25519", bytes: 32 },
  PS256: { kty: "RSA" },
  RS256: { kty: "RSA" },
} as const;

export type ProofAlgorithm = keyof typeof algorithms;

/** Their names, for the metadata of a server or of an API. */
export const proofAlgorithms = Object.keys(
  algorithms,
) as readonly ProofAlgorithm[];
