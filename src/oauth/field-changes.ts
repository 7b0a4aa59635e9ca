import type { FieldChange } from "./events.ts";

/** The most characters of a value in an event. */
const MAX_CHARACTERS = 200;
/** The most values of a list in an event. */
const MAX_VALUES = 20;

/** The fields of a record, before or after a change. */
type Fields = Readonly<Record<string, unknown>>;

/**
 * Compares two records field by field, for an event. A list says what was added and removed. Of a value that is
 * neither a text, a number, a boolean nor a list of texts only the field is named, so that no hash in it shows. Long
 * values are cut.
 */
export function fieldChanges(before: Fields, after: Fields): FieldChange[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names]
    .filter((name) => !isSame(before[name], after[name]))
    .map((name) => changeOf(name, before[name], after[name]));
}

function changeOf(field: string, before: unknown, after: unknown): FieldChange {
  const [was = [], is = []] = [textsIn(before), textsIn(after)];
  if (textsIn(before ?? after) && textsIn(after ?? before)) {
    const added = cutList(is.filter((text) => !was.includes(text)));
    const removed = cutList(was.filter((text) => !is.includes(text)));
    return {
      field,
      ...(added.length > 0 && { added }),
      ...(removed.length > 0 && { removed }),
    };
  }
  const [from, to] = [simple(before), simple(after)];
  return {
    field,
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
  };
}

/** Compares by value. Two values are equal if their JSON is. */
function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function textsIn(value: unknown): string[] | undefined {
  const isTexts =
    Array.isArray(value) && value.every((item) => typeof item === "string");
  return isTexts ? value : undefined;
}

function simple(value: unknown): string | number | boolean | undefined {
  if (typeof value === "number" || typeof value === "boolean") return value;
  return typeof value === "string" ? cut(value) : undefined;
}

function cutList(texts: readonly string[]): string[] {
  const shown = texts.slice(0, MAX_VALUES).map(cut);
  const more = texts.length - shown.length;
  return more > 0 ? [...shown, `and ${more} more`] : shown;
}

function cut(text: string): string {
  return text.length > MAX_CHARACTERS
    ? `${text.slice(0, MAX_CHARACTERS)}…`
    : text;
}
