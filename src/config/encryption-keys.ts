import { decodeBase64 } from "../oauth/bytes.ts";
import type { Problem } from "../oauth/errors.ts";
import { type ConfiguredKey, KeySchedule } from "../oauth/key-schedule.ts";
import { countProblem, type KeySecret } from "../oauth/key-secret.ts";
import type { TokenKey, TokenKeys } from "../oauth/keys.ts";
import { isOneRepeated, unwrapSecret } from "../oauth/secret-floor.ts";
import { deriveTokenKey } from "../oauth/tokens/token-keys.ts";
import { splitList } from "./lists.ts";

/** The size of ENCRYPTION_KEY: 256 bits, that of the SHA-256 in the HMAC and HKDF that use it. */
const KEY_BYTES = 32;

/** The keys of one secret. The first may make tokens. All are accepted. */
interface KeysOfSecret {
  secret: KeySecret;
  keys: Uint8Array[];
}

/** Reads the keys of the secrets. @returns every problem beside them. No text quotes a key */
export function readEncryptionKeys(secrets: readonly KeySecret[]): {
  read: KeysOfSecret[];
  problems: Problem[];
} {
  const problems: Problem[] = [];
  const read: KeysOfSecret[] = [];
  /** The secret of each key. The bytes are compared, because one key has several spellings. */
  const holders = new Map<string, string>();
  for (const secret of secrets) {
    const { name } = secret;
    const value = unwrapSecret(secret.value);
    const keys = keysIn(value).map(decodeBase64);
    const holder = keys
      .map((key) => holders.get(String(key)))
      .find((other) => other !== undefined);
    const problem =
      valueProblem(value, keys, secret) ??
      countProblem(secret, keys.length) ??
      (holder === undefined ? undefined : `has the same key as ${holder}`);
    if (problem !== undefined) problems.push({ name, problem });
    else read.push({ secret, keys: keys as Uint8Array[] });
    for (const key of keys) holders.set(String(key), name);
  }
  return { read, problems };
}

/** Derives the keys for tokens. */
export async function deriveTokenKeys(read: readonly KeysOfSecret[]): Promise<{
  tokenKeys: TokenKeys;
  tokenKeySchedule: KeySchedule<TokenKey>;
}> {
  const derived = await Promise.all(
    read.flatMap(({ secret, keys }) =>
      keys.map(async (bytes, position) => {
        const key = await deriveTokenKey(bytes);
        return { secret, key, isFirst: position === 0 };
      }),
    ),
  );
  const configured = derived.map(
    ({ secret: { name, from }, key, isFirst }): ConfiguredKey<TokenKey> => ({
      secret: name,
      kid: key.kid,
      ...(from !== undefined && { from }),
      ...(isFirst && { maker: key }),
    }),
  );
  return {
    tokenKeys: derived.map(({ key }) => key),
    tokenKeySchedule: new KeySchedule(configured),
  };
}

/** Returns the keys of a value. A line break may be a backslash and a letter, which are not base64. */
function keysIn(value: string): string[] {
  const lines = value.replaceAll(/\\{1,4}[nr]/g, "\n");
  return splitList(unwrapSecret(lines)).map(unwrapSecret);
}

function valueProblem(
  value: string,
  keys: readonly (Uint8Array | undefined)[],
  { holdsOne }: KeySecret,
): string | undefined {
  const [, name] = /^(?:export\s+)?(ENCRYPTION_KEY\w*)\s*=/.exec(value) ?? [];
  if (name !== undefined)
    return `begins with ${name}=, and must be the value alone`;
  if (keys.some((key) => key?.length !== KEY_BYTES)) {
    const one =
      "must be the base64 of 32 random bytes (openssl rand -base64 32)";
    return holdsOne
      ? one
      : `${one}, or several of them with commas between them`;
  }
  if (new Set(keys.map(String)).size < keys.length)
    return "has the same key twice";
  return keys.some((key) => isOneRepeated(key!))
    ? "has a key of one repeated byte, which anybody can guess: make one with openssl rand -base64 32"
    : undefined;
}
