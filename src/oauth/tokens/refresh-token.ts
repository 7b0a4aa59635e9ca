import * as base64url from "jose/base64url";
import type { TokenKey, TokenKeys } from "../keys.ts";
import {
  offsets,
  pattern,
  PREFIX,
  readExpiry,
  VERSION,
  writeExpiry,
} from "../refresh-token-layout.ts";
import type { RefreshTokenClaims } from "../token-kind.ts";

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
  writeExpiry(view, claims);
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
    ...readExpiry(view),
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
