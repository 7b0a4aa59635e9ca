import {
  createPrivateKey,
  createPublicKey,
  type JsonWebKey,
  type KeyObject,
} from "node:crypto";
import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { calculateJwkThumbprint } from "jose";
import { Failure, UsageError } from "../failure.ts";
import { printable, say, warn } from "../output.ts";
import { examples } from "../program.ts";

/** Many times the longest key. */
const MAX_CHARACTERS = 65_536;

interface ConvertOptions {
  public?: boolean;
  private?: boolean;
}

/** `baton keys convert`: a PEM to a JWK, or a JWK to a PEM. Asks no server. */
export function convertCommand(keys: Command): void {
  keys
    .command("convert [file]")
    .description(
      "print a PEM as a JWK, or a JWK as a PEM (PKCS#8); reads the file, else standard input",
    )
    .option("--public", "print the public half only")
    .option("--private", "print the private half too; send it through a pipe")
    .addHelpText(
      "after",
      `
A PEM that is encrypted needs the environment variable PRIVATE_KEY_PASSPHRASE.
${examples(
  "keys convert --public key.pem",
  "keys convert --private key.pem | npx wrangler secret put PRIVATE_KEY_2026_12",
  "keys convert --private < key.json > key.pem",
)}`,
    )
    .action(convert);
}

async function convert(
  file: string | undefined,
  options: ConvertOptions,
): Promise<void> {
  if (options.public && options.private)
    throw new UsageError("Choose one of --public and --private.");
  const text = readInput(file);
  const jwk = parseJwk(text);
  const key = jwk ? readJwk(jwk) : readPem(text);
  const isPrivate = key.type === "private";
  if (isPrivate && !options.public && !options.private)
    throw new UsageError(
      "The key has a private half. Add --private to print it, or --public to print the public half only.",
    );
  if (!isPrivate && options.private)
    throw new Failure("The key has no private half, so only --public works.");
  if (options.private && process.stdout.isTTY)
    warn(
      "the private key is printed on the terminal, where it can be read later. Send it through a pipe.",
    );
  const printed = options.private || !isPrivate ? key : createPublicKey(key);
  say(jwk ? toPem(printed) : JSON.stringify(await toJwk(printed)));
}

function readInput(file: string | undefined): string {
  if (file === undefined && process.stdin.isTTY)
    throw new UsageError(
      "There is no key to convert. Name a file, or send the key to standard input.",
    );
  try {
    const text = readFileSync(file ?? 0, "utf8");
    if (text.length <= MAX_CHARACTERS) return text.trim();
  } catch (error) {
    throw unreadable(file, error as NodeJS.ErrnoException);
  }
  throw new Failure(
    `The input has more than ${MAX_CHARACTERS} characters, which no key has.`,
  );
}

function unreadable(
  file: string | undefined,
  { code, message }: NodeJS.ErrnoException,
): Failure {
  const name = file === undefined ? "standard input" : printable(file);
  switch (code ?? message) {
    case "ENOENT":
      return new Failure(`There is no file ${name}. Check the path.`);
    case "EISDIR":
      return new Failure(`${name} is a folder. Name the file with the key.`);
    case "EACCES":
      return new Failure(
        `Cannot read ${name}, because its permissions do not allow it.`,
      );
    default:
      return new Failure(`Cannot read ${name}: ${code ?? message}.`);
  }
}

/** Undefined: the text is not JSON. */
function parseJwk(text: string): JsonWebKey | undefined {
  if (!text.startsWith("{")) return undefined;
  try {
    const parsed = JSON.parse(text) as JsonWebKey & { keys?: JsonWebKey[] };
    if (!Array.isArray(parsed.keys)) return parsed;
    const [only] = parsed.keys;
    if (only && parsed.keys.length === 1) return only;
  } catch {
    throw new Failure("The input begins like a JWK, but it is not JSON.");
  }
  throw new Failure(
    "The input is a JWK set with several keys or none. Give one key at a time.",
  );
}

function readJwk(key: JsonWebKey): KeyObject {
  try {
    return key.d === undefined
      ? createPublicKey({ key, format: "jwk" })
      : createPrivateKey({ key, format: "jwk" });
  } catch {
    throw new Failure(
      "The JWK cannot be read: a part of it is missing or damaged, or its kind of key is not supported.",
    );
  }
}

function readPem(text: string): KeyObject {
  const passphrase = process.env["PRIVATE_KEY_PASSPHRASE"];
  const isEncrypted = /ENCRYPTED/.test(text);
  if (isEncrypted && !passphrase)
    throw new Failure(
      "The PEM is encrypted. Set its pass phrase as the environment variable PRIVATE_KEY_PASSPHRASE.",
    );
  const isPrivate = /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text);
  try {
    return isPrivate
      ? createPrivateKey({ key: text, ...(passphrase && { passphrase }) })
      : createPublicKey(text);
  } catch {
    throw new Failure(
      isEncrypted
        ? "The PEM cannot be decrypted: PRIVATE_KEY_PASSPHRASE is wrong, or the PEM is damaged."
        : "The input is neither a JWK nor a PEM that can be read: it is damaged, or its kind of key is not supported.",
    );
  }
}

function toPem(key: KeyObject): string {
  return key
    .export(
      key.type === "private"
        ? { type: "pkcs8", format: "pem" }
        : { type: "spki", format: "pem" },
    )
    .toString()
    .trimEnd();
}

/** A public JWK has the `kid` that the server publishes (RFC 7638), so that one can look for it in the JWKS. */
async function toJwk(key: KeyObject): Promise<JsonWebKey> {
  const jwk = key.export({ format: "jwk" });
  if (key.type === "private") return jwk;
  return { ...jwk, kid: await calculateJwkThumbprint(jwk) };
}
