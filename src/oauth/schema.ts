import * as v from "valibot";

/**
 * The house's rules for schemas, which are made with valibot. Every value is parsed with `parse` of this file,
 * because valibot's own messages quote the received value, which may be a secret.
 */

/** A problem of a value: the path of the field, and a message that follows the field's name. */
export interface Issue {
  path: readonly PropertyKey[];
  message: string;
}

/** The most problems of one value that are told, so that an answer is not many times longer than its request. */
const MAX_ISSUES = 100;

/** The result of `parse`: the value in the form of its schema, or its problems. */
export type Parsed<T> =
  { data: T; issues?: undefined } | { data?: undefined; issues: Issue[] };

/** Parses a value. No message quotes it. */
export function parse<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
): Parsed<v.InferOutput<S>> {
  // valibot takes an array for an object, and an empty one has no field that could be wrong.
  if (Array.isArray(value) && /^(strict_)?object$/.test(schema.type))
    return { issues: [{ path: [], message: NOT_AN_OBJECT }] };
  const { success, output, issues } = v.safeParse(schema, value, {
    message: messageOf,
  });
  if (success) return { data: output };
  return {
    issues: issues.slice(0, MAX_ISSUES).map(({ path, message }) => ({
      path: path?.map(({ key }) => key as PropertyKey) ?? [],
      message,
    })),
  };
}

/** Makes the schema of an object that refuses unknown fields. Each of them gets an issue of its own. */
export function strictObject<const E extends v.ObjectEntries>(entries: E) {
  return v.pipe(
    v.strictObject(entries),
    // valibot stops at the first unknown field.
    v.rawCheck(({ dataset, addIssue }) => {
      const first = dataset.issues?.find(
        (issue) => issue.path?.length === 1 && isUnknownField(issue),
      );
      const { input, key } = first?.path?.[0] ?? {};
      for (const name of Object.keys(input ?? {}))
        if (name !== key && !Object.hasOwn(entries, name))
          addIssue({ message: UNKNOWN_FIELD, path: pathTo(name) });
    }),
  );
}

/**
 * Makes the schema of an object whose fields have any name, such as that of a scope. valibot's own loses the
 * names `constructor` and `prototype`. A field `__proto__` is dropped.
 */
export function record<T>(
  nameSchema: v.GenericSchema<unknown, string>,
  valueSchema: v.GenericSchema<unknown, T>,
) {
  return v.pipe(
    v.custom<Record<string, unknown>>(
      (value) =>
        typeof value === "object" && value !== null && !Array.isArray(value),
      NOT_AN_OBJECT,
    ),
    v.rawTransform(({ dataset, addIssue }) => {
      const values: Record<string, T> = {};
      for (const [name, input] of Object.entries(dataset.value)) {
        // An assignment to this name sets the prototype of the object.
        if (name === "__proto__") continue;
        const value = parse(valueSchema, input);
        const { issues: nameIssues = [] } = parse(nameSchema, name);
        for (const { path, message } of [
          ...nameIssues,
          ...(value.issues ?? []),
        ])
          addIssue({ message, path: pathTo(name, ...path) });
        if (!value.issues) values[name] = value.data;
      }
      return values;
    }),
  );
}

/**
 * Bounds the length of a string in characters (code points), as `maxLength` of JSON Schema does. valibot's own
 * counts an emoji twice, and would find records malformed that were written by this bound.
 */
export function maxCharacters(max: number): v.GenericValidation<string> {
  const action = v.maxLength<string, number>(max);
  return {
    ...action,
    "~run": (dataset, config) =>
      dataset.typed && Array.from(dataset.value).length <= max
        ? dataset
        : action["~run"](dataset, config),
  };
}

/** Makes a rule of a schema's pipe. `problemOf` returns the message for a value that breaks it. */
export function rule<T>(problemOf: (value: T) => string | undefined) {
  return v.rawCheck<T>(({ dataset, addIssue }) => {
    const message = dataset.typed ? problemOf(dataset.value) : undefined;
    if (message !== undefined) addIssue({ message });
  });
}

/** Makes the path of an issue for the `addIssue` of valibot. `parse` reads nothing but the keys. */
export function pathTo(
  ...[first, ...rest]: [PropertyKey, ...PropertyKey[]]
): [v.IssuePathItem, ...v.IssuePathItem[]] {
  return [pathItem(first), ...rest.map(pathItem)];
}

function pathItem(key: PropertyKey): v.IssuePathItem {
  const value = undefined;
  return { type: "unknown", origin: "value", input: value, key, value };
}

const NOT_AN_OBJECT = "must be an object";
const UNKNOWN_FIELD = "is not a field of this request";

function isUnknownField({ type, expected }: v.BaseIssue<unknown>): boolean {
  return type === "strict_object" && expected === "never";
}

/** Makes the message of an issue whose schema has none of its own, from what was expected alone. */
function messageOf(issue: v.BaseIssue<unknown>): string {
  const { kind, type, input, requirement } = issue;
  if (isUnknownField(issue)) return UNKNOWN_FIELD;
  if (kind === "schema" && input === undefined) return "is missing";
  switch (type) {
    case "string":
      return "must be a string";
    case "number":
    case "finite":
      return "must be a number";
    case "integer":
    case "safe_integer":
      return "must be a whole number";
    case "boolean":
      return "must be true or false";
    case "array":
      return "must be an array";
    case "object":
    case "strict_object":
      return NOT_AN_OBJECT;
    case "literal":
    case "picklist":
      return `must be ${alternatives(issue.expected)}`;
    case "min_value":
      return `must be at least ${String(requirement)}`;
    case "max_value":
      return `must be at most ${String(requirement)}`;
    case "min_length":
      return `must have at least ${sizeOf(requirement, input)}`;
    case "max_length":
      return `must have at most ${sizeOf(requirement, input)}`;
    default:
      return "has a form that is not allowed";
  }
}

/** Makes text of the values of a schema, which valibot lists as `("one" | "other")`. */
function alternatives(expected: string | null): string {
  const values = String(expected).replaceAll(/[()"]/g, "").split(" | ");
  return values.length > 1 ? `one of ${values.join(", ")}` : values.join();
}

function sizeOf(requirement: unknown, input: unknown): string {
  const unit = Array.isArray(input) ? "value" : "character";
  return `${String(requirement)} ${unit}${requirement === 1 ? "" : "s"}`;
}
