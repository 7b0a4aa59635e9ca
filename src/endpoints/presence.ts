import type { MiddlewareHandler } from "hono";
import { OAuthError } from "../oauth/errors.ts";
import {
  type AppEnv,
  type Endpoint,
  hasNeededScope,
  isConfigured,
} from "./endpoint.ts";
import { allowedMethods, methodNotAllowed } from "./routes.ts";

/** The endpoints that are there only while the configuration or the scope catalogue has what they need. */

/** Answers 404 to every method of an endpoint that the configuration has not turned on. */
export function notFoundUnlessOn(
  isOn: NonNullable<Endpoint["isOn"]>,
): MiddlewareHandler<AppEnv> {
  return async function notFoundUnlessOn(c, next) {
    // What comes next reports a configuration that cannot be read.
    const server = await c.var.early().catch(() => undefined);
    if (server && !isOn(server.settings) && (await isConfigured(c)))
      throw new OAuthError("path_unknown");
    await next();
  };
}

/**
 * Takes away the endpoints of a path whose scope is not in the catalogue. If no endpoint of the path is left, every
 * method gets 404, else the missing ones get 405. The catalogue is not read for a method that needs no scope.
 */
export function holdNeededScopes(
  ofPath: readonly Endpoint[],
): MiddlewareHandler<AppEnv> {
  return async function holdNeededScopes(c, next) {
    const isAskedFor = (endpoint: Endpoint) =>
      allowedMethods([endpoint]).includes(c.req.method);
    const asked = ofPath.find(isAskedFor);
    if (asked && asked.needsScope === undefined) return next();
    // What comes next reports a configuration that cannot be read.
    const server = await c.var.early().catch(() => undefined);
    if (!server) return next();
    c.set("configurationFirst", true);
    const catalogue = await server.scopes.catalogue();
    const left = ofPath.filter((one) => hasNeededScope(one, catalogue));
    if (left.length === 0) throw new OAuthError("path_unknown");
    if (left.length < ofPath.length && !left.some(isAskedFor))
      throw methodNotAllowed(left);
    return next();
  };
}
