import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import type { ExchangeAttempt } from "../src/oauth/repositories.ts";
import { familiesWith } from "./support/faults.ts";
import { refusal, server, serverWith } from "./support/server.ts";

/** Storage that takes a call and never answers. */

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

describe("a storage call that has no answer", () => {
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
