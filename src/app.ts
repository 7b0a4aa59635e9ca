import type { Context, ExecutionContext, MiddlewareHandler } from "hono";
import { HonoBase } from "hono/hono-base";
import { getPath } from "hono/utils/url";
import { readBody } from "./endpoints/body.ts";
import { answerPreflight, readableByOrigins } from "./endpoints/cors.ts";
import { type AppEnv, type Endpoint, networkOf } from "./endpoints/endpoint.ts";
import { endpoints as registry } from "./endpoints/index.ts";
import { holdOrigin, transportSecurity } from "./endpoints/origin.ts";
import { PathRouter } from "./endpoints/path-router.ts";
import { holdNeededScopes, notFoundUnlessOn } from "./endpoints/presence.ts";
import {
  allowedMethods,
  refuseOtherMethods,
  routeOf,
} from "./endpoints/routes.ts";
import { asOAuthError, OAuthError } from "./oauth/errors.ts";
import type { Administrator } from "./oauth/administration.ts";
import { type Report, reportEvents } from "./oauth/event-report.ts";
import type { DataPoint } from "./oauth/metrics.ts";
import { RequestLog } from "./oauth/request-log.ts";
import type { EarlyServer, Server } from "./oauth/server.ts";

/** The beginning of the paths at which clients look for documents (RFC 8615). */
const WELL_KNOWN = "/.well-known/";

/** The paths of the admin API. */
const adminPath = /^\/admin(?:\/|$)/;

/** Makes the servers of a set of bindings, and sends what leaves them beside the answers (`create-server.ts`). */
export interface Servers {
  createEarlyServer: (env: Env) => Promise<EarlyServer>;
  createServer: (env: Env) => Promise<Server>;
  /** Sends events without an exception. Undefined: they go nowhere but to the log. */
  sendEvents: (env: Env, report: Report) => Promise<void> | undefined;
  /** Writes a data point, which is made only where metrics are bound. */
  writeDataPoint: (
    env: Env,
    make: (version: string | undefined) => DataPoint,
  ) => void;
}

type App = HonoBase<AppEnv>;

/** The administrators of the requests that come by RPC. No header can name one. */
const letIn = new WeakMap<Request, Administrator>();

/** Answers the requests of a Worker. */
type Fetch = (
  request: Request,
  env: Env,
  context: ExecutionContext,
) => Response | Promise<Response>;

/**
 * Makes the app: routes and limits, and the one place where an error becomes a response and a request a log
 * line. The admin API is an app of its own, because its code is loaded when somebody asks for it.
 *
 * @param extraEndpoints endpoints beside those of the registry
 */
export function createApp(
  servers: Servers,
  extraEndpoints: readonly Endpoint[] = [],
): { fetch: Fetch } {
  const app = publicApp(servers, [...registry, ...extraEndpoints]);
  const fetchAdmin: Fetch = lazyAdminApp(servers);
  return {
    fetch(request, env, context) {
      const isOfAdmin =
        (env.ADMIN_TOKEN || env.ACCESS_TEAM_DOMAIN) &&
        adminPath.test(getPath(request));
      return (isOfAdmin ? fetchAdmin : app.fetch)(request, env, context);
    },
  };
}

/**
 * Makes the app of the admin API, which is loaded with the first request.
 *
 * @returns answers a request; with an administrator whom somebody else has let in, it asks for no credentials
 */
export function lazyAdminApp(servers: Servers) {
  let app: App | undefined;
  return async (
    request: Request,
    env: Env,
    context: ExecutionContext,
    administrator?: Administrator,
  ): Promise<Response> => {
    app ??= await adminApp(servers);
    if (administrator) letIn.set(request, administrator);
    return app.fetch(request, env, context);
  };
}

/** Makes the app of the endpoints. */
function publicApp(servers: Servers, endpoints: readonly Endpoint[]): App {
  const app: App = new HonoBase<AppEnv>({ router: new PathRouter() });
  app.use(frame(servers));
  const open = openPaths(endpoints);
  // Outside of everything that may refuse, so that a page of another origin can read every refusal.
  for (const [path] of open) app.use(path, readableByOrigins());
  app.use(holdOrigin());
  for (const { path, isOn } of endpoints)
    if (isOn) app.use(path, notFoundUnlessOn(isOn));
  for (const [path, ofPath] of Map.groupBy(endpoints, ({ path }) => path))
    if (ofPath.some(({ needsScope }) => needsScope !== undefined))
      app.use(path, holdNeededScopes(ofPath));
  for (const [path, methods] of open) app.use(path, answerPreflight(methods));
  for (const { path, cors: isOpen, isOn } of endpoints)
    if (isOpen || isOn) app.use(path, reportConfigurationFirst());
  app.use(readBody());
  for (const { path, method, respond } of endpoints)
    app.on(method, path, respond);
  refuseOtherMethods(app);
  app.all("*", async (c) => {
    // The admin API does not show while it is off, but what keeps it from being read does. So it does at the root,
    // which a person opens first.
    if (adminPath.test(c.req.path) || c.req.path === "/") await c.var.server();
    throw new OAuthError("path_unknown");
  });
  app.onError(async (error, c) => {
    const refusal = (await firstRefusal(c)) ?? asOAuthError(error);
    const endpoint = endpoints.find(({ path }) => path === c.req.path);
    return endpoint?.renderError?.(c, refusal) ?? asJson(c, refusal);
  });
  return app;
}

/** Loads the admin API and makes its app. */
async function adminApp(servers: Servers): Promise<App> {
  const { adminApi } = await import("./endpoints/admin/index.ts");
  const app: App = new HonoBase<AppEnv>({ router: new PathRouter() });
  app.use(rememberLetIn(), frame(servers), holdOrigin(), readBody());
  app.route("/", adminApi());
  app.onError((error, c) => asJson(c, asOAuthError(error)));
  return app;
}

/** Hands on the administrator of a request that was let in. */
function rememberLetIn(): MiddlewareHandler<AppEnv> {
  return async function rememberLetIn(c, next) {
    const administrator = letIn.get(c.req.raw);
    if (administrator) c.set("administrator", administrator);
    await next();
  };
}

/** Prepares what every request needs, and completes its answer and its log line. */
function frame({
  createEarlyServer,
  createServer,
  sendEvents,
  writeDataPoint,
}: Servers): MiddlewareHandler<AppEnv> {
  return async function frame(c, next) {
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
    const refusal = c.error && asOAuthError(c.error);
    if (refusal) log.addRefusal(refusal);
    if (log.hasEvents) {
      const origin = {
        request_id: requestId,
        network: networkOf(c),
        user_agent: c.req.header("User-Agent") ?? "",
      };
      const report = await reportEvents(log, origin, c.get("early"));
      const sent = sendEvents(c.env, report);
      // The answer does not wait for it.
      if (sent) c.executionCtx.waitUntil(sent);
    }
    const ending = {
      request_id: requestId,
      endpoint: routeOf(c) ?? "none",
      method: c.req.method,
      status: c.res.status,
      refusal,
    };
    log.write(ending);
    writeDataPoint(c.env, (version) => {
      const location = c.req.raw.cf?.colo as string | undefined;
      return log.dataPoint(ending, { location, version });
    });
  };
}

function asJson(c: Context<AppEnv>, refusal: OAuthError): Response {
  return c.json(refusal.toJSON(), refusal.status, refusal.details.headers);
}

/**
 * Returns the paths that pages of other origins may use, each with its methods. Below `/.well-known/` that is
 * every path, because clients look there for documents that a server may not have, and must be able to read 404.
 */
function openPaths(endpoints: readonly Endpoint[]): Map<string, string> {
  const open = Map.groupBy(
    endpoints.filter(({ cors }) => cors),
    ({ path }) => (path.startsWith(WELL_KNOWN) ? `${WELL_KNOWN}*` : path),
  );
  return new Map(
    [...open].map(([path, ofPath]) => [path, allowedMethods(ofPath).join()]),
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
