import type { MiddlewareHandler } from "hono";
import { OAuthError } from "../../oauth/errors.ts";
import { hasAdminToken } from "../admin-token.ts";
import type { AppEnv } from "../endpoint.ts";
import { newAdminApi, PREFIX, type AdminApi } from "./api.ts";
import { authorizationRoutes } from "./authorizations.ts";
import { clientRoutes } from "./clients.ts";
import { grantRoutes } from "./grants.ts";
import { leagueRoutes } from "./league.ts";
import { scopeRoutes } from "./scopes.ts";
import { subjectRoutes } from "./subjects.ts";

/** The admin API, and the document that describes it. */
export function adminApi(): AdminApi {
  const api = newAdminApi();
  api.use("/*", requireAdminToken());
  scopeRoutes(api);
  clientRoutes(api);
  grantRoutes(api);
  subjectRoutes(api);
  authorizationRoutes(api);
  leagueRoutes(api);

  api.openAPIRegistry.registerComponent("securitySchemes", "adminToken", {
    type: "http",
    scheme: "bearer",
    description: "The value of the secret ADMIN_TOKEN.",
  });
  api.get("/openapi.json", async (c) => {
    const { settings } = await c.var.server();
    return c.json(
      api.getOpenAPI31Document({
        openapi: "3.1.0",
        info: { title: "Baton admin API", version: "1" },
        servers: [{ url: settings.issuer }],
      }),
    );
  });
  return api;
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
