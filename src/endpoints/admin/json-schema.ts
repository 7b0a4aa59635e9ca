import * as v from "valibot";
import type { Schema } from "./api.ts";

/** A JSON Schema (draft 2020-12) of the admin API's document. */
export interface JsonSchema {
  type?: string | string[];
  description?: string;
  enum?: unknown[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  [keyword: string]: unknown;
}

/** The kinds of schemas that the admin API is made of. */
type KnownSchema =
  | v.StringSchema<undefined>
  | v.NumberSchema<undefined>
  | v.BooleanSchema<undefined>
  | v.UnknownSchema
  | v.LazySchema<Schema>
  | v.LiteralSchema<string | number | boolean, undefined>
  | v.PicklistSchema<string[], undefined>
  | v.ArraySchema<Schema, undefined>
  | v.RecordSchema<v.StringSchema<undefined>, Schema, undefined>
  | v.UnionSchema<Schema[], undefined>
  | v.IntersectSchema<Schema[], undefined>
  | v.OptionalSchema<Schema, unknown>
  | v.NullableSchema<Schema, undefined>
  | v.ObjectSchema<Record<string, Schema>, undefined>
  | v.StrictObjectSchema<Record<string, Schema>, undefined>;

/** The kinds of rules that the admin API's schemas have. */
type KnownAction =
  | v.DescriptionAction<unknown, string>
  | v.MetadataAction<unknown, Record<string, unknown>>
  | v.IntegerAction<number, undefined>
  | v.SafeIntegerAction<number, undefined>
  | v.MinValueAction<number, number, undefined>
  | v.MaxValueAction<number, number, undefined>
  | v.MinLengthAction<string, number, undefined>
  | v.MaxLengthAction<string, number, undefined>
  | v.RegexAction<string, undefined>
  | v.CheckAction<unknown, undefined>
  | v.RawCheckAction<unknown>
  | v.RawTransformAction<unknown, unknown>;

/** Makes JSON Schemas of what schemas of the admin API return. A schema that has a name becomes a reference to it. */
export class JsonSchemas {
  readonly #names: ReadonlyMap<Schema, string>;

  /** @param names the name of each schema that has one */
  constructor(names: ReadonlyMap<Schema, string>) {
    this.#names = names;
  }

  /** Returns the schemas that have a name, for the document's components. */
  components(): Record<string, JsonSchema> {
    return Object.fromEntries(
      [...this.#names].map(([schema, name]) => [name, this.#whole(schema)]),
    );
  }

  /** Returns a reference to a schema that has a name, or the schema itself. */
  of(schema: Schema): JsonSchema {
    const name = this.#names.get(schema);
    return name === undefined
      ? this.#whole(schema)
      : { $ref: `#/components/schemas/${name}` };
  }

  /** Returns the schema itself, also if it has a name. */
  #whole(schema: Schema): JsonSchema {
    const { pipe: parts = [] } = schema as Partial<
      v.SchemaWithPipe<[Schema, ...v.PipeItem<unknown, unknown, never>[]]>
    >;
    // What a schema in the middle of a pipe returns is all that the parts after it see.
    const last = parts.findLastIndex(({ kind }) => kind === "schema");
    const first = (parts[last] ?? schema) as Schema;
    const json = first === schema ? this.#plain(schema) : this.of(first);
    return Object.assign(
      json,
      ...parts.slice(last + 1).map((action) => keywordsOf(action, json)),
    ) as JsonSchema;
  }

  /** Returns the JSON Schema of a schema without a pipe, in the words that most generators of clients know. */
  #plain(schema: Schema): JsonSchema {
    const s = schema as KnownSchema;
    switch (s.type) {
      case "string":
      case "number":
      case "boolean":
        return { type: s.type };
      // Rules in code check it, and its metadata describes it.
      case "unknown":
        return {};
      case "lazy":
        return this.of(s.getter(undefined));
      case "literal":
        return { type: typeof s.literal, enum: [s.literal] };
      case "picklist":
        return { type: "string", enum: [...s.options] };
      case "array":
        return { type: "array", items: this.of(s.item) };
      case "record":
        return { type: "object", additionalProperties: this.of(s.value) };
      case "union":
        return { anyOf: s.options.map((option) => this.of(option)) };
      case "intersect":
        return { allOf: s.options.map((option) => this.of(option)) };
      case "optional": {
        const json = this.of(s.wrapped);
        const value = v.getDefault(s);
        return value === undefined ? json : { ...json, default: value };
      }
      case "nullable": {
        const { type, enum: values, ...rest } = this.#whole(s.wrapped);
        const nulls = values && { enum: [...values, null] };
        return { ...rest, type: [type as string, "null"], ...nulls };
      }
      case "object":
      case "strict_object":
        return this.#object(s.entries, s.type === "strict_object");
      default:
        throw new Error(`a schema of type ${schema.type} is not converted`);
    }
  }

  #object(entries: Record<string, Schema>, isClosed: boolean): JsonSchema {
    const required = Object.keys(entries).filter(
      (name) => entries[name]?.type !== "optional",
    );
    return {
      type: "object",
      properties: Object.fromEntries(
        Object.entries(entries).map(([name, schema]) => [
          name,
          this.of(schema),
        ]),
      ),
      ...(required.length > 0 && { required }),
      ...(isClosed && { additionalProperties: false }),
    };
  }
}

/** Returns the keywords of a rule, for a value of the given type. */
function keywordsOf(
  action: { type: string },
  { type }: JsonSchema,
): JsonSchema {
  const a = action as KnownAction;
  switch (a.type) {
    case "description":
      return { description: a.description };
    case "metadata":
      return a.metadata;
    case "integer":
      return { type: "integer" };
    case "safe_integer":
      return {
        type: "integer",
        minimum: Number.MIN_SAFE_INTEGER,
        maximum: Number.MAX_SAFE_INTEGER,
      };
    case "min_value":
      return { minimum: a.requirement };
    case "max_value":
      return { maximum: a.requirement };
    case "min_length":
      return { [type === "array" ? "minItems" : "minLength"]: a.requirement };
    case "max_length":
      return { [type === "array" ? "maxItems" : "maxLength"]: a.requirement };
    case "regex":
      return { pattern: a.requirement.source };
    // JSON Schema cannot express rules in code. The description of a field says what they check.
    case "check":
    case "raw_check":
    case "raw_transform":
      return {};
    default:
      throw new Error(`a rule of type ${action.type} is not converted`);
  }
}
