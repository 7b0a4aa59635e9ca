/**
 * The algorithms of client assertions (RFC 7518 section 3.1, RFC 8037 section 3.1, RFC 9864). All are of key pairs:
 * with a shared secret (`client_secret_jwt`), whoever reads this server's storage could make assertions.
 */
export const assertionAlgorithms = [
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
  "PS256",
  "PS384",
  "PS512",
  "RS256",
  "RS384",
  "RS512",
] as const;

export type AssertionAlgorithm = (typeof assertionAlgorithms)[number];
