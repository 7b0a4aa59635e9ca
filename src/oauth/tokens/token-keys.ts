import * as base64url from "jose/base64url";
import type { TokenKey } from "../keys.ts";
import { KEY_ID_BYTES } from "../refresh-token-layout.ts";

const hmac = {
  algorithm: { name: "HMAC", hash: "SHA-256", length: 256 },
  usages: ["sign", "verify"],
};
const keyWrap = {
  algorithm: { name: "AES-KW", length: 256 },
  usages: ["wrapKey", "unwrapKey"],
};

/**
 * Derives the keys for tokens from one ENCRYPTION_KEY by HKDF (RFC 5869). Each has a label of its own, so
 * that no key has two uses.
 *
 * @param secret 32 random bytes
 */
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
  const derive = (label: string, { algorithm, usages }: typeof keyWrap) =>
    crypto.subtle.deriveKey(hkdf(label), root, algorithm, false, usages);

  const id = await crypto.subtle.deriveBits(
    hkdf("baton key id"),
    root,
    KEY_ID_BYTES * 8,
  );
  let logout: CryptoKey | undefined;
  let event: CryptoKey | undefined;
  let nonce: CryptoKey | undefined;
  return {
    id: new DataView(id).getUint32(0),
    kid: base64url.encode(new Uint8Array(id)),
    mac: await derive("baton refresh token", hmac),
    request: await derive("baton authorization request", keyWrap),
    code: await derive("baton authorization code", keyWrap),
    logout: async () =>
      (logout ??= await derive("baton logout request", keyWrap)),
    event: async () => (event ??= await derive("baton event", hmac)),
    nonce: async () => (nonce ??= await derive("baton dpop nonce", hmac)),
  };
}
