/** Reads DER (X.690), for keys and certificates. */

/** The place of an element among the bytes: its tag, and where its content begins and ends. */
export interface DerElement {
  tag: number;
  start: number;
  end: number;
}

/** Reads the tag and the length of an element. Its end is past the bytes' own if they break off. */
export function elementAt(der: Uint8Array, at: number): DerElement {
  const [tag = 0, first = 0x80] = der.subarray(at, at + 2);
  const isShort = first < 0x80;
  const lengthBytes = der.subarray(
    at + 2,
    at + 2 + (isShort ? 0 : first & 0x7f),
  );
  const start = at + 2 + lengthBytes.length;
  const length = isShort
    ? first
    : lengthBytes.reduce((sum, byte) => sum * 256 + byte, 0);
  return { tag, start, end: start + length };
}

/** Returns the elements in the content of one. Undefined: they do not fill it exactly. */
export function elementsIn(
  der: Uint8Array,
  { start, end }: DerElement,
): DerElement[] | undefined {
  const elements: DerElement[] = [];
  let at = start;
  while (at < end) {
    const element = elementAt(der, at);
    elements.push(element);
    at = element.end;
  }
  return at === end && end <= der.length ? elements : undefined;
}
