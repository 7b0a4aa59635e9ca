/*
 * The format of a refresh token: `baton_rt_` and the base64url of
 *
 * | bytes | content                                                 |
 * |-------|---------------------------------------------------------|
 * | 1     | version of the format, 1                                |
 * | 4     | id of the key that made the MAC                         |
 * | 32    | id of the family, which is the id of its Durable Object |
 * | 4     | generation, from 1                                      |
 * | 1     | why it expires then (`expiryReasons`), or 0             |
 * | 7     | expiry, seconds since 1970                              |
 * | 24    | family secret                                           |
 * | 32    | HMAC-SHA256 over the prefix and all of the above        |
 *
 * 105 bytes are a whole number of base64 quanta, so a token has no unused bits, no padding and exactly one
 * spelling. The MAC lets the edge refuse a forged token without a call to the family. The token carries the
 * family secret, of which the family keeps only a hash, so that neither the key nor the storage alone makes a
 * token. A token is a pure function of its claims and its key, so that no successor is ever stored.
 */

import type { Seconds } from "./duration.ts";

/** A fixed prefix, so that secret scanners find a refresh token. A JWT cannot have it. */
export const PREFIX = "baton_rt_";
export const VERSION = 1;
/** The length of a key id in a token. */
export const KEY_ID_BYTES = 4;
const FAMILY_ID_BYTES = 32;
/** 192 bits, more than the 160 that RFC 6749 section 10.10 recommends. */
export const FAMILY_SECRET_BYTES = 24;
const MAC_BYTES = 32;

/** Where each part begins, in bytes after the prefix. */
export const offsets = (() => {
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

/**
 * The reasons why a token expires when it does. `unused`: it was not used for too long. `login_ends`: its login ends then, however
 * often it is used. The token carries it, because its family keeps nothing beyond the expiry.
 */
const expiryReasons = { unused: 1, login_ends: 2 } as const;
export type ExpiryReason = keyof typeof expiryReasons;

/** The time and the reason of the expiry of a refresh token. */
export interface TokenExpiry {
  expires_at: Seconds;
  /** Left out: the token is of an older version, or of another kind. */
  expires_because?: ExpiryReason;
}

/**
 * Writes the expiry of a token. A Worker of an older version reads the reason as a part of an expiry in the far future,
 * so there it is the family that refuses the token when it has expired.
 */
export function writeExpiry(
  view: DataView,
  { expires_at, expires_because }: TokenExpiry,
): void {
  view.setBigUint64(offsets.expiry, BigInt(expires_at));
  if (expires_because)
    view.setUint8(offsets.expiry, expiryReasons[expires_because]);
}

/** Reads the expiry of a token. */
export function readExpiry(view: DataView): TokenExpiry {
  const number = view.getUint8(offsets.expiry);
  const seconds = view.getBigUint64(offsets.expiry) & 0xff_ffff_ffff_ffffn;
  const expires_at = Number(seconds);
  if (number === expiryReasons.unused)
    return { expires_at, expires_because: "unused" };
  return number === expiryReasons.login_ends
    ? { expires_at, expires_because: "login_ends" }
    : { expires_at };
}

/** The spelling of every refresh token. */
export const pattern = new RegExp(
  `^${PREFIX}[A-Za-z0-9_-]{${(offsets.end / 3) * 4}}$`,
);
