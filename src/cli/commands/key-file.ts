import { createPublicKey, X509Certificate } from "node:crypto";
import { createReadStream } from "node:fs";
import { isSecretKey } from "../../oauth/jwk-members.ts";
import { Failure } from "../failure.ts";
import { printable } from "../output.ts";
import { type PublicKeys, publicKeySet } from "../public-keys.ts";

/** Much more than ten keys with their certificates have. */
const MAX_BYTES = 256 * 1024;

const forms =
  'a JWK set, such as {"keys": [{"kty": "EC", …}]}, one JWK, or a PEM file with one public key or one certificate';

/**
 * Reads the public keys of a client from a file: a JWK set, one JWK, or a PEM file with a public key or a certificate. A
 * private key is refused here, so that it does not leave this machine, and is not printed.
 *
 * @param given a path, also with `@` before it, or `-` for standard input
 * @throws Failure
 */
export async function readKeys(given: string): Promise<PublicKeys> {
  // It may be a private key, so the message does not repeat it.
  if (/^\s*[[{]|-----BEGIN/.test(given))
    throw new Failure(
      "--jwks takes the path of a file, and not the keys themselves. Save the public keys to a file, or give them on standard input: --jwks -",
    );
  if (/^https?:/.test(given))
    throw new Failure(
      `--jwks takes the path of a file. For keys at a URL: --jwks-uri ${printable(given)}`,
    );
  const path = given.replace(/^@/, "");
  const source =
    path === "-" ? "standard input" : `the file ${printable(path)}`;
  const fail = (problem: string) => new Failure(`--jwks: ${source} ${problem}`);
  const input = path === "-" ? process.stdin : createReadStream(path);
  const bytes = await read(input).catch(() => {
    throw fail("cannot be read. Check the path.");
  });
  if (!bytes)
    throw fail(`has more than ${MAX_BYTES} bytes. It must have ${forms}.`);
  const text = decode(bytes);
  const isPem = text.includes("-----BEGIN");
  const content = isPem ? keyOfPem(text, fail) : parse(text, fail);
  const isKey = "kty" in content;
  const set = isKey ? { keys: [content] } : content;
  if (Array.isArray(set.keys) && set.keys.some(hasPrivatePart))
    throw privateKey(fail);
  const { data, error } = publicKeySet.safeParse(set);
  if (data) return data;
  if (!Array.isArray(set.keys))
    throw fail(`has no keys. It must have ${forms}.`);
  const problems = error.issues.map(({ path: at, message }) =>
    [...at.map(String), message].join(" "),
  );
  throw fail(`cannot be used: ${problems.join("; ")}.`);
}

/** Undefined: it is too long. */
async function read(input: AsyncIterable<unknown>) {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of input) {
    chunks.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    if (length > MAX_BYTES) return undefined;
  }
  return Buffer.concat(chunks);
}

/** Decodes text that may begin with a byte order mark. PowerShell writes UTF-16. */
function decode(bytes: Buffer): string {
  const isUtf16 = bytes[0] === 0xff && bytes[1] === 0xfe;
  return new TextDecoder(isUtf16 ? "utf-16le" : "utf-8").decode(bytes);
}

type Fail = (problem: string) => Failure;
type Content = Record<string, unknown>;

function parse(text: string, fail: Fail): Content {
  try {
    const content: unknown = JSON.parse(text);
    // An array of keys is a set without its name.
    if (Array.isArray(content)) return { keys: content };
    if (typeof content === "object" && content !== null)
      return content as Content;
  } catch {
    throw fail(`is neither JSON nor PEM. It must have ${forms}.`);
  }
  throw fail(`has no keys. It must have ${forms}.`);
}

/** Reads the one key of a PEM file (RFC 7468), with its certificate. */
function keyOfPem(text: string, fail: Fail): Content {
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) throw privateKey(fail);
  if (text.split("-----BEGIN").length > 2)
    throw fail("has several keys or certificates. Leave the client's own one.");
  try {
    if (!text.includes("-----BEGIN CERTIFICATE-----"))
      return { ...createPublicKey(text).export({ format: "jwk" }) };
    const certificate = new X509Certificate(text);
    const key = certificate.publicKey.export({ format: "jwk" });
    return { ...key, x5c: [certificate.raw.toString("base64")] };
  } catch {
    throw fail(
      "has no public key or certificate that can be read. `openssl pkey -in client.key -pubout` prints the public key of a private one.",
    );
  }
}

function hasPrivatePart(key: unknown): boolean {
  // Another message is for a symmetric key.
  const isPair =
    typeof key === "object" &&
    key !== null &&
    !("kty" in key && key.kty === "oct");
  return isPair && isSecretKey(key);
}

function privateKey(fail: Fail): Failure {
  return fail(
    "has a private key, which must stay at the client. Nothing was sent. Give a file with the public key alone. `openssl pkey -in client.key -pubout` prints that of a PEM file; a public JWK has no d, p, q, dp, dq and qi.",
  );
}
