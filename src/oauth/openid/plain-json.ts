/** The most characters of a name in an object. */
export const MAX_NAME_CHARACTERS = 100;

/** The deepest nesting of objects and arrays. */
export const MAX_DEPTH = 5;

/** Bounds of a value, which are used up while it is checked. */
export interface Bounds {
  /** The objects and arrays that may still be inside one another. */
  depth: number;
  /** The values that may still follow, so that a value that has one inside itself many times costs little. */
  values: { left: number };
}

/** Tells whether a value is an object as JSON has one. By RPC come a Map, a Date and functions, too. */
export function isPlainObject(
  value: unknown,
): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/** Says why a value does not survive JSON, or is too large or too deep. Undefined: nothing is wrong with it. */
export function plainJsonProblem(
  value: unknown,
  { depth, values }: Bounds,
): string | undefined {
  values.left -= 1;
  if (values.left < 0) return "has too many values";
  if (value === null || typeof value === "boolean") return undefined;
  if (typeof value === "string") return textProblem(value);
  if (typeof value === "number") return numberProblem(value);
  if (typeof value !== "object") return "must be plain JSON";
  if (depth === 0)
    return `must not have more than ${MAX_DEPTH} objects and arrays inside one another`;
  const inside = { depth: depth - 1, values };
  if (Array.isArray(value)) {
    // Holes and named properties do not survive JSON.
    if (Object.keys(value).length !== value.length) return "must be plain JSON";
    return firstProblem(value, (item) => plainJsonProblem(item, inside));
  }
  if (!isPlainObject(value)) return "must be plain JSON";
  return firstProblem(
    Object.entries(value),
    ([name, item]) =>
      nameProblem(name) ??
      (item === undefined ? undefined : plainJsonProblem(item, inside)),
  );
}

/** Says what is wrong with a name in an object. The name may be anything, so it is not repeated. */
export function nameProblem(name: string): string | undefined {
  // An assignment to this name sets the prototype of an object in programs that copy it.
  if (name === "__proto__") return "must not have the name __proto__";
  if (Array.from(name).length > MAX_NAME_CHARACTERS)
    return `must not have a name of more than ${MAX_NAME_CHARACTERS} characters`;
  return name !== "" && name.isWellFormed() && !unseen.test(name)
    ? undefined
    : "must not have a name that is empty, or has control characters, invisible characters or lone surrogates";
}

/**
 * Control characters, and characters that show nothing: some readers drop them, so that another name is left. It is made
 * from a text, because the engine reads the classes of Unicode for every literal when an isolate starts.
 */
const unseen = new RegExp(
  String.raw`[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}]`,
  "u",
);

/** An address has line breaks (OpenID Connect Core section 5.1.1). */
const controlCharacter = /[^\P{Cc}\t\n\r]/u;

function textProblem(text: string): string | undefined {
  return text.isWellFormed() && !controlCharacter.test(text)
    ? undefined
    : "must not have control characters (other than tabs and line breaks) or lone surrogates";
}

/** RFC 7493 section 2.2: readers of JSON round larger whole numbers, each in its own way. */
function numberProblem(number: number): string | undefined {
  const isKept = Number.isInteger(number)
    ? Number.isSafeInteger(number)
    : Number.isFinite(number);
  return isKept
    ? undefined
    : `must not have numbers beyond ${Number.MAX_SAFE_INTEGER}, because readers of JSON round them: send a string`;
}

function firstProblem<T>(
  items: readonly T[],
  problemOf: (item: T) => string | undefined,
): string | undefined {
  for (const item of items) {
    const problem = problemOf(item);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
