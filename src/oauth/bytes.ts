/** Texts to bytes, on every runtime: `Uint8Array.fromHex` and the like are not everywhere yet. */

/** @param hex an even number of hexadecimal digits; the caller has checked that */
export function decodeHex(hex: string): Uint8Array {
  const bytes = new Uint8Array(hex.length / 2);
  for (const position of bytes.keys())
    bytes[position] = Number.parseInt(
      hex.slice(position * 2, position * 2 + 2),
      16,
    );
  return bytes;
}

/** @returns undefined if the text is not base64 (RFC 4648 section 4); padding may be left out */
export function decodeBase64(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}
