import { createPrivateKey } from "node:crypto";
import type { JWK } from "jose";

/** PRIVATE_KEY cannot be used. The message says why, and quotes nothing of the key. */
export class KeyError extends Error {}

/**
 * Reads the text of PRIVATE_KEY as JWKs: a PEM (RFC 7468), a JWK or a JWK set (RFC 7517).
 *
 * @param passphrase decrypts an encrypted PEM
 * @throws KeyError
 */
export function readPrivateKey(text: string, passphrase?: string): JWK[] {
  return text.includes("-----BEGIN")
    ? [readPem(text, passphrase)]
    : readJwks(text);
}

/** A PEM (RFC 7468 section 2). `node:crypto` checks what is between its first and its last line. */
const pemBlock = /-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----/gs;

/** Reads a PEM with `node:crypto`, because WebCrypto reads no PKCS#1, SEC 1 or encrypted keys. */
function readPem(text: string, passphrase: string | undefined): JWK {
  // Some secret stores keep a line break as a backslash and an n.
  const blocks = [...text.replaceAll("\\n", "\n").matchAll(pemBlock)];
  // `openssl ecparam -genkey` writes a PEM with the curve's parameters before the key.
  const keys = blocks.filter(([, name]) => name?.endsWith("PRIVATE KEY"));
  if (keys.length > 1)
    throw new KeyError(
      "has several PEMs, and must have one: put several keys into a JWK set",
    );
  const [[pem, label = ""] = []] = keys;
  if (pem === undefined) {
    const [[, name] = []] = blocks;
    throw new KeyError(
      name === undefined
        ? "is not a whole PEM: its first or its last line is missing"
        : `is a PEM of a ${name}, and must be one of a private key`,
    );
  }
  const encrypted =
    label.startsWith("ENCRYPTED") || pem.includes("Proc-Type: 4,ENCRYPTED");
  if (encrypted && passphrase === undefined) {
    throw new KeyError(
      "is encrypted: set its pass phrase as PRIVATE_KEY_PASSPHRASE",
    );
  }
  try {
    const key = createPrivateKey({
      key: pem,
      format: "pem",
      ...(encrypted && { passphrase }),
    });
    return key.export({ format: "jwk" });
  } catch {
    throw new KeyError(
      encrypted
        ? "cannot be decrypted: PRIVATE_KEY_PASSPHRASE is wrong, or the key is not encrypted with PBKDF2 and AES"
        : "is a PEM that cannot be read: it is damaged, or its kind of key is not supported",
    );
  }
}

function readJwks(text: string): JWK[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // The parser's own message would quote the key.
    throw new KeyError(
      "is neither a PEM nor JSON: it must be a PEM, a JWK or a JWK set",
    );
  }
  const keys =
    isObject(parsed) && Array.isArray(parsed["keys"])
      ? parsed["keys"]
      : [parsed];
  if (!keys.every(isObject))
    throw new KeyError("is neither a JWK nor a JWK set");
  return keys;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
