import { unwrapSecret } from "../oauth/secret-floor.ts";
import type { Seconds } from "../oauth/duration.ts";
import type { Problem } from "../oauth/errors.ts";
import { hasStarted, newestFirst } from "../oauth/key-schedule.ts";
import {
  formatTime,
  type KeyKind,
  type KeySecret,
  startProblem,
  takeStart,
} from "../oauth/key-secret.ts";

/** A secret of a kind that holds no key. */
const noKey: Record<KeyKind, string | undefined> = {
  PRIVATE_KEY: "PRIVATE_KEY_PASSPHRASE",
  ENCRYPTION_KEY: undefined,
};

const label = /^_[A-Z0-9][A-Z0-9_]{0,31}$/;

/** The secrets of one kind, and what is wrong with them beside the keys themselves. */
export interface FoundSecrets {
  /** In the order of their names: the one without a label is the first. */
  secrets: KeySecret[];
  problems: Problem[];
}

/**
 * Finds the secrets that hold keys of one kind: that without a label, such as PRIVATE_KEY, and those with one, such as
 * PRIVATE_KEY_2026_11. An empty one counts as not set.
 */
export function findKeySecrets(
  env: object,
  kind: KeyKind,
  now: Seconds,
): FoundSecrets {
  const found: FoundSecrets = { secrets: [], problems: [] };
  for (const name of Object.keys(env).toSorted()) {
    if (!name.toUpperCase().startsWith(kind) || name === noKey[kind]) continue;
    const value: unknown = Reflect.get(env, name);
    if (value === undefined || isEmpty(value)) continue;
    const read = readSecret(name, kind, value, now);
    if ("problem" in read) found.problems.push(read);
    else found.secrets.push(read);
  }
  // While a secret is malformed it is not certain that no key has started.
  if (found.problems.length === 0)
    found.problems.push(...notStarted(found.secrets, kind, now));
  return found;
}

function isEmpty(value: unknown): boolean {
  return typeof value === "string" && unwrapSecret(value) === "";
}

function readSecret(
  name: string,
  kind: KeyKind,
  value: unknown,
  now: Seconds,
): KeySecret | Problem {
  const hasLabel = name !== kind;
  if (
    hasLabel &&
    !(name.startsWith(kind) && label.test(name.slice(kind.length)))
  )
    return {
      name,
      problem: `is not a name for a key: it must be ${kind}, or ${kind}_ and a label of at most 32 capital letters, digits and _, the first of which is not _`,
    };
  if (typeof value !== "string") return { name, problem: "must be a string" };
  const taken = takeStart(value);
  if ("problem" in taken) return { name, ...taken };
  const { from } = taken;
  const problem = from === undefined ? undefined : startProblem(from, now);
  if (problem !== undefined) return { name, problem };
  return { name, ...taken, holdsOne: hasLabel || from !== undefined };
}

/** Returns the problem of a kind of which no key has started. */
function notStarted(
  secrets: readonly KeySecret[],
  kind: KeyKind,
  now: Seconds,
): Problem[] {
  if (secrets.some((secret) => hasStarted(secret, now))) return [];
  const first = newestFirst(secrets).at(-1);
  if (first?.from === undefined) return [{ name: kind, problem: "is not set" }];
  const makes = kind === "PRIVATE_KEY" ? "signs" : "makes tokens";
  return [
    {
      name: first.name,
      problem: `starts at ${formatTime(first.from)}, and before that no key ${makes}: at least one ${kind} must have started`,
    },
  ];
}
