import {
  createRoute,
  OpenAPIHono,
  z,
  type RouteConfig,
} from "@hono/zod-openapi";
import { invalidFields } from "../../oauth/errors.ts";
import type { AppEnv } from "../endpoint.ts";

/** The admin API. The schemas of its routes check the requests and make the OpenAPI document. */
export type AdminApi = OpenAPIHono<AppEnv>;

export const PREFIX = "/admin";

const errorBody = z
  .object({
    error: z.string(),
    error_description: z.string(),
    fields: z
      .record(z.string(), z.string())
      .optional()
      .meta({ description: "The problem of each wrong field, by its name." }),
  })
  .openapi("Error");

/** Describes a JSON body for the OpenAPI document. */
export function json<S extends z.ZodType>(schema: S, description: string) {
  return { description, content: { "application/json": { schema } } };
}

/** The refusals of every route. */
const refusals = {
  400: json(
    errorBody,
    "The request is malformed. `fields` names each wrong field and its problem.",
  ),
  401: json(
    errorBody,
    "The admin token is missing or wrong. Send `Authorization: Bearer` with the value of the secret ADMIN_TOKEN.",
  ),
  404: json(
    errorBody,
    "The object of the request does not exist. Every path is 404 while the secret ADMIN_TOKEN is not set.",
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

/** Makes an admin route. Refusals and authentication are the same for all routes. */
export function adminRoute<R extends Omit<RouteConfig, "getRoutingPath">>(
  route: R,
) {
  const described: R = {
    security: [{ adminToken: [] }],
    ...route,
    responses: { ...refusals, ...route.responses },
  };
  return createRoute(described);
}

/** Adds the refusal 409 to a route. */
export function conflict(description: string) {
  return { 409: json(errorBody, description) };
}

/** The largest page. KV reads up to 100 keys in one operation. */
const MAX_PAGE_SIZE = 100;

/** The query parameters of a list. */
export const pageQuery = z.strictObject({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(MAX_PAGE_SIZE)
    .default(MAX_PAGE_SIZE),
  cursor: z.string().max(1024).optional(),
});

/** Makes an admin API without routes. A request that fails its schema gets 400 with `fields`. */
export function newAdminApi(): AdminApi {
  return new OpenAPIHono<AppEnv>({
    defaultHook: (result) => {
      if (!result.success) throw invalidFields(result.error.issues);
    },
  }).basePath(PREFIX);
}
