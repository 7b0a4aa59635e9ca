import { decodeBase64, decodeHex } from "../oauth/bytes.ts";
import { equalBytes } from "../oauth/constant-time.ts";

/**
 * The key that a league server encrypts its tokens with, in each of the forms in which its configuration
 * has it, and what defuse/php-encryption (version 2 of its format) makes of it.
 */

/** The ASCII-safe form of a Defuse key: header, 32 bytes, and the SHA-256 of both, in hexadecimal. */
const DEFUSE_KEY_HEADER = "def00000";
const defuseKey = new RegExp(`^${DEFUSE_KEY_HEADER}[0-9a-f]{128}$`, "i");
/** Header and key, without the checksum. */
const CHECKED_BYTES = 4 + 32;

/** How Laravel writes its APP_KEY; its ciphers have keys of 128 or 256 bits. */
const LARAVEL_PREFIX = "base64:";
const LARAVEL_KEY_BYTES = [16, 32];

/** Of the format. It is also the most that Workers do. */
const PBKDF2_ITERATIONS = 100_000;
const KEY_BITS = 256;

const encoder = new TextEncoder();

/** Something that is none of the three kinds of keys; the message says what it looks like. */
export class LeagueKeyError extends Error {}

export interface LeagueKey {
  /** A password costs a derivation of many iterations for each token. */
  isPassword: boolean;
  /** The keys of one token: HMAC-SHA256 over it, and AES-256-CTR. */
  derive: (salt: Uint8Array) => Promise<TokenKeyPair>;
}

interface TokenKeyPair {
  authentication: CryptoKey;
  encryption: CryptoKey;
}

/**
 * Reads LEAGUE_ENCRYPTION_KEY: a Defuse key (`def00000…`), a Laravel APP_KEY (`base64:…`, whose bytes are
 * the password), else a password.
 *
 * @throws LeagueKeyError
 */
export async function readLeagueKey(text: string): Promise<LeagueKey> {
  if (/^def\d{5}/i.test(text)) return readDefuseKey(text.trimEnd());
  if (text.startsWith(LARAVEL_PREFIX)) return passwordKey(laravelBytes(text));
  if (/^\s|\s$|\p{Cc}/u.test(text)) {
    throw new LeagueKeyError(
      "has white space at an end, or control characters: it has to be a password, a Defuse key (def00000…) or a Laravel APP_KEY (base64:…)",
    );
  }
  return passwordKey(encoder.encode(text));
}

async function readDefuseKey(text: string): Promise<LeagueKey> {
  if (!defuseKey.test(text)) {
    throw new LeagueKeyError(
      "begins like a Defuse key, and is none: those are def00000 and 128 hexadecimal digits",
    );
  }
  const bytes = decodeHex(text);
  const checksum = bytes.subarray(CHECKED_BYTES);
  const actual = await sha256(bytes.subarray(0, CHECKED_BYTES));
  if (!equalBytes(actual, checksum)) {
    throw new LeagueKeyError(
      "is a Defuse key whose checksum does not fit: a digit is wrong",
    );
  }
  const key = bytes.subarray(DEFUSE_KEY_HEADER.length / 2, CHECKED_BYTES);
  return { isPassword: false, derive: (salt) => keyPair(key, salt) };
}

function laravelBytes(text: string): Uint8Array {
  const bytes = decodeBase64(text.slice(LARAVEL_PREFIX.length));
  if (bytes && LARAVEL_KEY_BYTES.includes(bytes.length)) return bytes;
  throw new LeagueKeyError(
    `begins with ${LARAVEL_PREFIX} and is no Laravel APP_KEY: those go on with the base64 of 16 or 32 bytes`,
  );
}

async function passwordKey(password: Uint8Array): Promise<LeagueKey> {
  // The format hashes a password first, so that a long one does not cost more.
  const prehashed = await crypto.subtle.importKey(
    "raw",
    await sha256(password),
    "PBKDF2",
    false,
    ["deriveBits"],
  );
  const derive = async (salt: Uint8Array) => {
    const iterations = PBKDF2_ITERATIONS;
    const key = await crypto.subtle.deriveBits(
      { name: "PBKDF2", hash: "SHA-256", salt, iterations },
      prehashed,
      KEY_BITS,
    );
    return keyPair(new Uint8Array(key), salt);
  };
  return { isPassword: true, derive };
}

/** HKDF-SHA256 with the format's labels. */
async function keyPair(
  key: Uint8Array,
  salt: Uint8Array,
): Promise<TokenKeyPair> {
  const root = await crypto.subtle.importKey("raw", key, "HKDF", false, [
    "deriveKey",
  ]);
  const hkdf = (label: string) => ({
    name: "HKDF",
    hash: "SHA-256",
    salt,
    info: encoder.encode(`DefusePHP|V2|${label}`),
  });
  const hmac = { name: "HMAC", hash: "SHA-256", length: KEY_BITS };
  const ctr = { name: "AES-CTR", length: KEY_BITS };
  const [authentication, encryption] = await Promise.all([
    crypto.subtle.deriveKey(hkdf("KeyForAuthentication"), root, hmac, false, [
      "verify",
    ]),
    crypto.subtle.deriveKey(hkdf("KeyForEncryption"), root, ctr, false, [
      "decrypt",
    ]),
  ]);
  return { authentication, encryption };
}

async function sha256(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}
