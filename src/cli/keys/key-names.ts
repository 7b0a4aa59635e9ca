import { UsageError } from "../failure.ts";
import { printable } from "../output.ts";

/** The kinds of keys: one protects refresh tokens, codes and requests, the other signs access tokens. */
export const keyKinds = ["encryption", "private"] as const;

export type KeyKind = (typeof keyKinds)[number];

/** The secret of a kind that has no label. The others add `_<LABEL>` to it. */
export const baseNames = {
  encryption: "ENCRYPTION_KEY",
  private: "PRIVATE_KEY",
} as const satisfies Record<KeyKind, string>;

/** Decrypts PEMs, and is not a key. */
const PASSPHRASE = "PRIVATE_KEY_PASSPHRASE";

const labelPattern = /^[A-Z0-9][A-Z0-9_]{0,31}$/;
const namePattern = /^(ENCRYPTION|PRIVATE)_KEY(?:_([A-Z0-9][A-Z0-9_]{0,31}))?$/;

/** The kind of key that a secret has. Undefined: the secret is not a key. */
export function kindOf(secret: string): KeyKind | undefined {
  const [, kind] =
    secret === PASSPHRASE ? [] : (namePattern.exec(secret) ?? []);
  return keyKinds.find((known) => known.toUpperCase() === kind);
}

/** Returns the name of the secret with this label. @throws UsageError if it cannot be a label */
export function labelledName(kind: KeyKind, label: string): string {
  const name = `${baseNames[kind]}_${label}`;
  if (!labelPattern.test(label) || name === PASSPHRASE)
    throw new UsageError(
      `"${printable(label)}" cannot be the label of a key. A label has at most 32 capital letters, digits and underscores, such as 2026_11_26, and is not PASSPHRASE.`,
    );
  return name;
}

/** The label of a day in UTC: 2026_11_26. */
export function dateLabel(now: Date): string {
  return now.toISOString().slice(0, 10).replaceAll("-", "_");
}

/** Returns a name with the label of the day that no secret has yet: a second one of a day ends with `_2`. */
export function freeName(
  kind: KeyKind,
  now: Date,
  taken: readonly string[],
): string {
  const name = labelledName(kind, dateLabel(now));
  let free = name;
  for (let count = 2; taken.includes(free); count++) free = `${name}_${count}`;
  return free;
}
