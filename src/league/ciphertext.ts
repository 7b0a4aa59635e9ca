import { decodeHex } from "../oauth/bytes.ts";
import type { LeagueKey } from "./key.ts";

/**
 * The ciphertext of defuse/php-encryption (version 2 of its format), in hexadecimal:
 *
 * | bytes | content                                         |
 * |-------|-------------------------------------------------|
 * | 4     | header, DEF50200                                |
 * | 32    | salt of the key derivation                      |
 * | 16    | initial counter block                           |
 * | n     | the text, AES-256-CTR                           |
 * | 32    | HMAC-SHA256 over all of the above               |
 */

const HEADER_BYTES = 4;
const SALT_BYTES = 32;
const COUNTER_BYTES = 16;
const MAC_BYTES = 32;

const offsets = {
  salt: HEADER_BYTES,
  counter: HEADER_BYTES + SALT_BYTES,
  text: HEADER_BYTES + SALT_BYTES + COUNTER_BYTES,
};
const MIN_BYTES = offsets.text + 1 + MAC_BYTES;

/** Lower-case digits only, as the format writes them, so that a token has one spelling. */
const pattern = new RegExp(`^def50200(?:[0-9a-f]{2}){${MIN_BYTES - 4},}$`);

/**
 * Tells whether a text has the shape of a ciphertext. A text without it is refused before any cryptography.
 */
export function isCiphertext(text: string): boolean {
  return pattern.test(text);
}

/** Decrypts a text that has passed `isCiphertext`; undefined if it was not made with the key. */
export async function decrypt(
  { derive }: LeagueKey,
  ciphertext: string,
): Promise<Uint8Array | undefined> {
  const bytes = decodeHex(ciphertext);
  const macAt = bytes.length - MAC_BYTES;
  const { authentication, encryption } = await derive(
    bytes.subarray(offsets.salt, offsets.counter),
  );
  const genuine = await crypto.subtle.verify(
    "HMAC",
    authentication,
    bytes.subarray(macAt),
    bytes.subarray(0, macAt),
  );
  if (!genuine) return undefined;
  const counter = bytes.subarray(offsets.counter, offsets.text);
  const text = await crypto.subtle.decrypt(
    { name: "AES-CTR", counter, length: COUNTER_BYTES * 8 },
    encryption,
    bytes.subarray(offsets.text, macAt),
  );
  return new Uint8Array(text);
}
