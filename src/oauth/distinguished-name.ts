import { decodeHex } from "./bytes.ts";

/**
 * The names of attribute types, in lower case, with their object identifiers: those of RFC 4514 section 3, and others
 * that OpenSSL and certificate authorities write by name.
 */
const attributeTypes: Record<string, string> = {
  cn: "2.5.4.3",
  sn: "2.5.4.4",
  serialnumber: "2.5.4.5",
  c: "2.5.4.6",
  l: "2.5.4.7",
  st: "2.5.4.8",
  s: "2.5.4.8",
  street: "2.5.4.9",
  o: "2.5.4.10",
  ou: "2.5.4.11",
  title: "2.5.4.12",
  businesscategory: "2.5.4.15",
  postalcode: "2.5.4.17",
  gn: "2.5.4.42",
  organizationidentifier: "2.5.4.97",
  dc: "0.9.2342.19200300.100.1.25",
  uid: "0.9.2342.19200300.100.1.1",
  emailaddress: "1.2.840.113549.1.9.1",
  e: "1.2.840.113549.1.9.1",
  jurisdictionl: "1.3.6.1.4.1.311.60.2.1.1",
  jurisdictionst: "1.3.6.1.4.1.311.60.2.1.2",
  jurisdictionc: "1.3.6.1.4.1.311.60.2.1.3",
};

/** A descr or numericoid (RFC 4512 section 1.4). Some programs write `OID.` before the second. */
const attributeType = /^(?:[a-z][a-z0-9-]*|(?:oid\.)?\d+(?:\.\d+)+)$/;
/** The tags of the strings that hold UTF-8 or a part of it: UTF8String, PrintableString and IA5String (X.690). */
const textTags = [0x0c, 0x13, 0x16];

/** The most characters of a name. A longer one is malformed. */
const MAX_LENGTH = 4096;

/**
 * Brings a distinguished name (RFC 4514) into one form, in which two spellings of a name are equal: names of attribute
 * types become object identifiers, and every escape becomes its character. The order of the parts and the case of values
 * count, because a certificate authority writes one name in one way.
 *
 * @returns undefined if the name is malformed or empty
 */
export function normalizedName(name: string): string | undefined {
  if (name.length > MAX_LENGTH) return undefined;
  const parts: string[][] = [];
  for (const part of split(name, ",")) {
    const attributes = split(part, "+").map(normalizedAttribute);
    // Section 2.2: the attributes of one part have no order.
    if (attributes.some((attribute) => attribute === undefined))
      return undefined;
    parts.push((attributes as string[]).toSorted());
  }
  return JSON.stringify(parts);
}

/** Splits at a separator that no backslash escapes. */
function split(text: string, separator: string): string[] {
  const pieces = [""];
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character === separator) pieces.push("");
    else {
      const escaped = character === "\\" ? text.charAt((at += 1)) : "";
      pieces[pieces.length - 1] += character + escaped;
    }
  }
  return pieces;
}

function normalizedAttribute(attribute: string): string | undefined {
  const at = attribute.indexOf("=");
  const type = attribute.slice(0, Math.max(at, 0)).trim().toLowerCase();
  if (!attributeType.test(type)) return undefined;
  const value = valueOf(attribute.slice(at + 1));
  if (value === undefined) return undefined;
  const known = Object.hasOwn(attributeTypes, type)
    ? attributeTypes[type]
    : undefined;
  return `${known ?? type.replace(/^oid\./, "")}=${value}`;
}

/** Reads an attribute value (section 2.4). Text begins with a colon. Undefined: it is malformed. */
function valueOf(text: string): string | undefined {
  const written = trimmed(text);
  return written.startsWith("#") ? hexValue(written) : textValue(written);
}

/** Removes the spaces around a value. They are not part of it, unless a backslash escapes them. */
function trimmed(text: string): string {
  // Other white space is a part of the value.
  const written = text.replaceAll(/^ +| +$/g, "");
  const [backslashes = ""] = /\\*$/.exec(written) ?? [];
  const isEscaped = backslashes.length % 2 === 1 && text.endsWith(" ");
  return isEscaped ? `${written} ` : written;
}

/** Reads a value in BER, in hexadecimal digits. Text is the same as if it had been written out. */
function hexValue(written: string): string | undefined {
  const hex = written.slice(1).toLowerCase();
  if (!/^(?:[0-9a-f]{2})+$/.test(hex)) return undefined;
  const bytes = decodeHex(hex);
  const [tag = 0, length = 0] = bytes;
  const isText =
    textTags.includes(tag) && length < 0x80 && length === bytes.length - 2;
  return isText ? decoded(bytes.subarray(2)) : `#${hex}`;
}

/** Reads a value as text, with its escapes: `\,` is a character, `\C3\BC` are bytes of UTF-8. */
function textValue(written: string): string | undefined {
  const encoder = new TextEncoder();
  const bytes: number[] = [];
  for (const [token, pair, special] of written.matchAll(
    /\\([0-9a-f]{2})|\\(.?)|[^\\]+/gis,
  )) {
    if (special === "") return undefined;
    if (pair !== undefined) bytes.push(Number.parseInt(pair, 16));
    else bytes.push(...encoder.encode(special ?? token));
  }
  return decoded(Uint8Array.from(bytes));
}

/** Reads UTF-8. The colon keeps the text `#30` and the bytes `30` apart. */
function decoded(bytes: Uint8Array): string | undefined {
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    return `:${decoder.decode(bytes)}`;
  } catch {
    return undefined;
  }
}
