import { decodeBase64 } from "../oauth/bytes.ts";
import {
  isOneRepeated,
  unwrapSecret,
  weakSecretProblem,
} from "../oauth/secret-floor.ts";
import { splitList } from "./lists.ts";

/** The rules for ENCRYPTION_KEY and ADMIN_TOKEN. Each returns what is wrong, or undefined. No text quotes the secret. */

/** The size of ENCRYPTION_KEY: 256 bits, that of the SHA-256 in the HMAC and HKDF that use it. */
const ENCRYPTION_KEY_BYTES = 32;

/** Returns the keys of ENCRYPTION_KEY. A line break may be a backslash and a letter, which are not base64. */
export function encryptionKeys(list: string): string[] {
  const lines = list.replaceAll(/\\{1,4}[nr]/g, "\n");
  return splitList(unwrapSecret(lines)).map(unwrapSecret);
}

export function encryptionKeyProblem(list: string): string | undefined {
  if (/^(?:export\s+)?ENCRYPTION_KEY\s*=/.test(list))
    return "begins with ENCRYPTION_KEY=, and must be the value alone";
  const decoded = encryptionKeys(list).map(decodeBase64);
  if (decoded.some((key) => key?.length !== ENCRYPTION_KEY_BYTES)) {
    return "must be the base64 of 32 random bytes (openssl rand -base64 32), or several of them with commas between them";
  }
  // The bytes are compared, because one key has several spellings.
  if (new Set(decoded.map(String)).size < decoded.length)
    return "has the same key twice";
  return decoded.some((key) => isOneRepeated(key!))
    ? "has a key of one repeated byte, which anybody can guess: make one with openssl rand -base64 32"
    : undefined;
}

/**
 * Checks ADMIN_TOKEN. What a shell or a secret store has damaged is refused, because it would be another token
 * than the operator has.
 */
export function adminTokenProblem(token: string): string | undefined {
  const [, name] =
    /^(?:export\s+)?((?:BATON_)?ADMIN_TOKEN)\s*=/.exec(token) ?? [];
  if (name !== undefined)
    return `begins with ${name}=, and must be the value alone`;
  if (/\\[nr]$/.test(token))
    return "ends with a backslash and a letter, which was a line break before something escaped it: remove both";
  if (/^\\?["'`]|["'`]$/.test(token))
    return "begins or ends with a quotation mark: set the value without it";
  const weakness = weakSecretProblem(token);
  if (weakness !== undefined) return weakness;
  return /[^\x21-\x7e]/.test(token)
    ? "must be printable ASCII without spaces"
    : undefined;
}
