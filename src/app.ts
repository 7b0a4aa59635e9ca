import { type Context, Hono, type MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { cors } from "hono/cors";
import { HTTPException } from "hono/http-exception";
import { matchedRoutes } from "hono/route";
import { METHOD_NAME_ALL } from "hono/router";
import { adminApi } from "./endpoints/admin/index.ts";
import type { AppEnv, Endpoint } from "./endpoints/endpoint.ts";
import { endpoints as registry } from "./endpoints/index.ts";
import { asOAuthError, OAuthError } from "./oauth/errors.ts";
import { RequestLog } from "./oauth/request-log.ts";
import type { Server } from "./oauth/server.ts";

/** The largest body: many times a refresh request's, and small enough to read without a thought. */
const MAX_BODY_BYTES = 16 * 1024;
/** What a page of another origin may read of an answer, beside its body. */
const EXPOSED_HEADERS = "Retry-After,WWW-Authenticate,X-Request-Id";
/** How long a browser may remember a preflight: two hours, the most that Chromium keeps. */
const PREFLIGHT_SECONDS = 7_200;

/**
 * Routes and limits, and the one place where an error becomes a response and a request a log line.
 *
 * @param createServer turns bindings into a server
 * @param more endpoints beside those of the registry
 */
export function createApp(
  createServer: (env: Env) => Promise<Server>,
  more: readonly Endpoint[] = [],
): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  const endpoints = [...registry, ...more];

  app.use(async function prepare(c, next) {
    c.set("server", () => createServer(c.env));
    const log = new RequestLog();
    c.set("log", log);
    const requestId = crypto.randomUUID();
    c.set("requestId", requestId);
    await next();
    // Not by `c.header`, here and below: that copies the whole response, once for each header.
    const { headers } = c.res;
    headers.set("X-Request-Id", requestId);
    headers.set("X-Content-Type-Options", "nosniff");
    // RFC 6749 section 5.1; also for errors, and for everything that does not say otherwise.
    if (!headers.has("Cache-Control")) {
      headers.set("Cache-Control", "no-store");
      headers.set("Pragma", "no-cache");
    }
    log.write({
      request_id: requestId,
      endpoint:
        matchedRoutes(c).findLast(({ path }) => !path.endsWith("*"))?.path ??
        "none",
      method: c.req.method,
      status: c.res.status,
      refusal: c.error && asRefusal(c.error),
    });
  });

  for (const { path, method, cors: open, isOn } of endpoints) {
    if (isOn) app.use(path, absentUnless(isOn));
    if (open) app.use(path, openToOrigins(createServer, method));
  }
  app.use(
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError: () => {
        throw new OAuthError("body_too_large");
      },
    }),
  );
  for (const { path, method, respond } of endpoints)
    app.on(method, path, respond);
  app.route("/", adminApi());
  refuseOtherMethods(app);
  app.all("*", () => {
    throw new OAuthError("path_unknown");
  });

  app.onError((error, c) => {
    const refusal = asRefusal(error);
    const endpoint = endpoints.find(({ path }) => path === c.req.path);
    if (endpoint?.renderError) return endpoint.renderError(c, refusal);
    return c.json(refusal.toJSON(), refusal.status, refusal.details.headers);
  });
  return app;
}

/** Any origin, without credentials, unless CORS_ORIGINS narrows it. */
function openToOrigins(
  createServer: (env: Env) => Promise<Server>,
  method: string,
): MiddlewareHandler<AppEnv> {
  const allowedOrigin = async (origin: string, c: Context<AppEnv>) => {
    const { cors_origins } = (await createServer(c.env)).settings;
    if (!cors_origins) return "*";
    return cors_origins.includes(origin) ? origin : null;
  };
  const preflight = cors({
    origin: allowedOrigin,
    allowMethods: [method],
    allowHeaders: ["Authorization", "Content-Type"],
    maxAge: PREFLIGHT_SECONDS,
  });
  return async function openedToOrigins(c, next) {
    if (c.req.method === "OPTIONS") return preflight(c, next);
    const origin = await allowedOrigin(c.req.header("Origin") ?? "", c);
    await next();
    const { headers } = c.res;
    if (origin !== null) headers.set("Access-Control-Allow-Origin", origin);
    headers.set("Access-Control-Expose-Headers", EXPOSED_HEADERS);
    headers.append("Vary", "Origin");
  };
}

/** What the configuration has not turned on is not there, whatever the method. */
function absentUnless(
  isOn: NonNullable<Endpoint["isOn"]>,
): MiddlewareHandler<AppEnv> {
  return async function absentUnlessOn(c, next) {
    const { settings } = await c.var.server();
    if (!isOn(settings)) throw new OAuthError("path_unknown");
    await next();
  };
}

/** A known path with another method: 405 with Allow (RFC 9110 section 15.5.6). */
function refuseOtherMethods(app: Hono<AppEnv>): void {
  const handlers = app.routes.filter(
    ({ method }) => method !== METHOD_NAME_ALL,
  );
  for (const [path, routes] of Map.groupBy(handlers, (route) => route.path)) {
    const methods = new Set(routes.map(({ method }) => method));
    if (methods.has("GET")) methods.add("HEAD");
    const allow = [...methods].join(", ");
    app.all(path, () => {
      throw new OAuthError("method_not_allowed", {
        subject: allow,
        headers: { Allow: allow },
      });
    });
  }
}

function asRefusal(error: Error): OAuthError {
  // Hono's validator: the body is not JSON (400), or does not say that it is (415).
  if (error instanceof HTTPException && error.status < 500) {
    const subject =
      error.status === 415
        ? "Send Content-Type: application/json."
        : "The body is not JSON.";
    return new OAuthError("admin_body_invalid", { subject });
  }
  return asOAuthError(error);
}
