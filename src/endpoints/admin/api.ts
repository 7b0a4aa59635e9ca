import {
  createRoute,
  OpenAPIHono,
  z,
  type RouteConfig,
} from "@hono/zod-openapi";
import { invalidFields } from "../../oauth/errors.ts";
import type { AppEnv } from "../endpoint.ts";

/** The admin API: routes whose schemas check the requests and make the OpenAPI document. */
export type AdminApi = OpenAPIHono<AppEnv>;

export const PREFIX = "/admin";

const errorBody = z
  .object({
    error: z.string(),
    error_description: z.string(),
    fields: z
      .record(z.string(), z.string())
      .optional()
      .meta({ description: "What is wrong, by field." }),
  })
  .openapi("Error");

export function json<S extends z.ZodType>(schema: S, description: string) {
  return { description, content: { "application/json": { schema } } };
}

/** The refusals that every route can answer with. */
const refusals = {
  400: json(
    errorBody,
    "The request is malformed; `fields` names what is wrong.",
  ),
  401: json(errorBody, "The admin token is missing or wrong."),
  404: json(errorBody, "There is no such thing, or the admin API is off."),
  413: json(errorBody, "The body is larger than 16 KiB."),
  500: json(errorBody, "Something went wrong here; /health may say what."),
  503: json(
    errorBody,
    "Storage cannot be reached. Try again after `Retry-After` seconds.",
  ),
};

/** An admin route: the refusals and the authentication are the same for all. */
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

export function conflict(description: string) {
  return { 409: json(errorBody, description) };
}

/** As many as KV reads in one operation, and objects are asked at once. */
const MAX_A_PAGE = 100;

/** What a list may be asked for. */
export const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(MAX_A_PAGE).default(MAX_A_PAGE),
  cursor: z.string().max(1024).optional(),
});

export function newAdminApi(): AdminApi {
  return new OpenAPIHono<AppEnv>({
    defaultHook: (result) => {
      if (!result.success) throw invalidFields(result.error.issues);
    },
  }).basePath(PREFIX);
}
