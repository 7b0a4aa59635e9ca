import { type DerElement, elementAt, elementsIn } from "../der.ts";
import { comparableAddress } from "../ip-address.ts";

/** The subject alternative names of a certificate (RFC 5280 section 4.2.1.6), without the kinds that no client has. */
export interface AlternativeNames {
  dns: string[];
  email: string[];
  uri: string[];
  /** As `comparableAddress` writes them. */
  ip: string[];
}

/** The tags of the kinds (RFC 5280 section 4.2.1.6). */
const kinds: Record<number, keyof AlternativeNames> = {
  0x81: "email",
  0x82: "dns",
  0x86: "uri",
  0x87: "ip",
};

const SEQUENCE = 0x30;
/** The tag of the extensions in a certificate (RFC 5280 section 4.1). */
const EXTENSIONS = 0xa3;
/** The object identifier 2.5.29.17. */
const SUBJECT_ALT_NAME = "551d11";

/** Reads the subject alternative names of a certificate in DER. A certificate that is malformed has none. */
export function alternativeNames(der: Uint8Array): AlternativeNames {
  const names: AlternativeNames = { dns: [], email: [], uri: [], ip: [] };
  for (const { tag, start, end } of generalNames(der)) {
    const { [tag]: kind } = kinds;
    const content = der.subarray(start, end);
    const name = kind === "ip" ? addressOf(content) : textOf(content);
    if (kind && name !== undefined) names[kind].push(name);
  }
  return names;
}

function generalNames(der: Uint8Array): DerElement[] {
  const within = (parent: DerElement | undefined) =>
    (parent && elementsIn(der, parent)) ?? [];
  const certificate = elementAt(der, 0);
  if (certificate.tag !== SEQUENCE || certificate.end !== der.length) return [];
  const [signed] = within(certificate);
  const extensions = within(signed).find(({ tag }) => tag === EXTENSIONS);
  const [list] = within(extensions);
  for (const extension of within(list)) {
    const parts = within(extension);
    const [id] = parts;
    // Between the two may be the mark that the extension is critical.
    const value = parts.at(-1);
    if (
      id &&
      value &&
      hexOf(der.subarray(id.start, id.end)) === SUBJECT_ALT_NAME
    )
      return within(within(value)[0]);
  }
  return [];
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  );
}

/** Longer than any that a record can have (`client-metadata.ts`). */
const MAX_NAME_BYTES = 2048;

/** Reads an IA5String. Undefined: it has bytes that are not ASCII, or is longer than any name. */
function textOf(bytes: Uint8Array): string | undefined {
  return bytes.length <= MAX_NAME_BYTES && bytes.every((byte) => byte < 0x80)
    ? String.fromCharCode(...bytes)
    : undefined;
}

function addressOf(bytes: Uint8Array): string | undefined {
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.length !== 16) return undefined;
  const groups = Array.from({ length: 8 }, (_, at) =>
    hexOf(bytes.subarray(at * 2, at * 2 + 2)),
  );
  return comparableAddress(groups.join(":"));
}
