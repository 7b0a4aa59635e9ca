import { OAuthError, type Problem } from "../oauth/errors.ts";
import type { Server } from "../oauth/server.ts";
import type { Endpoint } from "./endpoint.ts";

/** How long a look through the client records holds: the endpoint is open to anybody. */
const KEEP_MS = 10_000;

interface Look {
  problems: Problem[];
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
    let problems: Problem[] = [];
    try {
      const server = await c.var.connect();
      await server.scopes.read();
      problems = await clientProblems(server);
    } catch (error) {
      if (!(error instanceof OAuthError)) throw error;
      problems = error.circumstances.problems ?? [
        { name: "KV", problem: "does not answer" },
      ];
      return c.json({ status: "failing", problems }, 503);
    }
    return c.json(
      problems.length > 0 ? { status: "degraded", problems } : { status: "ok" },
    );
  },
};

async function clientProblems(server: Server): Promise<Problem[]> {
  const last = lastLooks.get(server);
  if (last && Date.now() - last.at < KEEP_MS) return last.problems;
  const problems = await server.clients.problems();
  lastLooks.set(server, { problems, at: Date.now() });
  return problems;
}
