import type { Context } from "hono";
import { OAuthError, type Problem } from "../oauth/errors.ts";
import { GuessLimit } from "../oauth/guess-limit.ts";
import { unwrapSecret } from "../oauth/secret-floor.ts";
import type { Server } from "../oauth/server.ts";
import { hasAdminToken } from "./admin-token.ts";
import {
  configuredKeys,
  type LifetimesInUse,
  lifetimesInUse,
} from "./configured-keys.ts";
import { type AppEnv, type Endpoint, now } from "./endpoint.ts";
import { VERSION } from "./version.ts";

/**
 * The time for which the result of a check is used again, in milliseconds. The endpoint is open to everybody,
 * so its requests must not cost a KV read each.
 */
const CACHE_MS = 10_000;

interface HealthCheck {
  /** Problems that keep the server from working. */
  failing: Problem[];
  /** Problems of single clients. */
  degraded: Problem[];
  /** Undefined: the clients could not be read. */
  inUse?: LifetimesInUse;
  /** True: there are more clients than were read. */
  hasMoreClients?: boolean;
  /** In milliseconds since 1970. */
  checkedAt: number;
}

const lastChecks = new WeakMap<Server, HealthCheck>();

/**
 * Tells whether the server can work: 200 if configuration, keys and the scope catalogue can be read, else 503.
 * A malformed client record is a problem too, but the answer stays 200, because it affects one client. What is
 * wrong is named for the admin token only, because it tells an attacker where to look. So are the version and the keys.
 */
export const healthEndpoint: Endpoint = {
  path: "/health",
  method: "GET",
  cors: false,

  async respond(c) {
    const check = await checkHealth(c.var.server);
    const problems = [...check.failing, ...check.degraded];
    if (problems.length > 0) c.var.log.fields.problems = problems;
    const details = (await isAdministrator(c)) && {
      version: VERSION,
      ...(problems.length > 0 && { problems }),
      ...(await keysFor(c, check)),
    };
    if (check.failing.length > 0)
      return c.json({ status: "failing", ...details }, 503);
    const status = problems.length > 0 ? "degraded" : "ok";
    return c.json({ status, ...details });
  },
};

/** Shows the keys, unless the configuration is malformed. */
async function keysFor(
  c: Context<AppEnv>,
  { inUse, hasMoreClients }: HealthCheck,
) {
  const server = await c.var.server().catch(() => undefined);
  return (
    server && {
      keys: configuredKeys(server, inUse, now()),
      ...(hasMoreClients && { more_clients: true }),
    }
  );
}

/**
 * Tells whether an administrator asks. The token is not that of the parsed configuration, because there may be
 * none: it may be the token that is malformed.
 */
async function isAdministrator(c: Context<AppEnv>): Promise<boolean> {
  const set: unknown = c.env.ADMIN_TOKEN;
  const token = typeof set === "string" ? unwrapSecret(set) : "";
  if (token === "") return false;
  const server = await c.var.server().catch(() => undefined);
  return hasAdminToken(c, token, server?.guesses ?? guessesWithoutServer);
}

/** While the configuration is malformed there is no server, and this isolate's own count limits guesses. */
const notShared = { limit: async () => ({ success: true }) };
const guessesWithoutServer = new GuessLimit({
  perNetwork: notShared,
  perSite: notShared,
});

async function checkHealth(
  getServer: () => Promise<Server>,
): Promise<HealthCheck> {
  try {
    const server = await getServer();
    const last = lastChecks.get(server);
    if (last && Date.now() - last.checkedAt < CACHE_MS) return last;
    const failing = await server.scopes.problems();
    const check = {
      failing,
      ...(failing.length > 0 ? { degraded: [] } : await checkClients(server)),
      checkedAt: Date.now(),
    };
    lastChecks.set(server, check);
    return check;
  } catch (error) {
    return {
      failing: problemsIn(error),
      degraded: [],
      checkedAt: Date.now(),
    };
  }
}

async function checkClients({ clients, settings }: Server) {
  const { clients: found, malformed, hasMore } = await clients.survey();
  return {
    degraded: malformed,
    inUse: lifetimesInUse(settings, found),
    hasMoreClients: hasMore,
  };
}

function problemsIn(error: unknown): Problem[] {
  if (!(error instanceof OAuthError)) throw error;
  return error.details.problems ?? [{ name: "KV", problem: "does not answer" }];
}
