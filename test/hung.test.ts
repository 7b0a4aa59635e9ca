import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import type { ExchangeAttempt } from "../src/oauth/repositories.ts";
import type { TokenFamily } from "../src/index.ts";
import { makeWebClient, obtainCode, redeem } from "./support/authorization.ts";
import { familiesWith, fault } from "./support/faults.ts";
import { refusal, server, serverWith, type Tokens } from "./support/server.ts";

/** Storage that takes a call and never answers. The tests wait at the same time, because each waits some seconds. */

const unavailable = [503, "temporarily_unavailable", "storage_unavailable"];

function never(): Promise<never> {
  return new Promise(() => undefined);
}

/** Runs a request and tells how long it took, in milliseconds. */
async function timed(
  request: () => Promise<Response>,
): Promise<[response: Response, ms: number]> {
  const start = performance.now();
  const response = await request();
  return [response, performance.now() - start];
}

function hungNamespace() {
  return { idFromName: () => "", get: () => ({ read: never, write: never }) };
}

describe.concurrent("a storage call that has no answer", () => {
  it("from KV ends after some seconds with 503", async () => {
    const KV = { getWithMetadata: never, list: never };
    const hung = serverWith({ KV });
    const client = await server.makeClient();
    const requests = [
      () => hung.refresh(client, "x"),
      () => hung.admin("GET", "/clients"),
      () => hung.http("/.well-known/oauth-authorization-server"),
    ];
    for (const [response, ms] of await Promise.all(requests.map(timed))) {
      expect(ms).toBeLessThan(10_000);
      expect(response.headers.get("Retry-After")).toMatch(/^[1-9]\d*$/);
      expect(await refusal(response)).toEqual(unavailable);
    }
  });

  it("from the object that writes a record ends after some seconds with 503", async () => {
    const hung = serverWith({ KV_RECORD_WRITER: hungNamespace() });
    const [response, ms] = await timed(() =>
      hung.admin("PUT", "/scopes/x", { description: "x" }),
    );
    expect(ms).toBeLessThan(10_000);
    expect(await refusal(response)).toEqual(unavailable);
  });

  it("from the family's object ends after some seconds with 503, and nothing is consumed", async () => {
    const TOKEN_FAMILY = familiesWith(() => ({ exchange: never }));
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    const [response, ms] = await timed(() =>
      serverWith({ TOKEN_FAMILY }).refresh(client, refresh_token),
    );
    expect(ms).toBeLessThan(10_000);
    expect(await refusal(response)).toEqual(unavailable);
    await server.expectRefresh(client, refresh_token);
  });

  it("is made again by the same attempt, so that an exchange whose answer is lost in silence is not lost", async () => {
    const attempts: string[] = [];
    const TOKEN_FAMILY = familiesWith((_, real) => ({
      async exchange(attempt: ExchangeAttempt) {
        attempts.push(attempt.attempt_id);
        const result = await real().exchange(attempt);
        return attempts.length === 1 ? never() : result;
      },
    }));
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    const silent = serverWith({ TOKEN_FAMILY });
    const answer = await silent.expectRefresh(client, refresh_token);
    expect(attempts).toHaveLength(2);
    expect(new Set(attempts).size).toBe(1);
    await server.expectRefresh(client, answer.refresh_token);
  });

  it("is waited for, if the answer is late", async () => {
    const TOKEN_FAMILY = familiesWith((_, real) => ({
      async exchange(attempt: ExchangeAttempt) {
        await scheduler.wait(3_000);
        return real().exchange(attempt);
      },
    }));
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    const slow = serverWith({ TOKEN_FAMILY });
    const answer = await slow.expectRefresh(client, refresh_token);
    await server.expectRefresh(client, answer.refresh_token);
  });
});

describe.concurrent(
  "a storage call that does its work after its client was answered",
  () => {
    const LATE_MS = 6_000;

    it("uses up no authorization code, and ends no login", async () => {
      const landed: Promise<unknown>[] = [];
      const TOKEN_FAMILY = familiesWith((_, real) => ({
        redeem: (...args: Parameters<TokenFamily["redeem"]>) => {
          const arrive = async () => {
            await scheduler.wait(LATE_MS);
            return await real().redeem(...args);
          };
          const late = arrive();
          landed.push(late);
          return late;
        },
        abandon: (...args: Parameters<TokenFamily["abandon"]>) =>
          real().abandon(...args),
      }));
      const client = await makeWebClient();
      const code = await obtainCode(client);
      const slow = serverWith({ TOKEN_FAMILY });
      const response = await redeem(client, code, {}, slow);
      expect(await refusal(response)).toEqual(unavailable);
      const tokens = await (await redeem(client, code)).json<Tokens>();
      expect(landed.length).toBeGreaterThan(0);
      await Promise.all(landed);
      await server.expectRefresh(client, tokens.refresh_token);
    });

    it("answers by the second call, if the first one fails after it", async () => {
      let calls = 0;
      const TOKEN_FAMILY = familiesWith((_, real) => ({
        async exchange(attempt: ExchangeAttempt) {
          calls += 1;
          if (calls > 1) {
            await scheduler.wait(1_000);
            return real().exchange(attempt);
          }
          await real().exchange(attempt);
          await scheduler.wait(3_000);
          return fault("overloaded", { overloaded: true });
        },
      }));
      const client = await server.makeClient();
      const { refresh_token } = await server.login(client);
      const faulty = serverWith({ TOKEN_FAMILY });
      const answer = await faulty.expectRefresh(client, refresh_token);
      await server.expectRefresh(client, answer.refresh_token);
    });

    it("does not keep a wrong secret waiting, if it is the rate limit", async () => {
      const silent = serverWith({ GUESSES_PER_NETWORK: { limit: never } });
      const client = await server.makeClient();
      const wrong = {
        grant_type: "refresh_token",
        client_id: client.client_id,
        client_secret: "wrong",
      };
      const from = { "CF-Connecting-IP": "192.0.2.77" };
      const [response, ms] = await timed(() => silent.token(wrong, from));
      expect(ms).toBeLessThan(4_000);
      expect(await refusal(response)).toEqual([
        401,
        "invalid_client",
        "client_secret_wrong",
      ]);
    });
  },
);

it("no timer is left when a storage call has answered", async () => {
  const set = vi.spyOn(globalThis, "setTimeout");
  const cleared = vi.spyOn(globalThis, "clearTimeout");
  const fresh = serverWith({ KV: env.KV });
  const client = await server.makeClient();
  const { refresh_token } = await server.login(client);
  set.mockClear();
  cleared.mockClear();
  await fresh.expectRefresh(client, refresh_token);
  const timers = set.mock.results.map(({ value }) => value as unknown);
  expect(timers.length).toBeGreaterThan(0);
  expect(cleared.mock.calls.map(([timer]) => timer)).toEqual(
    expect.arrayContaining(timers),
  );
  vi.restoreAllMocks();
});
