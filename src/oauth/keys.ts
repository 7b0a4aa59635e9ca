/** The keys that the server works with, ready for use. Reading them is the business of the platform. */

/** A private key that signs access tokens. */
export interface SigningKey {
  key: CryptoKey;
  /** How WebCrypto signs with it. */
  parameters: SubtleCryptoSignAlgorithm;
  /** The protected header of its tokens (RFC 9068 section 2.1), encoded as in a JWS. */
  header: string;
}

/** By kid: the public halves of every key that may have signed a token that has not expired. */
export type VerificationKeys = ReadonlyMap<
  string,
  { alg: string; key: CryptoKey }
>;

/** Public halves of the signing keys (RFC 7517 section 5). */
export interface JwkSet {
  keys: Record<string, unknown>[];
}

/** What one ENCRYPTION_KEY becomes: a key for each use (`tokens/token-keys.ts` derives them). */
export interface TokenKey {
  /** Identifies the key in tokens: a number that says nothing about the key. */
  id: number;
  /** For refresh tokens: HMAC-SHA256. */
  mac: CryptoKey;
  /** For authorization requests on their way through the login: AES-256 key wrap. */
  request: CryptoKey;
  /** For authorization codes: AES-256 key wrap. */
  code: CryptoKey;
}

/** The first key makes tokens, all of them are accepted. */
export type TokenKeys = readonly [TokenKey, ...TokenKey[]];
