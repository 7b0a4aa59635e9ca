/**
 * Compares two digests in a time that depends on their lengths only, so that the time does not reveal how
 * much of a guess was right. It is plain JavaScript, because WebCrypto has no such comparison.
 */
export function equalBytes(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  let difference = 0;
  for (const [position, byte] of one.entries())
    difference |= byte ^ other[position]!;
  return difference === 0;
}
