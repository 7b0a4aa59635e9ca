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

/** The largest body. It is many times larger than a refresh request, and small enough to hold in memory. */
const MAX_BODY_BYTES = 16 * 1024;
/** The response headers that a page of another origin may read. */
const EXPOSED_HEADERS = "Retry-After,WWW-Authenticate,X-Request-Id";
/**
 * The time for which a browser may keep a preflight, in seconds: two hours, the most that Chromium allows.
 */
const PREFLIGHT_SECONDS = 7_200;

/**
 * Makes the app: routes and limits, and the one place where an error becomes a response and a request a log
 * line.
 *
 * @param createServer makes the server of a set of bindings
 * @param extraEndpoints endpoints beside those of the registry
 */
export function createApp(
  createServer: (env: Env) => Promise<Server>,
  extraEndpoints: readonly Endpoint[] = [],
): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  const endpoints = [...registry, ...extraEndpoints];

  app.use(async function prepare(c, next) {
    c.set("server", () => createServer(c.env));
    const log = new RequestLog();
    c.set("log", log);
    const requestId = crypto.randomUUID();
    c.set("requestId", requestId);
    await next();
    // `c.header` is not used here and below, because it copies the whole response for each header.
    const { headers } = c.res;
    headers.set("X-Request-Id", requestId);
    headers.set("X-Content-Type-Options", "nosniff");
    // RFC 6749 section 5.1. Also for errors, and for every response without a Cache-Control of its own.
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

  for (const { path, method, cors: isOpen, isOn } of endpoints) {
    if (isOn) app.use(path, notFoundUnlessOn(isOn));
    if (isOpen) app.use(path, openToOrigins(createServer, method));
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

/** Lets pages of any origin call an endpoint, without credentials. CORS_ORIGINS narrows the origins. */
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

/** Answers 404 to every method of an endpoint that the configuration has not turned on. */
function notFoundUnlessOn(
  isOn: NonNullable<Endpoint["isOn"]>,
): MiddlewareHandler<AppEnv> {
  return async function notFoundUnlessOn(c, next) {
    const { settings } = await c.var.server();
    if (!isOn(settings)) throw new OAuthError("path_unknown");
    await next();
  };
}

/** Answers 405 with `Allow` to another method on a known path (RFC 9110 section 15.5.6). */
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

/** Turns an exception into a refusal. */
function asRefusal(error: Error): OAuthError {
  // Hono's validator throws if the body is not JSON (400), or if its Content-Type is not JSON (415).
  if (error instanceof HTTPException && error.status < 500) {
    const subject =
      error.status === 415
        ? "The Content-Type must be application/json."
        : "The body is not JSON.";
    return new OAuthError("admin_body_invalid", { subject });
  }
  return asOAuthError(error);
}
