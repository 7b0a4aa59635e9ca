import * as base64url from "jose/base64url";
import { equalBytes } from "./constant-time.ts";
import { CLOCK_SKEW_SECONDS, type Seconds } from "./duration.ts";
import type { TokenKey, TokenKeys } from "./keys.ts";

/*
 * The nonces of DPoP proofs (RFC 9449 section 8): the base64url of
 *
 * | bytes | content                                        |
 * |-------|------------------------------------------------|
 * | 5     | the time when it was made, seconds since 1970  |
 * | 16    | the beginning of the HMAC-SHA256 over the time |
 *
 * Nothing is stored. 21 bytes are a whole number of base64 quanta, so a nonce has exactly one spelling.
 */

/** The time for which a nonce is good. A client sends its request within seconds; a slow one has time to try again. */
const NONCE_SECONDS = 5 * 60;
const TIME_BYTES = 5;
const MAC_BYTES = 16;

const nonceForm = /^[\w-]{28}$/;

/** Makes a nonce. @param key the one that makes at this time */
export async function makeNonce(key: TokenKey, now: Seconds): Promise<string> {
  const time = new Uint8Array(8);
  new DataView(time.buffer).setBigUint64(0, BigInt(now));
  const bytes = time.subarray(8 - TIME_BYTES);
  return base64url.encode(
    Uint8Array.of(...bytes, ...(await macOf(key, bytes))),
  );
}

/**
 * Judges a nonce. `good`: a proof with it was made at most five minutes ago. `old`: this server has made the nonce, but not
 * that recently. `unknown`: none of the keys has made it.
 */
export async function judgeNonce(
  keys: TokenKeys,
  nonce: string,
  now: Seconds,
): Promise<"good" | "old" | "unknown"> {
  if (!nonceForm.test(nonce)) return "unknown";
  const bytes = base64url.decode(nonce);
  const time = bytes.subarray(0, TIME_BYTES);
  const mac = bytes.subarray(TIME_BYTES);
  const own = await Promise.all(keys.map((key) => macOf(key, time)));
  if (!own.some((expected) => equalBytes(expected, mac))) return "unknown";
  const age = now - time.reduce((sum, byte) => sum * 256 + byte, 0);
  return age <= NONCE_SECONDS && age >= -CLOCK_SKEW_SECONDS ? "good" : "old";
}

async function macOf(key: TokenKey, time: Uint8Array): Promise<Uint8Array> {
  const mac = await crypto.subtle.sign("HMAC", await key.nonce(), time);
  return new Uint8Array(mac).subarray(0, MAC_BYTES);
}
