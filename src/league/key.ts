import { decodeBase64, decodeHex } from "../oauth/bytes.ts";
import { equalBytes } from "../oauth/constant-time.ts";
import { unwrapSecret } from "../oauth/secret-floor.ts";

/**
 * The key that a league server encrypts its tokens with: the forms in which its configuration has it, and the
 * keys of one token that defuse/php-encryption (version 2 of its format) derives from it.
 */

/** The ASCII-safe form of a Defuse key, in hexadecimal: header, 32 bytes, and the SHA-256 of both. */
const DEFUSE_KEY_HEADER = "def00000";
const defuseKey = new RegExp(`^${DEFUSE_KEY_HEADER}[0-9a-f]{128}$`, "i");
/** Header and key: the bytes that the checksum covers. */
const CHECKED_BYTES = 4 + 32;

/** The form of a Laravel APP_KEY. Laravel's ciphers have keys of 128 or 256 bits. */
const LARAVEL_PREFIX = "base64:";
const LARAVEL_KEY_BYTES = [16, 32];

/** The number that the format prescribes. Workers allow no more. */
const PBKDF2_ITERATIONS = 100_000;
const KEY_BITS = 256;

const encoder = new TextEncoder();

/** LEAGUE_ENCRYPTION_KEY cannot be used. The message says why, and quotes nothing of the key. */
export class LeagueKeyError extends Error {}

/** The old server's key, ready for use. */
export interface LeagueKey {
  /** With a password each token costs a key derivation of many iterations. */
  isPassword: boolean;
  /** Derives the keys of one token from its salt, 32 bytes. */
  derive: (salt: Uint8Array) => Promise<TokenKeyPair>;
}

interface TokenKeyPair {
  /** HMAC-SHA256. */
  authentication: CryptoKey;
  /** AES-256-CTR. */
  encryption: CryptoKey;
}

/**
 * Reads LEAGUE_ENCRYPTION_KEY: a Defuse key (`def00000…`), a Laravel APP_KEY (`base64:…`, whose bytes are
 * the password), else a password. A password is taken as it stands, because it may have quotation marks.
 *
 * @throws LeagueKeyError
 */
export async function readLeagueKey(text: string): Promise<LeagueKey> {
  const bare = unwrapSecret(text);
  if (/^def\d{5}/i.test(bare)) return readDefuseKey(bare);
  if (bare.startsWith(LARAVEL_PREFIX)) return passwordKey(laravelBytes(bare));
  if (/^\s|\s$|\p{Cc}/u.test(text)) {
    throw new LeagueKeyError(
      "has white space at its beginning or end, or control characters: it must be a password, a Defuse key (def00000…) or a Laravel APP_KEY (base64:…)",
    );
  }
  return passwordKey(encoder.encode(text));
}

async function readDefuseKey(text: string): Promise<LeagueKey> {
  if (!defuseKey.test(text)) {
    throw new LeagueKeyError(
      "begins like a Defuse key and is not one: it must be def00000 and 128 hexadecimal digits",
    );
  }
  const bytes = decodeHex(text);
  const checksum = bytes.subarray(CHECKED_BYTES);
  const actual = await sha256(bytes.subarray(0, CHECKED_BYTES));
  if (!equalBytes(actual, checksum)) {
    throw new LeagueKeyError(
      "is a Defuse key whose checksum is wrong: compare its digits with the old server's configuration",
    );
  }
  const key = bytes.subarray(DEFUSE_KEY_HEADER.length / 2, CHECKED_BYTES);
  return { isPassword: false, derive: (salt) => keyPair(key, salt) };
}

function laravelBytes(text: string): Uint8Array {
  const bytes = decodeBase64(text.slice(LARAVEL_PREFIX.length));
  if (bytes && LARAVEL_KEY_BYTES.includes(bytes.length)) return bytes;
  throw new LeagueKeyError(
    `begins with ${LARAVEL_PREFIX} and is not a Laravel APP_KEY: the base64 of 16 or 32 bytes must follow`,
  );
}

async function passwordKey(password: Uint8Array): Promise<LeagueKey> {
  // The format hashes a password first, so that a long one costs no more than a short one.
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

/** Derives the keys of one token: HKDF-SHA256 (RFC 5869) with the labels of the format. */
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
