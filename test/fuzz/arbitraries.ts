import * as fc from "fast-check";

/** The generators that the fuzz tests share. */

/** Strings that often break parsers, and arbitrary strings. */
export const hostile = fc.oneof(
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.string({ unit: "grapheme", maxLength: 60 }),
  fc.constantFrom(
    "",
    " ",
    "\0",
    "%",
    "%zz",
    "%00",
    "+",
    "&",
    "=",
    "null",
    "undefined",
    "__proto__",
  ),
  fc.constantFrom(
    "refresh_token",
    "password",
    "read",
    "read  read",
    "constructor",
    "../../x",
  ),
  fc.integer({ min: 1, max: 3000 }).map((length) => "x".repeat(length)),
);

/** A change of a valid request: a parameter is replaced, added, repeated or removed. */
export function changeOf(names: fc.Arbitrary<string>) {
  const kinds = fc.constantFrom("set", "add", "double", "drop");
  return fc.record({ kind: kinds, name: names, value: hostile });
}

export function apply(
  form: URLSearchParams,
  { kind, name, value }: { kind: string; name: string; value: string },
) {
  if (kind === "set") form.set(name, value);
  else if (kind === "add") form.append(name, value);
  else if (kind === "double") form.append(name, form.get(name) ?? "x");
  else form.delete(name);
}
