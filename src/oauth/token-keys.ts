/**
 * The keys with which tokens are authenticated, derived from each ENCRYPTION_KEY by HKDF (RFC 5869)
 * with a label of their own, so that a key is never used for two things.
 */

/** How many bytes of a token name its key. */
export const KEY_ID_BYTES = 4;

export interface TokenKey {
  /** Which key it is: a number that says nothing about the key. */
  id: number;
  mac: CryptoKey;
}

/** The first one makes tokens, all of them are accepted. */
export type TokenKeys = readonly [TokenKey, ...TokenKey[]];

/** @param secret 32 random bytes */
export async function deriveTokenKey(secret: Uint8Array): Promise<TokenKey> {
  const root = await crypto.subtle.importKey("raw", secret, "HKDF", false, [
    "deriveBits",
    "deriveKey",
  ]);
  const hkdf = (info: string) => ({
    name: "HKDF",
    hash: "SHA-256",
    salt: new Uint8Array(),
    info: new TextEncoder().encode(info),
  });
  const id = await crypto.subtle.deriveBits(
    hkdf("baton key id"),
    root,
    KEY_ID_BYTES * 8,
  );
  const mac = await crypto.subtle.deriveKey(
    hkdf("baton refresh token"),
    root,
    { name: "HMAC", hash: "SHA-256", length: 256 },
    false,
    ["sign", "verify"],
  );
  return { id: new DataView(id).getUint32(0), mac };
}
