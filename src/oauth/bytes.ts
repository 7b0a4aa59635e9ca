/** Decoders that run everywhere: not every runtime has `Uint8Array.fromHex` and `fromBase64` yet. */

/** @param hex an even number of hexadecimal digits, which the caller has checked */
export function decodeHex(hex: string): Uint8Array {
  const bytes = new Uint8Array(hex.length / 2);
  for (const position of bytes.keys())
    bytes[position] = Number.parseInt(
      hex.slice(position * 2, position * 2 + 2),
      16,
    );
  return bytes;
}

/**
 * Decodes base64 (RFC 4648 section 4). Padding may be left out.
 *
 * @returns undefined if the text is not base64
 */
export function decodeBase64(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}
