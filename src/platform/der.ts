import { elementAt } from "../oauth/der.ts";

/**
 * What a DER structure is, by the tags of its parts (X.690): the label that its PEM has (RFC 7468). 02 is an
 * INTEGER, 03 a BIT STRING, 04 an OCTET STRING, 30 a SEQUENCE.
 */
const labels: [parts: RegExp, label: string][] = [
  // RFC 5208 section 5, also with what RFC 5958 section 2 adds.
  [/^023004/, "PRIVATE KEY"],
  // RFC 5208 section 6.
  [/^3004$/, "ENCRYPTED PRIVATE KEY"],
  // RFC 8017 section A.1.2.
  [/^(?:02){9}$/, "RSA PRIVATE KEY"],
  // RFC 5915 section 3.
  [/^0204/, "EC PRIVATE KEY"],
  // RFC 5280 section 4.1, RFC 8017 section A.1.1.
  [/^3003$|^0202$/, "PUBLIC KEY"],
  [/^303003$/, "CERTIFICATE"],
];

/** Returns the label of a DER structure. Undefined: another one, or it is not whole, or something follows it. */
export function derLabel(der: Uint8Array): string | undefined {
  if (!isOneSequence(der)) return undefined;
  const parts: string[] = [];
  let { start: at } = elementAt(der, 0);
  while (at < der.length) {
    const { tag, end } = elementAt(der, at);
    parts.push(tag.toString(16).padStart(2, "0"));
    at = end;
  }
  const tags = parts.join("");
  return labels.find(([pattern]) => pattern.test(tags))?.[1];
}

/** Returns the AlgorithmIdentifier of a key in PKCS#8 (RFC 5208 section 5): its content in hexadecimal digits. */
export function algorithmOf(der: Uint8Array): string {
  const { start: first } = elementAt(der, 0);
  const version = elementAt(der, first);
  const { start, end } = elementAt(der, version.end);
  return der.subarray(start, end).toHex();
}

/** Tells whether bytes are one SEQUENCE and nothing else. Parsers of keys ignore what follows it. */
export function isOneSequence(der: Uint8Array): boolean {
  const { tag, end } = elementAt(der, 0);
  return tag === 0x30 && end === der.length;
}
