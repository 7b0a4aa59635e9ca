import { listDurableObjectIds, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import type {
  ExchangeAttempt,
  NewFamily,
} from "../../../src/oauth/repositories.ts";
import { fieldErrors } from "../../support/admin.ts";
import { familiesWith } from "../../support/faults.ts";
import { hookedServer } from "../../support/refresh-hook.ts";
import { server, serverWith, type TestServer } from "../../support/server.ts";

/** Tests that the server tries everything that it needs, `POST /admin/doctor`. */

interface Checks {
  checks: { name: string; duration_ms: number; problem?: string }[];
}

/** What each check found. `ok` stands for no problem. */
async function examine(examined: TestServer): Promise<Record<string, string>> {
  const { checks } = await examined.expectAdmin<Checks>("POST", "/doctor");
  return Object.fromEntries(
    checks.map(({ name, problem }) => [name, problem ?? "ok"]),
  );
}

const healthy = {
  KV: "ok",
  KV_RECORD_WRITER: "ok",
  TOKEN_FAMILY: "ok",
  SUBJECT_INDEX: "ok",
  LEAGUE_LEDGER: "ok",
  ASSERTION_LEDGER: "ok",
  PRIVATE_KEY: "ok",
  GUESSES_PER_NETWORK: "ok",
  GUESSES_PER_SITE: "ok",
};

/**
 * Does what the alarm of every family does. Not by the alarm itself, because the runtime may be at it: that of a family
 * which has ended is due at once.
 */
async function endFamilies(): Promise<void> {
  for (const id of await listDurableObjectIds(env.TOKEN_FAMILY))
    await runInDurableObject(env.TOKEN_FAMILY.get(id), (family) =>
      family.alarm(),
    );
}

/** The number of keys, alarms and tables that the objects of a class keep. */
async function kept(
  namespace: DurableObjectNamespace<Rpc.DurableObjectBranded & undefined>,
): Promise<number> {
  let count = 0;
  for (const id of await listDurableObjectIds(namespace))
    count += await runInDurableObject(
      namespace.get(id),
      async (_, { storage }) => {
        const keys = await storage.list();
        const alarms = (await storage.getAlarm()) === null ? 0 : 1;
        // The tables of the runtime itself begin with _cf_.
        const tables = storage.sql.exec(
          "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'",
        );
        return keys.size + alarms + tables.toArray().length;
      },
    );
  return count;
}

describe("POST /admin/doctor", () => {
  it("tries KV, every Durable Object class, the limits and the key, with the time of each", async () => {
    expect(await examine(server)).toEqual(healthy);
    const { checks } = await server.expectAdmin<Checks>("POST", "/doctor");
    for (const { duration_ms } of checks)
      expect(duration_ms).toBeGreaterThanOrEqual(0);
  });

  it("plays with a client that nobody can register", async () => {
    const ids: string[] = [];
    const TOKEN_FAMILY = familiesWith((_, real) => ({
      create(family: NewFamily) {
        ids.push(family.login.client_id);
        return real().create(family);
      },
      exchange: (attempt: ExchangeAttempt) => real().exchange(attempt),
      revoke: () => real().revoke(),
      look: () => real().look(),
    }));
    await examine(serverWith({ TOKEN_FAMILY }));
    expect(ids).toHaveLength(1);
    const [client_id] = ids;
    const response = await server.admin("POST", "/clients", { client_id });
    expect(Object.keys(await fieldErrors(response))).toEqual(["client_id"]);
  });

  it("leaves nothing: no family, no list of a user, no record, no row", async () => {
    await examine(server);
    await endFamilies();
    for (const namespace of [
      env.TOKEN_FAMILY,
      env.SUBJECT_INDEX,
      env.KV_RECORD_WRITER,
      env.LEAGUE_LEDGER,
      env.ASSERTION_LEDGER,
    ])
      expect(await kept(namespace as never)).toBe(0);
    expect((await env.KV.list()).keys).toEqual([]);
  });

  it.each([
    "LEAGUE_LEDGER",
    "ASSERTION_LEDGER",
    "SUBJECT_INDEX",
    "KV_RECORD_WRITER",
    "GUESSES_PER_NETWORK",
    "GUESSES_PER_SITE",
  ])("names a binding that is missing: %s", async (name) => {
    const found = await examine(serverWith({ [name]: undefined }));
    expect(found[name]).not.toBe("ok");
    expect(found).toEqual({
      ...healthy,
      [name]: expect.any(String),
      // A family is in its user's list before anybody has its token.
      ...(name === "SUBJECT_INDEX" && { TOKEN_FAMILY: expect.any(String) }),
    });
  });

  it("names an object that does not do what it should", async () => {
    const forgetful = {
      newUniqueId: () => env.TOKEN_FAMILY.newUniqueId(),
      idFromString: (id: string) => env.TOKEN_FAMILY.idFromString(id),
      get: () => ({
        create: async () => undefined,
        exchange: async () => JSON.stringify({ outcome: "refused" }),
        revoke: async () => ({ outcome: "revoked" }),
        look: async () => undefined,
      }),
    };
    const found = await examine(serverWith({ TOKEN_FAMILY: forgetful }));
    expect(found["TOKEN_FAMILY"]).toBe(
      "Error: the exchange of a family's token did not work",
    );
  });

  it("asks a refresh hook about a user that does not exist, if one is bound", async () => {
    for (const allowed of [true, false]) {
      const { hooked, questions } = hookedServer(() => ({ allowed }));
      expect(await examine(hooked)).toEqual({ ...healthy, REFRESH_HOOK: "ok" });
      expect(questions).toMatchObject([
        { subject: expect.stringMatching(/^baton doctor /) as string },
      ]);
    }
    const { hooked: broken } = hookedServer(() => ({ allowed: "yes" }));
    const { REFRESH_HOOK } = await examine(broken);
    expect(REFRESH_HOOK).toBe("allowed must be true");
  });

  it("is refused without the admin token", async () => {
    const response = await server.http("/admin/doctor", { method: "POST" });
    expect(response.status).toBe(401);
  });
});
