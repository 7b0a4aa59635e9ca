import type { Context, MiddlewareHandler } from "hono";
import type { HonoBase } from "hono/hono-base";
import type { Administrator } from "../../oauth/administration.ts";
import {
  clientChanges,
  notingChanges,
} from "../../oauth/clients/client-changes.ts";
import { OAuthError, type Reason } from "../../oauth/errors.ts";
import type { Server } from "../../oauth/server.ts";
import {
  challenge,
  findAdministrator,
  isAdminApiOn,
  reportDenied,
  requireRole,
} from "../administrator.ts";
import type { AppEnv } from "../endpoint.ts";
import { refuseOtherMethods } from "../routes.ts";
import { adminTokenRoutes } from "./admin-tokens.ts";
import { AdminApi, PREFIX } from "./api.ts";
import { authorizationRoutes } from "./authorizations.ts";
import { clientRoutes } from "./clients.ts";
import { doctorRoutes } from "./doctor.ts";
import { grantRoutes } from "./grants.ts";
import { leagueRoutes } from "./league.ts";
import { logoutRoutes } from "./logouts.ts";
import { describe } from "./openapi.ts";
import { resourceRoutes } from "./resources.ts";
import { scopeRoutes } from "./scopes.ts";
import { subjectRoutes } from "./subjects.ts";
import { tokenRoutes } from "./tokens.ts";

/** Makes the app of the admin API, with the document that describes it. It answers every path below `/admin`. */
export function adminApi(): HonoBase<AppEnv> {
  const api = new AdminApi();
  const { app } = api;
  app.use(`${PREFIX}/*`, requireAdministrator(), noteClientChanges());
  scopeRoutes(api);
  resourceRoutes(api);
  clientRoutes(api);
  grantRoutes(api);
  subjectRoutes(api);
  tokenRoutes(api);
  authorizationRoutes(api);
  logoutRoutes(api);
  leagueRoutes(api);
  adminTokenRoutes(api);
  doctorRoutes(api);

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
 * Requires an administrator: each operation requires its own role, and `register` is good for none of them. Everything is
 * 404 while neither ADMIN_TOKEN nor Access is configured, so that the API does not show. Wrong credentials are limited
 * per network.
 */
function requireAdministrator(): MiddlewareHandler<AppEnv> {
  return async function requireAdministrator(c, next) {
    const server = await c.var.server();
    // Another Worker of the account is let in by its binding (`rpc/admin.ts`), also while the API is off.
    const administrator =
      c.var.administrator ?? (await administratorOf(c, server));
    const { actor, role } = administrator;
    c.set("administrator", administrator);
    c.set("actor", actor);
    c.var.log.fields.actor = actor;
    if (role === undefined || role === "register") requireRole(c, "read");
    await next();
  };
}

/** Adds the event of each change of a client, whichever operation makes it. */
function noteClientChanges(): MiddlewareHandler<AppEnv> {
  return async function noteClientChanges(c, next) {
    const server = await c.var.server();
    const clients = notingChanges(server.clients, (client_id, ...records) => {
      const { action, changes } = clientChanges(...records);
      if (action === "changed" && changes.length === 0) return;
      c.var.log.addEvent("client.changed", { client_id, action, changes });
    });
    c.set("server", async () => ({ ...server, clients }));
    await next();
  };
}

/** @throws OAuthError `path_unknown`, `admin_token_wrong` or `admin_token_expired` */
async function administratorOf(
  c: Context<AppEnv>,
  server: Server,
): Promise<Administrator> {
  if (!isAdminApiOn(server.settings)) throw new OAuthError("path_unknown");
  const found = await findAdministrator(c, server);
  if (found && "role" in found) return found;
  if (!found) throw denied("admin_token_wrong");
  const { refused: reason, actor } = found;
  if (actor !== undefined) c.var.log.fields.actor = actor;
  reportDenied(c, reason);
  throw denied(reason, ', error="invalid_token"');
}

/** @param problem the error of WWW-Authenticate, which a request without credentials does not get (RFC 6750 section 3.1) */
function denied(reason: Reason, problem = ""): OAuthError {
  return new OAuthError(reason, {
    headers: { "WWW-Authenticate": challenge + problem },
  });
}
