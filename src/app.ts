import { type Context, Hono, type MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { adminApi } from "./endpoints/admin/index.ts";
import { answerPreflight, readableByOrigins } from "./endpoints/cors.ts";
import {
  type AppEnv,
  type Endpoint,
  isConfigured,
} from "./endpoints/endpoint.ts";
import { endpoints as registry } from "./endpoints/index.ts";
import { holdOrigin, transportSecurity } from "./endpoints/origin.ts";
import { refuseOtherMethods, routeOf } from "./endpoints/routes.ts";
import { asOAuthError, OAuthError } from "./oauth/errors.ts";
import { RequestLog } from "./oauth/request-log.ts";
import type { EarlyServer, Server } from "./oauth/server.ts";

/** The largest body. It is many times larger than a refresh request, and small enough to hold in memory. */
const MAX_BODY_BYTES = 16 * 1024;
/** The beginning of the paths at which clients look for documents (RFC 8615). */
const WELL_KNOWN = "/.well-known/";

/** Makes the servers of a set of bindings (`create-server.ts`). */
interface Servers {
  createEarlyServer: (env: Env) => Promise<EarlyServer>;
  createServer: (env: Env) => Promise<Server>;
}

/**
 * Makes the app: routes and limits, and the one place where an error becomes a response and a request a log
 * line.
 *
 * @param extraEndpoints endpoints beside those of the registry
 */
export function createApp(
  { createEarlyServer, createServer }: Servers,
  extraEndpoints: readonly Endpoint[] = [],
): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  const endpoints = [...registry, ...extraEndpoints];

  app.use(async function prepare(c, next) {
    // Once per request, also while the configuration is malformed: reading the keys costs CPU time.
    let early: Promise<EarlyServer> | undefined;
    c.set("early", () => (early ??= createEarlyServer(c.env)));
    let server: Promise<Server> | undefined;
    c.set("server", () => (server ??= createServer(c.env)));
    const log = new RequestLog();
    c.set("log", log);
    const requestId = crypto.randomUUID();
    c.set("requestId", requestId);
    await next();
    // `c.header` is not used here and below, because it copies the whole response for each header.
    const { headers } = c.res;
    headers.set("X-Request-Id", requestId);
    headers.set("X-Content-Type-Options", "nosniff");
    const security = transportSecurity(c.req.url);
    if (security) headers.set("Strict-Transport-Security", security);
    // RFC 6749 section 5.1. Also for errors, and for every response without a Cache-Control of its own.
    if (!headers.has("Cache-Control")) {
      headers.set("Cache-Control", "no-store");
      headers.set("Pragma", "no-cache");
    }
    log.write({
      request_id: requestId,
      endpoint: routeOf(c) ?? "none",
      method: c.req.method,
      status: c.res.status,
      refusal: c.error && asOAuthError(c.error),
    });
  });

  const open = openPaths(endpoints);
  // Outside of everything that may refuse, so that a page of another origin can read every refusal.
  for (const [path] of open) app.use(path, readableByOrigins());
  app.use(holdOrigin());
  for (const { path, isOn } of endpoints)
    if (isOn) app.use(path, notFoundUnlessOn(isOn));
  for (const [path, methods] of open) app.use(path, answerPreflight(methods));
  for (const { path, cors: isOpen, isOn } of endpoints)
    if (isOpen || isOn) app.use(path, reportConfigurationFirst());
  app.use(readBody());
  for (const { path, method, respond } of endpoints)
    app.on(method, path, respond);
  app.route("/", adminApi());
  refuseOtherMethods(app);
  app.all("*", () => {
    throw new OAuthError("path_unknown");
  });

  app.onError(async (error, c) => {
    const refusal = (await firstRefusal(c)) ?? asOAuthError(error);
    const endpoint = endpoints.find(({ path }) => path === c.req.path);
    if (endpoint?.renderError) return endpoint.renderError(c, refusal);
    return c.json(refusal.toJSON(), refusal.status, refusal.details.headers);
  });
  return app;
}

/**
 * Returns the paths that pages of other origins may use, each with its methods. Below `/.well-known/` that is
 * every path, because clients look there for documents that a server may not have, and must be able to read 404.
 */
function openPaths(endpoints: readonly Endpoint[]): Map<string, string> {
  return new Map(
    endpoints
      .filter(({ cors }) => cors)
      .map(({ path, method }) =>
        path.startsWith(WELL_KNOWN)
          ? [`${WELL_KNOWN}*`, "GET,HEAD"]
          : [path, method],
      ),
  );
}

/**
 * Makes a configuration that cannot be read come before every later refusal. It is not awaited here, so that the
 * signing keys of a new isolate are read while storage is asked.
 */
function reportConfigurationFirst(): MiddlewareHandler<AppEnv> {
  return async function reportConfigurationFirst(c, next) {
    c.set("configurationFirst", true);
    await next();
  };
}

/**
 * Reads the whole body, which is at most 16 KiB, before anything is decided by it. Hono keeps it, so that
 * `c.req.arrayBuffer()` and the like return it without reading again.
 *
 * @throws OAuthError `body_too_large`, or `body_incomplete` if the body breaks off or its chunks are malformed
 */
function readBody(): MiddlewareHandler<AppEnv> {
  const limit = bodyLimit({
    maxSize: MAX_BODY_BYTES,
    onError: () => {
      throw new OAuthError("body_too_large");
    },
  });
  return async function readBody(c, next) {
    if (c.req.raw.body) {
      try {
        await limit(c, async () => {
          await c.req.arrayBuffer();
        });
      } catch (error) {
        if (error instanceof OAuthError) throw error;
        throw new OAuthError("body_incomplete");
      }
    }
    await next();
  };
}

/** Answers 404 to every method of an endpoint that the configuration has not turned on. */
function notFoundUnlessOn(
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

/** Returns the refusal for a configuration that cannot be read, where that comes first. The log line has it too. */
async function firstRefusal(
  c: Context<AppEnv>,
): Promise<OAuthError | undefined> {
  if (!c.var.configurationFirst) return undefined;
  try {
    await c.var.server();
    return undefined;
  } catch (error) {
    const refusal = asOAuthError(error);
    c.error = refusal;
    return refusal;
  }
}
