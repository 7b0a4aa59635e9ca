import type {
  ConversionConfig,
  JsonSchema,
  OverrideSchemaContext,
} from "@valibot/to-json-schema";
import * as v from "valibot";
import {
  components,
  type Described,
  type Operation,
  PREFIX,
  refusals,
  type Schema,
} from "./api.ts";
import type { RequestSchemas } from "./request.ts";

/** Finds the JSON Schema of a schema. */
type JsonSchemaOf = (schema: Schema) => JsonSchema;

/**
 * Describes operations in OpenAPI 3.1, without the member `servers`. The converter of schemas is loaded here,
 * because no other request needs it.
 */
export async function describe(operations: readonly Operation[]) {
  const { toJsonSchema } = await import("@valibot/to-json-schema");
  const schemas = [...new Set(operations.flatMap(schemasOf))];
  // Converted as the fields of one object, so that the components are converted once.
  const all = v.object(Object.fromEntries(schemas.entries()));
  const { properties, $defs } = toJsonSchema(all, conversion);
  const jsonSchemaOf: JsonSchemaOf = (schema) =>
    properties?.[schemas.indexOf(schema)] as JsonSchema;
  const paths: Record<string, Record<string, object>> = {};
  for (const operation of operations) {
    const path = (paths[PREFIX + operation.path] ??= {});
    path[operation.method] = operationJson(operation, jsonSchemaOf);
  }
  return {
    openapi: "3.1.0",
    info: { title: "Baton admin API", version: "1" },
    components: {
      securitySchemes: {
        adminToken: {
          type: "http",
          scheme: "bearer",
          description: "The value of the secret ADMIN_TOKEN.",
        },
      },
      schemas: $defs,
    },
    paths,
  };
}

function schemasOf({ request = {}, responses }: Operation): Schema[] {
  const { params, query, body } = request;
  const described = [...Object.values({ ...refusals, ...responses }), body];
  return [params, query, ...described.map((part) => part?.schema)].filter(
    (schema) => schema !== undefined,
  );
}

function operationJson(
  { summary, request = {}, responses }: Operation,
  jsonSchemaOf: JsonSchemaOf,
) {
  const parameters = parametersJson(request, jsonSchemaOf);
  const { body } = request;
  return {
    security: [{ adminToken: [] }],
    summary,
    ...(parameters.length > 0 && { parameters }),
    ...(body && {
      requestBody: {
        ...(body.required && { required: true }),
        ...describedJson(body, jsonSchemaOf),
      },
    }),
    responses: Object.fromEntries(
      Object.entries({ ...refusals, ...responses }).map(
        ([status, response]) => [status, describedJson(response, jsonSchemaOf)],
      ),
    ),
  };
}

function parametersJson(
  { params, query }: RequestSchemas,
  jsonSchemaOf: JsonSchemaOf,
) {
  const places = [
    { place: "path", schema: params },
    { place: "query", schema: query },
  ];
  return places.flatMap(({ place, schema }) => {
    const { properties = {}, required = [] } = schema
      ? jsonSchemaOf(schema)
      : {};
    return Object.entries(properties as Record<string, JsonSchema>).map(
      ([name, parameter]) => ({
        name,
        in: place,
        required: required.includes(name),
        ...(parameter.description !== undefined && {
          description: parameter.description,
        }),
        schema: parameter,
      }),
    );
  });
}

function describedJson(
  { description, schema }: Described,
  jsonSchemaOf: JsonSchemaOf,
) {
  if (!schema) return { description };
  const content = { "application/json": { schema: jsonSchemaOf(schema) } };
  return { description, content };
}

const conversion: ConversionConfig = {
  target: "draft-2020-12",
  typeMode: "output",
  definitions: components,
  overrideRef: ({ referenceId }) => `#/components/schemas/${referenceId}`,
  // JSON Schema cannot express rules in code. The description of a field says what they check.
  ignoreActions: ["check", "raw_check", "raw_transform"],
  overrideSchema: inCommonWords,
};

/** Writes some schemas in other words, because more generators of clients know these. They mean the same. */
function inCommonWords({
  valibotSchema: { type },
  jsonSchema,
}: OverrideSchemaContext): JsonSchema | undefined {
  const { anyOf, required, propertyNames: _, ...rest } = jsonSchema;
  switch (type) {
    case "nullable": {
      const [inner = {}] = (anyOf ?? []) as JsonSchema[];
      return {
        ...inner,
        type: [inner.type as "string", "null"],
        ...(inner.enum && { enum: [...inner.enum, null] }),
      };
    }
    case "literal":
      return { type: typeof rest.const as "string", enum: [rest.const!] };
    case "object":
    case "strict_object":
      return { ...rest, ...(required?.length && { required }) };
    case "record":
      return rest;
    default:
      return undefined;
  }
}
