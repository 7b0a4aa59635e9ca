import type { Context, TypedResponse } from "hono";
import { HonoBase } from "hono/hono-base";
import type { StatusCode } from "hono/utils/http-status";
import * as v from "valibot";
import { maxCharacters, strictObject } from "../../oauth/schema.ts";
import type { Role } from "../../oauth/roles.ts";
import { requireRole } from "../administrator.ts";
import type { AppEnv } from "../endpoint.ts";
import { PathRouter } from "../path-router.ts";
import { type RequestSchemas, validate } from "./request.ts";

export const PREFIX = "/admin";

export type Schema = v.GenericSchema;

/** A JSON body or a response. A response without a schema has no body. */
export interface Described {
  description: string;
  schema?: Schema;
}

/** The JSON body of a request. */
interface Body extends Required<Described> {
  /** Left out: the body may be left out. */
  required?: true;
}

/** An operation of the admin API. Its schemas check the requests and make the OpenAPI document. */
export interface Operation {
  method: "get" | "post" | "put" | "patch" | "delete";
  /** The path below `/admin`, with the names of its parameters in braces. */
  path: string;
  summary: string;
  /** The role that an administrator needs. Left out: `read` for GET, else `operator`. */
  role?: Role;
  request?: RequestSchemas & { body?: Body };
  /** True: a successful response has an ETag. */
  tagged?: true;
  /** True: the operation takes If-Match. */
  conditional?: true;
  /** The responses by their status. Those of `refusals` are added. */
  responses: Record<number, Described>;
}

/** Returns the role that an operation needs. */
export function roleOf({ method, role }: Operation): Role {
  return role ?? (method === "get" ? "read" : "operator");
}

type Output<S> = S extends Schema ? v.InferOutput<S> : never;

/** What `c.req.valid` returns in the handler of an operation. */
interface Valid<O extends Operation> {
  out: {
    param: O extends { request: { params: infer S } } ? Output<S> : never;
    query: O extends { request: { query: infer S } } ? Output<S> : never;
    json: O extends { request: { body: { schema: infer S } } }
      ? Output<S>
      : never;
  };
}

/** The responses that the handler of an operation may return. */
type ResponseOf<R extends Operation["responses"]> = {
  [S in keyof R & StatusCode]: R[S] extends { schema: infer B }
    ? TypedResponse<Output<B>, S, "json">
    : TypedResponse<null, S, "body">;
}[keyof R & StatusCode];

/** The admin API: its routes, and its operations for the OpenAPI document. */
export class AdminApi {
  readonly app: HonoBase<AppEnv> = new HonoBase<AppEnv>({
    router: new PathRouter(),
  });
  readonly operations: Operation[] = [];

  /**
   * Adds an operation. An administrator without its role gets 403, a request that does not fit the schemas 400 with
   * `fields`.
   */
  add<const O extends Operation>(
    operation: O,
    respond: (
      c: Context<AppEnv, string, Valid<O>>,
    ) => Promise<Response & ResponseOf<O["responses"]>>,
  ): void {
    this.operations.push(operation);
    const path = operation.path.replaceAll(/\{(\w+)\}/g, ":$1");
    this.app.on(operation.method, PREFIX + path, async (c) => {
      requireRole(c, roleOf(operation));
      await validate(c.req, operation.request ?? {});
      return respond(c);
    });
  }
}

/** The schemas that have a name in the OpenAPI document. */
export const components = new Map<Schema, string>();

/** Gives a schema a name in the OpenAPI document. */
export function named<S extends Schema>(name: string, schema: S): S {
  components.set(schema, name);
  return schema;
}

/** Describes a JSON body for the OpenAPI document. */
export function json<S extends Schema>(schema: S, description: string) {
  return { description, schema };
}

/** The body of a refusal. */
export const errorBody = named(
  "Error",
  v.object({
    error: v.string(),
    error_description: v.string(),
    fields: v.optional(
      v.pipe(
        v.record(v.string(), v.string()),
        v.description("The problem of each wrong field, by its name."),
      ),
    ),
  }),
);

/** The refusals of every operation. */
export const refusals: Operation["responses"] = {
  400: json(
    errorBody,
    "The request is malformed. `fields` names each wrong field and its problem.",
  ),
  401: json(
    errorBody,
    "The admin token is missing, wrong or expired. Send `Authorization: Bearer` with a named admin token, or with the value of the secret ADMIN_TOKEN.",
  ),
  403: json(
    errorBody,
    "The administrator does not have the role of the operation, `x-role`. `admin` has every role, `operator` has `read` too.",
  ),
  404: json(
    errorBody,
    "The object of the request does not exist. Every path is 404 while neither the secret ADMIN_TOKEN nor Cloudflare Access is configured.",
  ),
  413: json(errorBody, "The body is larger than 16 KiB."),
  429: json(
    errorBody,
    "Too many wrong admin tokens came from this network. Repeat the request after `Retry-After` seconds.",
  ),
  500: json(
    errorBody,
    "The server has a problem. /health may name it to the admin token; the log does.",
  ),
  503: json(
    errorBody,
    "Storage cannot be reached. Repeat the request after `Retry-After` seconds.",
  ),
};

/** Adds the refusal 409 to an operation. */
export function conflict(description: string) {
  return { 409: json(errorBody, description) };
}

/** Adds the refusal 412 to an operation that takes If-Match. */
export const preconditionFailed = {
  412: json(
    errorBody,
    "If-Match is not the ETag of the object, because it was changed since. Nothing was changed.",
  ),
};

/** The query parameters of an operation that can be rehearsed. */
export const rehearsalQuery = {
  dry_run: v.optional(
    v.pipe(
      v.picklist(["true", "false"]),
      v.description(
        "true: the request is checked by every rule, and nothing is changed. No secret is made.",
      ),
    ),
  ),
};

/** The same for an operation that refuses scopes that are not in the catalogue. */
export const rehearsalQueryWithScopes = strictObject({
  ...rehearsalQuery,
  assume_scopes: v.optional(
    v.pipe(
      v.string(),
      maxCharacters(8192),
      v.description(
        "With dry_run: scopes to take as in the catalogue, with spaces between them.",
      ),
    ),
  ),
});

/** The largest page. KV reads up to 100 keys in one operation. */
const MAX_PAGE_SIZE = 100;

/** The query parameters of a list. */
export const pageQuery = strictObject({
  limit: v.optional(
    v.pipe(
      v.unknown(),
      v.transform(Number),
      v.number(),
      v.integer(),
      v.minValue(1),
      v.maxValue(MAX_PAGE_SIZE),
    ),
    MAX_PAGE_SIZE,
  ),
  cursor: v.optional(v.pipe(v.string(), maxCharacters(1024))),
});

/** The field of a page that leads to the next page. */
export const nextCursor = v.optional(
  v.pipe(
    v.string(),
    v.description("There is another page: send this value as `cursor`."),
  ),
);

/** Makes the schema of a whole number in a response. */
export function count(description: string) {
  return v.pipe(v.number(), v.integer(), v.description(description));
}
