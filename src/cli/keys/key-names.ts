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

/** The names with the label of a day: the first one of the day has the label alone, later ones end with `_2`, `_3` … */
export function namesOfDay(
  kind: KeyKind,
  day: Date,
  names: readonly string[],
): string[] {
  const first = labelledName(kind, dateLabel(day));
  const later = new RegExp(`^${first}_\\d+$`);
  return names.filter((name) => name === first || later.test(name));
}

/**
 * Returns a name with the label of the day that no secret has had, as far as the names of now tell: a second one of a
 * day ends with `_2`. A name before the last one is not used again, because it may be that of a key that has leaked.
 */
export function freeName(
  kind: KeyKind,
  now: Date,
  taken: readonly string[],
): string {
  const name = labelledName(kind, dateLabel(now));
  const counts = namesOfDay(kind, now, taken).map((used) =>
    used === name ? 1 : Number(used.slice(name.length + 1)),
  );
  return counts.length === 0 ? name : `${name}_${Math.max(...counts) + 1}`;
}
