import type { Seconds } from "../oauth/duration.ts";
import type { Problem } from "../oauth/errors.ts";
import {
  type ConfiguredKey,
  hasStarted,
  KeySchedule,
  newestFirst,
} from "../oauth/key-schedule.ts";
import { countProblem, type KeySecret } from "../oauth/key-secret.ts";
import type { JwkSet, SigningKey, VerificationKeys } from "../oauth/keys.ts";
import { KeyError } from "./key-text.ts";
import { readPrivateKey } from "./private-key.ts";
import {
  importPublicKey,
  importSigningKey,
  type NamedKey,
  nameKey,
  publicHalf,
} from "./signing-key.ts";

/** The keys of every PRIVATE_KEY, ready for use. */
export interface SigningKeys {
  /** Sign JWTs, each in its time: the first key of each secret. */
  signingKeys: KeySchedule<SigningKey>;
  /** The public halves of all keys (RFC 7517 section 5). */
  jwks: JwkSet;
  /** Verify the JWTs that this server has signed, by `kid`. */
  verificationKeys: VerificationKeys;
}

/** A key, and the secret that holds it. */
interface FoundKey extends NamedKey {
  secret: string;
  from?: Seconds;
  /** True: it is the first of its secret, so it may sign. */
  maySign: boolean;
}

/**
 * Reads secrets that each hold a PEM, a private JWK, or a JWK set. The first key of each may sign; the public halves of
 * all keys are published. Private halves are imported, and tried, of the key that signs now and of those that start
 * later.
 *
 * @param passphrase decrypts encrypted PEMs
 * @returns no keys if there is a problem
 */
export async function readSigningKeys(
  secrets: readonly KeySecret[],
  passphrase: string | undefined,
  now: Seconds,
): Promise<{ keys?: SigningKeys; problems: Problem[] }> {
  const problems: Problem[] = [];
  /** Does a step for one secret. The result is empty if the secret has a problem, which is collected. */
  const attempt = async <T>(name: string, step: Promise<T>): Promise<T[]> => {
    try {
      return [await step];
    } catch (error) {
      if (!(error instanceof KeyError)) throw error;
      // A message may have the command that puts the secret.
      const problem = error.message.replaceAll(
        "put PRIVATE_KEY",
        `put ${name}`,
      );
      problems.push({ name, problem });
      return [];
    }
  };

  const found = await Promise.all(
    secrets.map((secret) => attempt(secret.name, readKeys(secret, passphrase))),
  );
  const keys = newestFirst(found.flat(2));
  problems.push(...sharedKeys(keys));
  if (problems.length > 0) return { problems };

  // The newest that has started signs. Those that come before it start later.
  const signer = keys.findIndex((key) => key.maySign && hasStarted(key, now));
  const imported = await Promise.all(
    keys.map((key, position) => {
      const signs = key.maySign && position <= signer;
      return attempt(key.secret, importKeys(key, signs));
    }),
  );
  if (problems.length > 0) return { problems };

  const ready = imported.flat();
  return {
    keys: {
      signingKeys: new KeySchedule(ready.map(({ configured }) => configured)),
      jwks: { keys: ready.map(({ published }) => published.jwk) },
      verificationKeys: new Map(
        ready.map(({ published: { key, jwk } }) => [
          jwk.kid,
          { alg: jwk.alg, key },
        ]),
      ),
    },
    problems,
  };
}

/** Reads the keys of one secret. @throws KeyError */
async function readKeys(
  secret: KeySecret,
  passphrase: string | undefined,
): Promise<FoundKey[]> {
  const { name, value, from } = secret;
  const keys = await readPrivateKey(value, passphrase);
  if (keys.length === 0)
    throw new KeyError(
      "is a JWK set without a key, and must have at least one",
    );
  const problem = countProblem(secret, keys.length);
  if (problem !== undefined) throw new KeyError(problem);
  const named = await Promise.all(keys.map(nameKey));
  if (new Set(named.map(({ kid }) => kid)).size < named.length) {
    throw new KeyError("has two keys with the same kid");
  }
  return named.map((key, position) => ({
    ...key,
    secret: name,
    ...(from !== undefined && { from }),
    maySign: position === 0,
  }));
}

/** Finds the keys that stand in two secrets, and those with the `kid` of a key in another secret. */
function sharedKeys(keys: readonly FoundKey[]): Problem[] {
  const inOrder = keys.toSorted((one, other) =>
    one.secret < other.secret ? -1 : Number(one.secret > other.secret),
  );
  return inOrder.flatMap((key, position) => {
    const { secret: name, kid } = key;
    const before = inOrder
      .slice(0, position)
      .filter(({ secret }) => secret !== name);
    const half = JSON.stringify(publicHalf(key));
    const same = before.find(
      (other) => JSON.stringify(publicHalf(other)) === half,
    );
    if (same) return [{ name, problem: `has the same key as ${same.secret}` }];
    const named = before.find((other) => other.kid === kid);
    return named
      ? [{ name, problem: `has the same kid as a key in ${named.secret}` }]
      : [];
  });
}

/** Imports the public half of a key, and the private one if it signs. @throws KeyError */
async function importKeys(key: FoundKey, signs: boolean) {
  const { secret, kid, alg, from } = key;
  const published = await importPublicKey(key);
  const configured: ConfiguredKey<SigningKey> = {
    secret,
    kid,
    alg,
    ...(from !== undefined && { from }),
    ...(signs && { maker: await importSigningKey(key, published.key) }),
  };
  return { published, configured };
}
