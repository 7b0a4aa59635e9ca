/**
 * The algorithms of client assertions (RFC 7518 section 3.1, RFC 8037 section 3.1, RFC 9864), each with the type of its
 * keys: a curve, or RSA. All are of key pairs: with a shared secret (`client_secret_jwt`), a thief of this server's
 * storage could make assertions.
 */
export const assertionKeyTypes = {
  ES256: "P-256",
  ES384: "P-384",
  ES512: "P-521",
  EdDSA: "Ed25519",
  Ed25519: "Ed25519",
  PS256: "RSA",
  PS384: "RSA",
  PS512: "RSA",
  RS256: "RSA",
  RS384: "RSA",
  RS512: "RSA",
} as const;

export type AssertionAlgorithm = keyof typeof assertionKeyTypes;

/** Their names, for the metadata. */
export const assertionAlgorithms = Object.keys(
  assertionKeyTypes,
) as readonly AssertionAlgorithm[];
