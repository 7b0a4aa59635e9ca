import type { JWK } from "jose";
import { decodeBase64 } from "../oauth/bytes.ts";
import { derLabel, isOneSequence } from "./der.ts";
import { KeyError, unwrapKey } from "./key-text.ts";
import { readPkcs8 } from "./pkcs8.ts";

/**
 * Reads the text of PRIVATE_KEY as JWKs: a PEM (RFC 7468), a JWK or a JWK set (RFC 7517), also if a secret store has
 * squeezed it.
 *
 * @param passphrase decrypts an encrypted PEM
 * @throws KeyError
 */
export async function readPrivateKey(
  text: string,
  passphrase?: string,
): Promise<JWK[]> {
  const key = unwrapKey(text);
  if ("json" in key) return readJwks(key.json);
  const pem = "pem" in key ? findKey(key.pem) : armour(key.der);
  const plain =
    pem.label === "PRIVATE KEY" ? await readPkcs8(pem.bytes) : undefined;
  return [plain ?? (await readPem(pem, passphrase))];
}

/** A PEM with a key in it (RFC 7468 section 2). */
interface Pem {
  label: string;
  /** The headers of an encrypted key of OpenSSL (RFC 1421 section 4.6), with the empty line after them. */
  headers: string;
  bytes: Uint8Array;
}

/** The first or the last line of a PEM. Spaces may be missing in it, or be line breaks. */
const boundary = /-----\s*(BEGIN|END)([A-Z0-9\s]{1,40})-----/g;

/** The labels of PEMs, by their letters. */
const labels = new Map(
  [
    "PRIVATE KEY",
    "RSA PRIVATE KEY",
    "EC PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY",
    "OPENSSH PRIVATE KEY",
    "DSA PRIVATE KEY",
    "PGP PRIVATE KEY BLOCK",
    "PUBLIC KEY",
    "RSA PUBLIC KEY",
    "CERTIFICATE",
    "CERTIFICATE REQUEST",
    "NEW CERTIFICATE REQUEST",
    "EC PARAMETERS",
  ].map((label) => [label.replaceAll(" ", ""), label]),
);

/** Finds the one key among the PEMs of a text. */
function findKey(text: string): Pem {
  const lines = [...text.matchAll(boundary)].map((match) => ({
    isFirst: match[1] === "BEGIN",
    name: String(match[2]).replaceAll(/\s/g, ""),
    start: match.index,
    end: match.index + match[0].length,
  }));
  const blocks = lines.flatMap(({ isFirst, name, end }, index) => {
    const last = lines[isFirst ? index + 1 : index - 1];
    if (!last || last.isFirst === isFirst || last.name !== name)
      throw new KeyError(brokenOff(isFirst, text.slice(end)));
    return isFirst ? [{ name, body: text.slice(end, last.start) }] : [];
  });
  if (blocks.length === 0)
    throw new KeyError(brokenOff(text.includes("BEGIN"), text));
  // `openssl ecparam -genkey` writes a PEM with the curve's parameters before the key.
  const keys = blocks.filter(({ name }) => name.endsWith("PRIVATEKEY"));
  if (keys.length > 1)
    throw new KeyError(
      "has several PEMs, and must have one: put each key into a secret of its own, or all of them into a JWK set",
    );
  const [{ name, body } = { name: blocks[0]?.name ?? "", body: undefined }] =
    keys;
  const label = labels.get(name);
  if (label === "OPENSSH PRIVATE KEY")
    throw new KeyError(
      "is a private key of OpenSSH: convert a copy of it to a PEM with ssh-keygen -p -m PKCS8 -f COPY",
    );
  if (body === undefined)
    throw new KeyError(
      `is a PEM ${label === undefined ? "of something else" : `labelled ${label}`}, and must be one of a private key`,
    );
  return { label: label ?? "", ...readBody(body) };
}

/** Says which part of a PEM is missing. */
function brokenOff(hasFirstLine: boolean, rest: string): string {
  if (!hasFirstLine) return "is not a whole PEM: its first line is missing";
  return rest.trim() === ""
    ? "is not a whole PEM but its first line: put the whole file, with npx wrangler secret put PRIVATE_KEY < FILE"
    : "is not a whole PEM: its last line is missing";
}

/** The headers of an encrypted key of OpenSSL. The line breaks between them may be missing. */
const encryptionHeaders =
  /^\s*Proc-Type:\s*4,\s*ENCRYPTED\s*DEK-Info:\s*(AES-\d+-CBC|[A-Z0-9-]+),\s*/;

/** Reads what is between the first and the last line of a PEM, whatever its lines have become. */
function readBody(text: string): Omit<Pem, "label"> {
  // They are left of escapes and of strings in a program.
  const body = text.replaceAll(/[\\"']/g, "");
  const [head = "", cipher = ""] = encryptionHeaders.exec(body) ?? [];
  // The initialization vector is a block of the cipher in hexadecimal digits.
  const ivLength = cipher.startsWith("AES") ? 32 : 16;
  const afterHead = body.slice(head.length);
  const [iv, rest] =
    head === ""
      ? ["", body]
      : [afterHead.slice(0, ivLength), afterHead.slice(ivLength)];
  const bytes = decodeBase64(rest.replaceAll(/\s/g, ""));
  const isWhole = bytes && (head !== "" || isOneSequence(bytes));
  if (!isWhole) throw damaged();
  const headers =
    head === "" ? "" : `Proc-Type: 4,ENCRYPTED\nDEK-Info: ${cipher},${iv}\n\n`;
  return { headers, bytes };
}

/** Makes a PEM of a key that came without its first and last line. */
function armour(bytes: Uint8Array): Pem {
  const label = derLabel(bytes);
  if (label === undefined)
    throw new KeyError(
      "is base64 of a key that is damaged, cut off or not the only one, or of another kind of file",
    );
  if (!label.endsWith("PRIVATE KEY"))
    throw new KeyError(`is base64 of a ${label}, and must be a private key`);
  return { label, headers: "", bytes };
}

/**
 * Reads a PEM with `node:crypto`, because WebCrypto reads no PKCS#1, SEC 1 or encrypted keys. It is loaded here, because
 * that costs a start 3 ms.
 */
async function readPem(
  { label, headers, bytes }: Pem,
  passphrase?: string,
): Promise<JWK> {
  const encrypted = label.startsWith("ENCRYPTED") || headers !== "";
  if (encrypted && passphrase === undefined) {
    throw new KeyError(
      "is encrypted: set its pass phrase as PRIVATE_KEY_PASSPHRASE",
    );
  }
  const lines = Buffer.from(bytes)
    .toString("base64")
    .replaceAll(/.{64}/g, "$&\n");
  const { createPrivateKey } = await import("node:crypto");
  try {
    const key = createPrivateKey({
      key: `-----BEGIN ${label}-----\n${headers}${lines.trimEnd()}\n-----END ${label}-----\n`,
      format: "pem",
      ...(encrypted && { passphrase }),
    });
    return key.export({ format: "jwk" });
  } catch {
    if (!encrypted) throw damaged();
    throw new KeyError(
      "cannot be decrypted: PRIVATE_KEY_PASSPHRASE is wrong, or the key is not encrypted with PBKDF2 and AES",
    );
  }
}

function damaged(): KeyError {
  return new KeyError(
    "is a PEM that cannot be read: it is damaged, or its kind of key is not supported",
  );
}

/** The members of a JWK that are base64url (RFC 7518 section 6, RFC 8037 section 2). */
const encodedMembers = ["n", "e", "x", "y", "d", "p", "q", "dp", "dq", "qi"];

function readJwks(parsed: unknown): JWK[] {
  const keys =
    isObject(parsed) && Array.isArray(parsed["keys"])
      ? parsed["keys"]
      : [parsed];
  if (!keys.every(isObject))
    throw new KeyError("is neither a JWK nor a JWK set");
  return keys.map((key) => ({ ...key, ...unwrappedMembers(key) }));
}

/**
 * Removes the white space and the padding that squeezing has left in a JWK. WebCrypto ignores them, but the key's
 * thumbprint and the published key would have them.
 */
function unwrappedMembers(jwk: Record<string, unknown>) {
  return Object.fromEntries(
    encodedMembers.flatMap((name) => {
      const value = jwk[name];
      if (typeof value !== "string") return [];
      const bare = value.replaceAll(/[\s=]/g, "");
      return [[name, bare.replaceAll("+", "-").replaceAll("/", "_")]];
    }),
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
