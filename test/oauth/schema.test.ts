import * as v from "valibot";
import { describe, expect, it } from "vitest";
import {
  maxCharacters,
  parse,
  pathTo,
  record,
  rule,
  strictObject,
} from "../../src/oauth/schema.ts";

/** Tests the rules for schemas. The messages stand in the `fields` of the admin API's refusals. */

function problems(schema: v.GenericSchema, value: unknown) {
  return (parse(schema, value).issues ?? []).map(
    ({ path, message }) => `${path.join(".")}: ${message}`,
  );
}

const secret = "swordfish";

describe("parse", () => {
  it("returns the value in the form of its schema", () => {
    const schema = v.object({ a: v.optional(v.string(), "b") });
    expect(parse(schema, { more: 1 })).toEqual({ data: { a: "b" } });
  });

  it("leaves out an optional field that the value does not have", () => {
    const { data } = parse(strictObject({ a: v.optional(v.string()) }), {});
    expect(Object.keys(data ?? { none: 1 })).toEqual([]);
  });

  it("names every wrong field by its path", () => {
    const schema = v.object({
      list: v.array(v.object({ a: v.string() })),
      b: v.number(),
    });
    expect(problems(schema, { list: [{ a: "x" }, { a: 1 }] })).toEqual([
      "list.1.a: must be a string",
      "b: is missing",
    ]);
  });

  it.each([
    ["must be a string", v.string()],
    ["must be a number", v.number()],
    ["must be true or false", v.boolean()],
    ["must be an array", v.array(v.string())],
    ["must be an object", v.object({})],
    ["must be an object", strictObject({})],
    ["must be now", v.literal("now")],
    ["must be one of none, other", v.picklist(["none", "other"])],
    ["must have at least 20 characters", v.pipe(v.string(), v.minLength(20))],
    ["must have at most 1 character", v.pipe(v.string(), v.maxLength(1))],
    ["has a form that is not allowed", v.pipe(v.string(), v.regex(/^\d$/))],
    ["has a form that is not allowed", v.union([v.number(), v.boolean()])],
    [
      "is weak",
      v.pipe(
        v.string(),
        rule(() => "is weak"),
      ),
    ],
  ])("says that a value %s, and does not quote it", (message, schema) => {
    const wrong = schema.type === "string" && !("pipe" in schema) ? 1 : secret;
    expect(parse(schema, wrong)).toEqual({ issues: [{ path: [], message }] });
    expect(parse(schema, undefined)).toEqual({
      issues: [{ path: [], message: "is missing" }],
    });
  });

  it.each([
    ["must be a whole number", 1.5],
    ["must be at least 0", -1],
    ["must be at most 9", 10],
    ["must be a number", NaN],
  ])("says that a number %s", (message, value) => {
    const schema = v.pipe(
      v.number(),
      v.safeInteger(),
      v.minValue(0),
      v.maxValue(9),
    );
    expect(parse(schema, value)).toEqual({ issues: [{ path: [], message }] });
  });

  it("says how many values an array may have", () => {
    const schema = v.pipe(v.array(v.string()), v.maxLength(1));
    expect(problems(schema, [secret, secret])).toEqual([
      ": must have at most 1 value",
    ]);
  });

  it.each([
    ["object", v.object({ a: v.optional(v.string()) })],
    ["strictObject", strictObject({ a: v.optional(v.string()) })],
    ["record", record(v.string(), v.string())],
  ])("does not take an array for an object (%s)", (_, schema) => {
    expect(problems(schema, [])).toEqual([": must be an object"]);
  });
});

describe("strictObject", () => {
  const schema = strictObject({ a: v.optional(v.string()) });

  it("names every unknown field, and wrong fields as well", () => {
    const value = JSON.parse('{"a": 1, "b": 2, "__proto__": 3, "toString": 4}');
    expect(problems(schema, value)).toEqual([
      "a: must be a string",
      "b: is not a field of this request",
      "__proto__: is not a field of this request",
      "toString: is not a field of this request",
    ]);
  });

  it("names the unknown fields of an object inside of it", () => {
    const outer = strictObject({ list: v.array(schema) });
    expect(problems(outer, { list: [{ b: 1, c: 2 }], d: 3 })).toEqual([
      "list.0.b: is not a field of this request",
      "list.0.c: is not a field of this request",
      "d: is not a field of this request",
    ]);
  });

  it("transforms only a value without a problem", () => {
    const checked = v.pipe(
      schema,
      v.rawTransform(({ addIssue, NEVER }) => {
        addIssue({ message: "is wrong", path: pathTo("a") });
        return NEVER;
      }),
    );
    expect(problems(checked, {})).toEqual(["a: is wrong"]);
    expect(problems(checked, { b: 1 })).toEqual([
      "b: is not a field of this request",
    ]);
  });
});

describe("record", () => {
  const schema = record(
    v.pipe(v.string(), v.maxLength(20)),
    v.object({ text: v.string() }),
  );

  it("keeps a field of any name but __proto__", () => {
    const text = '{"constructor": {"text": "a"}, "__proto__": {"text": "b"}}';
    const { data } = parse(schema, JSON.parse(text));
    expect(Object.entries(data ?? {})).toEqual([
      ["constructor", { text: "a" }],
    ]);
    expect(Object.getPrototypeOf(data)).toBe(Object.prototype);
  });

  it("names wrong names and wrong values", () => {
    expect(
      problems(schema, { read: { text: 1 }, ["x".repeat(21)]: { text: "a" } }),
    ).toEqual([
      "read.text: must be a string",
      `${"x".repeat(21)}: must have at most 20 characters`,
    ]);
  });
});

describe("maxCharacters", () => {
  const schema = v.pipe(v.string(), maxCharacters(3));

  it("counts characters and not UTF-16 units, as JSON Schema does", () => {
    expect(parse(schema, "\u{1f600}".repeat(3))).toHaveProperty("data");
    expect(problems(schema, "\u{1f600}".repeat(4))).toEqual([
      ": must have at most 3 characters",
    ]);
  });

  it("says nothing about the length of what is not a string", () => {
    expect(problems(schema, [1, 2, 3, 4])).toEqual([": must be a string"]);
  });
});
