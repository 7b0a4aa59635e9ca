import { base64url } from "jose";
import type { TokenKey, TokenKeys } from "../keys.ts";
import type { RefreshTokenClaims } from "../token-kind.ts";
import { KEY_ID_BYTES } from "./token-keys.ts";

/*
 * The format of a refresh token: `baton_rt_` and the base64url of
 *
 * | bytes | content                                                 |
 * |-------|---------------------------------------------------------|
 * | 1     | version of the format, 1                                |
 * | 4     | id of the key that made the MAC                         |
 * | 32    | id of the family, which is the id of its Durable Object |
 * | 4     | generation, from 1                                      |
 * | 8     | expiry, seconds since 1970                              |
 * | 24    | family secret                                           |
 * | 32    | HMAC-SHA256 over the prefix and all of the above        |
 *
 * 105 bytes are a whole number of base64 quanta, so a token has no unused bits, no padding and exactly one
 * spelling. The MAC lets the edge refuse a forged token without a call to the family. The token carries the
 * family secret, of which the family keeps only a hash, so that neither the key nor the storage alone makes a
 * token. A token is a pure function of its claims and its key, so that no successor is ever stored.
 */

const PREFIX = "baton_rt_";
const VERSION = 1;
const FAMILY_ID_BYTES = 32;
/** 192 bits, more than the 160 that RFC 6749 section 10.10 recommends. */
export const FAMILY_SECRET_BYTES = 24;
const MAC_BYTES = 32;

const offsets = (() => {
  const keyId = 1;
  const familyId = keyId + KEY_ID_BYTES;
  const generation = familyId + FAMILY_ID_BYTES;
  const expiry = generation + 4;
  const secret = expiry + 8;
  const mac = secret + FAMILY_SECRET_BYTES;
  return {
    keyId,
    familyId,
    generation,
    expiry,
    secret,
    mac,
    end: mac + MAC_BYTES,
  };
})();

const pattern = new RegExp(
  `^${PREFIX}[A-Za-z0-9_-]{${(offsets.end / 3) * 4}}$`,
);
const prefixBytes = new TextEncoder().encode(PREFIX);

/** Makes a refresh token. The same key makes the same string of the same claims. */
export async function issueRefreshToken(
  key: Pick<TokenKey, "id" | "mac">,
  claims: RefreshTokenClaims,
): Promise<string> {
  const bytes = new Uint8Array(offsets.end);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, VERSION);
  view.setUint32(offsets.keyId, key.id);
  bytes.set(claims.family_id, offsets.familyId);
  view.setUint32(offsets.generation, claims.generation);
  view.setBigUint64(offsets.expiry, BigInt(claims.expires_at));
  bytes.set(claims.family_secret, offsets.secret);
  const mac = await crypto.subtle.sign("HMAC", key.mac, authenticated(bytes));
  bytes.set(new Uint8Array(mac), offsets.mac);
  return PREFIX + base64url.encode(bytes);
}

/** Tells by the prefix whether a token is a refresh token. A JWT cannot have this prefix. */
export function isRefreshToken(token: string): boolean {
  return token.startsWith(PREFIX);
}

/**
 * Verifies form and MAC of a refresh token, but not its expiry.
 *
 * @returns its claims, or the reason why it is not valid
 */
export async function verifyRefreshToken(
  keys: TokenKeys,
  token: string,
): Promise<
  RefreshTokenClaims | "refresh_token_malformed" | "refresh_token_forged"
> {
  if (!pattern.test(token)) return "refresh_token_malformed";
  const bytes = base64url.decode(token.slice(PREFIX.length));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint8(0) !== VERSION) return "refresh_token_malformed";
  const key = keys.find(({ id }) => id === view.getUint32(offsets.keyId));
  if (!key) return "refresh_token_forged";
  const isGenuine = await crypto.subtle.verify(
    "HMAC",
    key.mac,
    bytes.subarray(offsets.mac),
    authenticated(bytes),
  );
  if (!isGenuine) return "refresh_token_forged";
  return {
    family_id: bytes.slice(offsets.familyId, offsets.generation),
    generation: view.getUint32(offsets.generation),
    expires_at: Number(view.getBigUint64(offsets.expiry)),
    family_secret: bytes.slice(offsets.secret, offsets.mac),
  };
}

/**
 * Returns the bytes that the MAC covers. They include the prefix, so that no other kind of token passes for
 * this one.
 */
function authenticated(bytes: Uint8Array): Uint8Array {
  const covered = new Uint8Array(prefixBytes.length + offsets.mac);
  covered.set(prefixBytes);
  covered.set(bytes.subarray(0, offsets.mac), prefixBytes.length);
  return covered;
}

/** Hashes a family secret for storage. SHA-256 is enough, because the secret is random and long. */
export async function hashFamilySecret(
  secret: Uint8Array,
): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", secret));
}
