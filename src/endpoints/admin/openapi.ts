import {
  components,
  type Described,
  type Operation,
  PREFIX,
  refusals,
  roleOf,
} from "./api.ts";
import { type JsonSchema, JsonSchemas } from "./json-schema.ts";
import type { RequestSchemas } from "./request.ts";

/** Describes operations in OpenAPI 3.1, without the member `servers`. */
export function describe(operations: readonly Operation[]) {
  const schemas = new JsonSchemas(components);
  const paths: Record<string, Record<string, object>> = {};
  for (const operation of operations) {
    const path = (paths[PREFIX + operation.path] ??= {});
    path[operation.method] = operationJson(operation, schemas);
  }
  return {
    openapi: "3.1.0",
    info: { title: "Baton admin API", version: "1" },
    components: {
      securitySchemes: {
        adminToken: {
          type: "http",
          scheme: "bearer",
          description:
            "A named admin token of `POST /admin/tokens`, or the value of the secret ADMIN_TOKEN, which has the role admin. Where Cloudflare Access is configured, its JWT in the header Cf-Access-Jwt-Assertion may stand instead.",
        },
      },
      schemas: schemas.components(),
    },
    paths,
  };
}

function operationJson(operation: Operation, schemas: JsonSchemas) {
  const { summary, request = {}, responses } = operation;
  const parameters = [
    ...parametersJson(request, schemas),
    ...(operation.conditional ? [ifMatch] : []),
  ];
  const { body } = request;
  return {
    security: [{ adminToken: [] }],
    "x-role": roleOf(operation),
    summary,
    ...(parameters.length > 0 && { parameters }),
    ...(body && {
      requestBody: {
        ...(body.required && { required: true }),
        ...describedJson(body, schemas),
      },
    }),
    responses: Object.fromEntries(
      Object.entries({ ...refusals, ...responses }).map(
        ([status, response]) => [
          status,
          {
            ...describedJson(response, schemas),
            ...(operation.tagged &&
              status.startsWith("2") && { headers: etag }),
          },
        ],
      ),
    ),
  };
}

const ifMatch = {
  name: "If-Match",
  in: "header",
  required: false,
  description:
    "The ETag of the object as you have read it. The change is refused with 412 if the object is another one now.",
  schema: { type: "string" },
};

const etag = {
  ETag: {
    description: "The version of the object, for If-Match.",
    schema: { type: "string" },
  },
};

function parametersJson(
  { params, query }: RequestSchemas,
  schemas: JsonSchemas,
) {
  const places = [
    { place: "path", schema: params },
    { place: "query", schema: query },
  ];
  return places.flatMap(({ place, schema }) => {
    const { properties = {}, required = [] }: JsonSchema = schema
      ? schemas.of(schema)
      : {};
    return Object.entries(properties).map(([name, parameter]) => ({
      name,
      in: place,
      required: required.includes(name),
      ...(parameter.description !== undefined && {
        description: parameter.description,
      }),
      schema: parameter,
    }));
  });
}

function describedJson(
  { description, schema }: Described,
  schemas: JsonSchemas,
) {
  if (!schema) return { description };
  const content = { "application/json": { schema: schemas.of(schema) } };
  return { description, content };
}
