import type { Context } from "hono";
import { certificateMethods } from "../oauth/authentication-methods.ts";
import type { Client } from "../oauth/entities.ts";
import { OAuthError, type Problem } from "../oauth/errors.ts";
import { GuessLimit } from "../oauth/guess-limit.ts";
import { includesRole } from "../oauth/roles.ts";
import { unwrapSecret } from "../oauth/secret-floor.ts";
import type { Server } from "../oauth/server.ts";
import type { Settings } from "../oauth/settings.ts";
import {
  configuredKeys,
  type LifetimesInUse,
  lifetimesInUse,
} from "./configured-keys.ts";
import { type AppEnv, type Endpoint, now } from "./endpoint.ts";
import { VERSION } from "./version.ts";
import {
  findAdministrator,
  hasRootToken,
  isAdminApiOn,
} from "./administrator.ts";

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
 * Tells whether the server can work: 200 if configuration, keys and both catalogues can be read, else 503.
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
      ...(server.settings.refresh_hook && {
        refresh_hook: server.settings.refresh_hook,
      }),
      ...(hasMoreClients && { more_clients: true }),
    }
  );
}

/**
 * Tells whether an administrator asks: anybody but a sign-in page. While there is no parsed configuration, the token is
 * that of the bindings: it may be the token that is malformed.
 */
async function isAdministrator(c: Context<AppEnv>): Promise<boolean> {
  const server = await c.var.server().catch(() => undefined);
  if (server) {
    if (!isAdminApiOn(server.settings)) return false;
    const found = await findAdministrator(c, server);
    return (
      found !== undefined && "role" in found && includesRole(found.role, "read")
    );
  }
  const set: unknown = c.env.ADMIN_TOKEN;
  const token = typeof set === "string" ? unwrapSecret(set) : "";
  return token !== "" && hasRootToken(c, token, guessesWithoutServer);
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
    const failing = [
      ...(await server.scopes.problems()),
      ...(await server.resources.problems()),
    ];
    const check = {
      failing,
      ...(failing.length > 0 ? { degraded: [] } : await checkRecords(server)),
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

/**
 * Reads the records whose problem keeps one client, or the named admin tokens, from working. Looks for the bindings
 * without which no client can register itself, or use an assertion.
 */
async function checkRecords(server: Server) {
  const { clients, settings, administration } = server;
  const { clients: found, malformed, hasMore } = await clients.survey();
  const resources = Object.values(await server.resources.catalogue());
  const { tokens } = await administration();
  const missing = settings.dynamic_registration
    ? (await server.registrationQuota()).problems()
    : [];
  const hasAssertions = found.some(
    ({ token_endpoint_auth_method: method }) => method === "private_key_jwt",
  );
  if (hasAssertions)
    missing.push(...(await server.usedAssertions()).problems());
  missing.push(...certificateProblems(settings, found));
  return {
    degraded: [...malformed, ...(await tokens.problems()), ...missing],
    inUse: lifetimesInUse(settings, [...found, ...resources]),
    hasMoreClients: hasMore,
  };
}

/** Finds clients that need a certificate where nothing reads one. Every request of theirs is refused. */
function certificateProblems(
  { client_certificates }: Settings,
  clients: readonly Client[],
): Problem[] {
  const refused = clients.filter(
    (client) =>
      client.tls_client_certificate_bound_access_tokens ||
      (client.token_endpoint_auth_method &&
        certificateMethods.includes(client.token_endpoint_auth_method)),
  );
  const [first] = refused;
  if (client_certificates || !first) return [];
  const name = "CLIENT_CERTIFICATES";
  const others = refused.length > 1 ? ` and ${refused.length - 1} more` : "";
  const problem = `is not on, and the client ${first.client_id}${others} must send a certificate: it gets no token`;
  return [{ name, problem }];
}

function problemsIn(error: unknown): Problem[] {
  if (!(error instanceof OAuthError)) throw error;
  return error.details.problems ?? [{ name: "KV", problem: "does not answer" }];
}
