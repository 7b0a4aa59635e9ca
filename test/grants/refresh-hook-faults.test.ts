import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import worker from "../../src/index.ts";
import type { ExchangeAttempt } from "../../src/oauth/repositories.ts";
import { familiesWith, fault } from "../support/faults.ts";
import { keys, oldToken, takeOver } from "../support/league.ts";
import { listenToLog, parsedLog } from "../support/log.ts";
import { hookedServer, keptClaims } from "../support/refresh-hook.ts";
import { ISSUER, refusal, server } from "../support/server.ts";

/** Tests the refresh hook beside faults of the storage, for league tokens, and when it fails many times. */

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const unavailable = [503, "temporarily_unavailable", "storage_unavailable"];
const claims = { role: "reader" };

async function newLogin() {
  const client = await server.makeClient();
  const { refresh_token } = await server.login(client);
  return { client, token: refresh_token };
}

describe("a fault of the storage", () => {
  it("before the hook is asked consumes nothing", async () => {
    const { client, token } = await newLogin();
    const TOKEN_FAMILY = familiesWith((_, real) => ({
      look: () => fault("too many", { overloaded: true }),
      exchange: (attempt: ExchangeAttempt) => real().exchange(attempt),
    }));
    const { hooked, questions } = hookedServer(() => ({ allowed: true }), {
      TOKEN_FAMILY,
    });
    const response = await hooked.refresh(client, token);
    expect(await refusal(response)).toEqual(unavailable);
    expect(questions).toEqual([]);
    await server.expectRefresh(client, token);
  });

  it("after the hook was asked loses no claims: the repeated attempt has them, and the hook is not asked again", async () => {
    const { client, token } = await newLogin();
    let exchanges = 0;
    const TOKEN_FAMILY = familiesWith((_, real) => ({
      look: () => real().look(),
      async exchange(attempt: ExchangeAttempt) {
        const result = await real().exchange(attempt);
        exchanges += 1;
        return exchanges === 1 ? fault("lost", { retryable: true }) : result;
      },
    }));
    const { hooked, questions } = hookedServer(
      () => ({ allowed: true, claims }),
      { TOKEN_FAMILY },
    );
    const next = await hooked.expectRefresh(client, token);
    expect([exchanges, questions.length]).toEqual([2, 1]);
    expect(await keptClaims(client, next.refresh_token)).toEqual({ claims });
  });

  it("while the login is ended refuses the refresh, and the hook decides again", async () => {
    const { client, token } = await newLogin();
    const TOKEN_FAMILY = familiesWith((_, real) => ({
      look: () => real().look(),
      revoke: () => fault("too many", { overloaded: true }),
    }));
    const { hooked } = hookedServer(() => ({ allowed: false }), {
      TOKEN_FAMILY,
    });
    const response = await hooked.refresh(client, token);
    expect(await refusal(response)).toEqual(unavailable);
    await server.expectRefresh(client, token);
  });

  it("in a login that ends while the hook decides does not bring it back", async () => {
    const { client, token } = await newLogin();
    const { hooked } = hookedServer(async () => {
      const response = await server.about("/revoke", client, token);
      expect(response.status).toBe(200);
      return { allowed: true, claims };
    });
    const response = await hooked.refresh(client, token);
    expect(await refusal(response)).toEqual([
      400,
      "invalid_grant",
      "family_ended",
    ]);
  });

  it("is not an event if the login had ended before the hook said no", async () => {
    const lines = listenToLog();
    const { client, token } = await newLogin();
    const { hooked } = hookedServer(async () => {
      await server.about("/revoke", client, token);
      return { allowed: false };
    });
    const response = await hooked.refresh(client, token);
    expect(await refusal(response)).toEqual([
      400,
      "invalid_grant",
      "login_denied_by_hook",
    ]);
    const names = parsedLog(lines).map(({ event }) => event);
    expect(names).not.toContain("login.denied_by_hook");
  });
});

describe("a league token", () => {
  it("becomes a login without a question; its successors are asked about", async () => {
    const client_id = `old-${crypto.randomUUID()}`;
    const subject = crypto.randomUUID();
    const token = await oldToken({ client_id, user_id: subject });
    const client = await takeOver(server, client_id);
    const { hooked, questions } = hookedServer(
      () => ({ allowed: true, claims }),
      { LEAGUE_ENCRYPTION_KEY: keys.defuse.value },
    );
    const first = await hooked.expectRefresh(client, token);
    expect(questions).toEqual([]);
    await hooked.expectRefresh(client, first.refresh_token);
    expect(questions).toMatchObject([{ client_id, subject }]);
  });
});

describe("a hook that fails with each refresh", () => {
  it("is sent as an event once per minute and reason, with the number of those before, and is in the log each time", async () => {
    const lines = listenToLog();
    const { client, token } = await newLogin();
    const sent: Record<string, unknown>[] = [];
    const EVENTS = {
      sendBatch: async (batch: { body: Record<string, unknown> }[]) => {
        sent.push(...batch.map(({ body }) => body));
      },
    };
    let isBroken = false;
    const REFRESH_HOOK = {
      async decideRefresh() {
        if (isBroken) throw new Error("broken");
        return null;
      },
    };
    const bindings = { ...env, EVENTS, REFRESH_HOOK };
    let current = token;
    const refresh = async (from: string) => {
      const request = new Request(`${ISSUER}/access_token`, {
        method: "POST",
        headers: { "CF-Connecting-IP": from },
        body: new URLSearchParams({
          grant_type: "refresh_token",
          refresh_token: current,
          client_id: client.client_id,
          client_secret: client.client_secret,
        }),
      });
      const context = createExecutionContext();
      const response = await worker.fetch(request, bindings, context);
      const tokens = await response.json<{ refresh_token: string }>();
      current = tokens.refresh_token;
    };
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    for (const from of ["192.0.2.1", "192.0.2.2", "192.0.2.3"])
      await refresh(from);
    expect(sent).toMatchObject([
      { event: "refresh_hook.failed", reason: "malformed" },
    ]);
    expect(sent[0]).not.toHaveProperty("subject");
    isBroken = true;
    await refresh("192.0.2.1");
    expect(sent.slice(1)).toMatchObject([{ reason: "exception" }]);
    vi.setSystemTime(Date.now() + 61_000);
    isBroken = false;
    await refresh("192.0.2.1");
    expect(sent.slice(2)).toMatchObject([{ reason: "malformed", repeated: 2 }]);
    const failures = parsedLog(lines).filter(
      ({ event }) => event === "refresh_hook.failed",
    );
    expect(failures).toHaveLength(5);
  });
});
