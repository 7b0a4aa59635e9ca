import type { Context } from "hono";
import type { HonoBase } from "hono/hono-base";
import { matchedRoutes } from "hono/route";
import { METHOD_NAME_ALL } from "hono/router";
import { OAuthError } from "../oauth/errors.ts";
import type { AppEnv } from "./endpoint.ts";

/** Answers 405 with `Allow` to another method on a known path (RFC 9110 section 15.5.6). */
export function refuseOtherMethods(app: HonoBase<AppEnv>): void {
  const handlers = app.routes.filter(
    ({ method }) => method !== METHOD_NAME_ALL,
  );
  for (const [path, routes] of Map.groupBy(handlers, (route) => route.path)) {
    app.all(path, () => {
      throw methodNotAllowed(routes);
    });
  }
}

/** Makes the refusal of another method than those of a path. */
export function methodNotAllowed(
  routes: readonly { method: string }[],
): OAuthError {
  const allow = allowedMethods(routes).join(", ");
  return new OAuthError("method_not_allowed", {
    subject: allow,
    headers: { Allow: allow },
  });
}

/** Returns the methods of a path. `HEAD` works where `GET` does. */
export function allowedMethods(
  routes: readonly { method: string }[],
): string[] {
  const methods = new Set(routes.map(({ method }) => method));
  if (methods.has("GET")) methods.add("HEAD");
  return [...methods];
}

/** Returns the path of the route that answers, with the names of its parameters; undefined if none does. */
export function routeOf(c: Context<AppEnv>): string | undefined {
  return matchedRoutes(c).findLast(({ path }) => !path.endsWith("*"))?.path;
}
