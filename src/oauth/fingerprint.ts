/** FNV-1a, 32 bits: the offset basis and the prime. */
const OFFSET_BASIS = 0x811c9dc5;
const PRIME = 0x01000193;

/**
 * Makes a fingerprint of 16 bits, to tell later whether a text was another one. It is short on purpose: some
 * 65,000 IPv4 addresses share each fingerprint, so that a stored one says nothing about a person. It proves
 * nothing; never use it to decide.
 */
export function fingerprint(text: string): number {
  let hash = OFFSET_BASIS;
  for (let position = 0; position < text.length; position++)
    hash = Math.imul(hash ^ text.charCodeAt(position), PRIME);
  return ((hash >>> 16) ^ hash) & 0xffff;
}
