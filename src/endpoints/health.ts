import { OAuthError, type Problem } from "../oauth/errors.ts";
import type { Server } from "../oauth/server.ts";
import type { Endpoint } from "./endpoint.ts";

/** How long a look at the records holds: the endpoint is open to anybody. */
const KEEP_MS = 10_000;

interface Look {
  failing: Problem[];
  degraded: Problem[];
  at: number;
}

const lastLooks = new WeakMap<Server, Look>();

/**
 * Whether the server can work: 200 when configuration, keys and the scope catalogue can be read,
 * else 503 with the names of what can't. A client record that can't be read is named as well, but
 * leaves the answer at 200: it is one client's trouble.
 */
export const healthEndpoint: Endpoint = {
  path: "/health",
  method: "GET",
  cors: false,

  async respond(c) {
    const { failing, degraded } = await look(c.var.server);
    const problems = [...failing, ...degraded];
    if (problems.length > 0) c.var.log.fields.problems = problems;
    if (failing.length > 0) return c.json({ status: "failing", problems }, 503);
    if (degraded.length > 0) return c.json({ status: "degraded", problems });
    return c.json({ status: "ok" });
  },
};

async function look(connect: () => Promise<Server>): Promise<Omit<Look, "at">> {
  try {
    const server = await connect();
    const last = lastLooks.get(server);
    if (last && Date.now() - last.at < KEEP_MS) return last;
    const failing = await server.scopes.problems();
    const degraded = failing.length > 0 ? [] : await server.clients.problems();
    const now = { failing, degraded, at: Date.now() };
    lastLooks.set(server, now);
    return now;
  } catch (error) {
    return { failing: problemsIn(error), degraded: [] };
  }
}

function problemsIn(error: unknown): Problem[] {
  if (!(error instanceof OAuthError)) throw error;
  return error.details.problems ?? [{ name: "KV", problem: "does not answer" }];
}
