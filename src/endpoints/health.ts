import type { Context } from "hono";
import { OAuthError, type Problem } from "../oauth/errors.ts";
import { GuessLimit } from "../oauth/guess-limit.ts";
import { unwrapSecret } from "../oauth/secret-floor.ts";
import type { Server } from "../oauth/server.ts";
import { hasAdminToken } from "./admin-token.ts";
import type { AppEnv, Endpoint } from "./endpoint.ts";

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
  /** In milliseconds since 1970. */
  checkedAt: number;
}

const lastChecks = new WeakMap<Server, HealthCheck>();

/**
 * Tells whether the server can work: 200 if configuration, keys and the scope catalogue can be read, else 503.
 * A malformed client record is a problem too, but the answer stays 200, because it affects one client. What is
 * wrong is named for the admin token only, because it tells an attacker where to look.
 */
export const healthEndpoint: Endpoint = {
  path: "/health",
  method: "GET",
  cors: false,

  async respond(c) {
    const { failing, degraded } = await checkHealth(c.var.server);
    const problems = [...failing, ...degraded];
    if (problems.length > 0) c.var.log.fields.problems = problems;
    if (problems.length === 0) return c.json({ status: "ok" });
    const named = (await isAdministrator(c)) && { problems };
    if (failing.length > 0) return c.json({ status: "failing", ...named }, 503);
    return c.json({ status: "degraded", ...named });
  },
};

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
): Promise<Omit<HealthCheck, "checkedAt">> {
  try {
    const server = await getServer();
    const last = lastChecks.get(server);
    if (last && Date.now() - last.checkedAt < CACHE_MS) return last;
    const failing = await server.scopes.problems();
    const degraded = failing.length > 0 ? [] : await server.clients.problems();
    const check = { failing, degraded, checkedAt: Date.now() };
    lastChecks.set(server, check);
    return check;
  } catch (error) {
    return { failing: problemsIn(error), degraded: [] };
  }
}

function problemsIn(error: unknown): Problem[] {
  if (!(error instanceof OAuthError)) throw error;
  return error.details.problems ?? [{ name: "KV", problem: "does not answer" }];
}
