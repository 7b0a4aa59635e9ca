import type { MiddlewareHandler } from "hono";
import type { HonoBase } from "hono/hono-base";
import { OAuthError } from "../../oauth/errors.ts";
import { hasAdminToken } from "../admin-token.ts";
import type { AppEnv } from "../endpoint.ts";
import { refuseOtherMethods } from "../routes.ts";
import { AdminApi, PREFIX } from "./api.ts";
import { authorizationRoutes } from "./authorizations.ts";
import { clientRoutes } from "./clients.ts";
import { grantRoutes } from "./grants.ts";
import { leagueRoutes } from "./league.ts";
import { describe } from "./openapi.ts";
import { scopeRoutes } from "./scopes.ts";
import { subjectRoutes } from "./subjects.ts";

/** Makes the app of the admin API, with the document that describes it. It answers every path below `/admin`. */
export function adminApi(): HonoBase<AppEnv> {
  const api = new AdminApi();
  const { app } = api;
  app.use(`${PREFIX}/*`, requireAdminToken());
  scopeRoutes(api);
  clientRoutes(api);
  grantRoutes(api);
  subjectRoutes(api);
  authorizationRoutes(api);
  leagueRoutes(api);

  let document: ReturnType<typeof describe> | undefined;
  app.get(`${PREFIX}/openapi.json`, async (c) => {
    const { settings } = await c.var.server();
    document ??= describe(api.operations);
    return c.json({ ...document, servers: [{ url: settings.issuer }] });
  });

  refuseOtherMethods(app);
  app.all(`${PREFIX}/*`, () => {
    throw new OAuthError("path_unknown");
  });
  return app;
}

/**
 * Requires the admin token (RFC 6750). Everything is 404 while ADMIN_TOKEN is not set, so that the API does
 * not show. Wrong tokens are limited per network.
 */
function requireAdminToken(): MiddlewareHandler<AppEnv> {
  return async function requireAdminToken(c, next) {
    const { settings, guesses } = await c.var.server();
    const { admin_token } = settings;
    if (admin_token === undefined) throw new OAuthError("path_unknown");
    if (!(await hasAdminToken(c, admin_token, guesses))) {
      throw new OAuthError("admin_token_wrong", {
        headers: { "WWW-Authenticate": `Bearer realm="baton${PREFIX}"` },
      });
    }
    await next();
  };
}
