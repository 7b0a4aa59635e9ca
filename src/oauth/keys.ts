/** The keys of the server, ready for use. `platform/` reads them. */

/**
 * The kinds of JWTs that PRIVATE_KEY signs, with the `typ` in their headers. Each kind has its own, so that
 * none passes for another (RFC 8725 section 3.11).
 */
export const signedTypes = {
  /** RFC 9068 section 2.1. */
  accessToken: "at+jwt",
  /** RFC 7519 section 5.1. Libraries expect it of an ID token, although no specification asks for it. */
  idToken: "JWT",
  /** OpenID Connect Back-Channel Logout section 2.4. */
  logoutToken: "logout+jwt",
  request: "baton-request+jwt",
  logout: "baton-logout+jwt",
  code: "baton-code+jwt",
} as const;

export type SignedKind = keyof typeof signedTypes;

/** A private key that signs JWTs. */
export interface SigningKey {
  key: CryptoKey;
  /** The algorithm for WebCrypto. */
  parameters: SubtleCryptoSignAlgorithm;
  /** The protected header of each kind of JWT, encoded in base64url (`signed-jwt.ts`). */
  headers: Readonly<Record<SignedKind, string>>;
  /** The length of a signature in base64url. */
  signatureCharacters: number;
}

/** The public keys by `kid`: those of every key that may have signed a JWT that has not expired. */
export type VerificationKeys = ReadonlyMap<
  string,
  { alg: string; key: CryptoKey }
>;

/** The public keys as a JWK set (RFC 7517 section 5). */
export interface JwkSet {
  keys: Record<string, unknown>[];
}

/** The keys that are derived from one ENCRYPTION_KEY, one for each use (`tokens/token-keys.ts`). */
export interface TokenKey {
  /** Identifies the key in tokens: 32 bits that reveal nothing about the key. */
  id: number;
  /** The id in base64url, as it stands in encrypted JWTs. */
  kid: string;
  /** For refresh tokens: HMAC-SHA256. */
  mac: CryptoKey;
  /** For the encrypted authorization request that the sign-in page gets: AES-256 key wrap. */
  request: CryptoKey;
  /** For authorization codes: AES-256 key wrap. */
  code: CryptoKey;
  /** For the encrypted logout request that the login gets: AES-256 key wrap. It is derived at the first use. */
  logout: () => Promise<CryptoKey>;
  /** For the hashes in events: HMAC-SHA256. It is derived when the first event is written. */
  event: () => Promise<CryptoKey>;
  /** For the nonces of DPoP proofs: HMAC-SHA256. It is derived when the first proof arrives. */
  nonce: () => Promise<CryptoKey>;
}

/** The keys whose tokens are accepted. `KeySchedule` says which of them makes. */
export type TokenKeys = readonly TokenKey[];
