import { createPrivateKey } from "node:crypto";
import type { JWK } from "jose";

/** The keys can't be used; the message says why, and holds nothing of them. */
export class KeyError extends Error {}

/**
 * Reads the text of PRIVATE_KEY, in whichever of its forms it is, as JWKs.
 *
 * @param passphrase decrypts an encrypted PEM
 * @throws KeyError
 */
export function readPrivateKey(text: string, passphrase?: string): JWK[] {
  return text.includes("-----BEGIN")
    ? [readPem(text, passphrase)]
    : readJwks(text);
}

/** RFC 7468 section 2; what stands between the lines is the reader's business. */
const pemBlock = /-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----/gs;

/** `node:crypto` reads what WebCrypto does not: PKCS#1, SEC 1 and encrypted keys. */
function readPem(text: string, passphrase: string | undefined): JWK {
  // Secret stores often keep a line break as backslash and n.
  const blocks = [...text.replaceAll("\\n", "\n").matchAll(pemBlock)];
  // There may be others: `openssl ecparam -genkey` writes the curve's parameters first.
  const keys = blocks.filter(([, name]) => name?.endsWith("PRIVATE KEY"));
  if (keys.length > 1)
    throw new KeyError("holds several PEMs: put several keys into a JWK set");
  const [[pem, label = ""] = []] = keys;
  if (pem === undefined) {
    const [[, name] = []] = blocks;
    throw new KeyError(
      name === undefined
        ? "is not a whole PEM: its first or its last line is missing"
        : `is a PEM of a ${name}, and has to be of a private key`,
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
        : "is not a PEM that can be read: damaged, or of a kind of key that is not supported",
    );
  }
}

function readJwks(text: string): JWK[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // The parser's own message would quote the key.
    throw new KeyError("is neither a PEM nor JSON");
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
