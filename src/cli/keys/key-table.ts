import { table } from "../output.ts";
import type { KeyKind } from "./key-names.ts";
import type { ServerKey } from "./server-key.ts";
import { minuteText, startText } from "./times.ts";

/** Enough of a `kid` to recognise it. --json has the whole. */
const SHOWN_KID = 8;

/** A table of keys that fits 80 columns with the labels that `rotate` chooses. Times are in UTC. */
export function keyTable(keys: readonly ServerKey[]): string {
  return table(
    ["secret", "alg", "kid", "state", "when (UTC)"],
    keys.map((key) => [
      key.secret,
      key.alg ?? "",
      key.kid.length > SHOWN_KID + 1
        ? `${key.kid.slice(0, SHOWN_KID)}…`
        : key.kid,
      key.state,
      when(key),
    ]),
  );
}

function when({ state, from, needed_until }: ServerKey): string {
  if (state === "accepted")
    return needed_until === undefined
      ? ""
      : `until ${minuteText(needed_until)}`;
  if (from === undefined) return "";
  return state === "pending"
    ? `from ${startText(from)}`
    : `since ${minuteText(from, true)}`;
}

/**
 * Explains the states that occur, and says which keys are not needed any more.
 *
 * @param commandLine writes a command of `baton keys` that is to be run next
 */
export function keyNotes(
  keys: readonly ServerKey[],
  now: number,
  commandLine: (command: string) => string,
): string[] {
  const notes = [
    "making: makes tokens. pending: will make tokens from that time. accepted: makes",
    "none; what it has made is good, and some of it may be in use until that time.",
  ];
  const secrets = [...new Set(keys.map(({ secret }) => secret))];
  for (const secret of secrets)
    if (isDue(keysOf(keys, secret), now))
      notes.push(
        `${secret} is not needed any more: ${commandLine(`retire ${secret}`)}`,
      );
  return notes;
}

/** The keys that one secret has. */
export function keysOf(
  keys: readonly ServerKey[],
  secret: string,
): ServerKey[] {
  return keys.filter((key) => key.secret === secret);
}

/** Tells whether every token of these keys has expired. */
export function isDue(keys: readonly ServerKey[], now: number): boolean {
  const until = neededUntil(keys);
  return (
    keys.every(({ state }) => state === "accepted") &&
    until !== undefined &&
    until <= now
  );
}

/**
 * The latest time until which a token of these keys may live. Undefined: unknown. Of the keys of one secret, the
 * first has made the newest tokens, so a later one whose time is unknown is older.
 */
export function neededUntil(keys: readonly ServerKey[]): number | undefined {
  const known = keys.flatMap(({ needed_until: until }) => until ?? []);
  return known.length === 0 ? undefined : Math.max(...known);
}

/** Lists the secrets of a kind in a sentence: "ENCRYPTION_KEY, ENCRYPTION_KEY_2026_11_26". */
export function secretsOf(keys: readonly ServerKey[], kind: KeyKind): string {
  const ofKind = keys.filter((key) => key.kind === kind);
  return [...new Set(ofKind.map(({ secret }) => secret))].join(", ");
}

/** Names a kind of key in a sentence. */
export function kindText(kind: KeyKind): string {
  return kind === "encryption" ? "encryption key" : "private key";
}

/** The same with its article. */
export function aKindText(kind: KeyKind): string {
  return kind === "encryption" ? "an encryption key" : "a private key";
}
