import { exports } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { listenToLog, parsedLog } from "../support/log.ts";
import {
  everyLoginClaim as all,
  extraClaims,
  inAccessToken,
} from "../support/login-claims.ts";
import { hookedServer, keptClaims } from "../support/refresh-hook.ts";
import {
  refusal,
  server,
  serverWith,
  type TestClient,
} from "../support/server.ts";

/** Tests a refresh hook that makes no decision: it throws, it answers nonsense, or it is late. */

afterEach(() => vi.restoreAllMocks());

const failed = [503, "temporarily_unavailable", "refresh_hook_failed"];
const closed = { REFRESH_HOOK_FAIL_CLOSED: "on" };

let client: TestClient;

beforeAll(async () => {
  client = await server.makeClient();
});

function throwText(): never {
  throw "alice";
}

/** Starts a login. @returns its first refresh token */
async function newLogin(claims: object = {}): Promise<string> {
  return (await server.login(client, { ...claims })).refresh_token;
}

describe("a hook that makes no decision", () => {
  const faults: [string, string, () => unknown][] = [
    ["throws", "exception", () => Promise.reject(new Error("alice is ill"))],
    ["throws a text", "exception", throwText],
    ["answers nothing", "malformed", () => undefined],
    ["answers null", "malformed", () => null],
    ["answers true", "malformed", () => true],
    ["answers a text", "malformed", () => "alice"],
    ["answers a list", "malformed", () => [{ allowed: true }]],
    ["answers a function", "malformed", () => () => ({ allowed: true })],
    ["answers an empty object", "malformed", () => ({})],
    ["answers allowed: 1", "malformed", () => ({ allowed: 1 })],
    ["answers allowed: null", "malformed", () => ({ allowed: null })],
    [
      "misspells a field",
      "malformed",
      () => ({ allowed: true, claim: { role: "alice" } }),
    ],
    [
      "answers claims that are a text",
      "malformed",
      () => ({ allowed: true, claims: "alice" }),
    ],
    [
      "answers an auth_time that is a text",
      "malformed",
      () => ({ allowed: true, auth_time: "alice" }),
    ],
    [
      "names a registered claim",
      "malformed",
      () => ({ allowed: true, claims: { sub: "alice" } }),
    ],
    [
      "names __proto__",
      "malformed",
      () => JSON.parse('{"allowed":true,"claims":{"__proto__":"alice"}}'),
    ],
    [
      "answers a Date in a claim",
      "malformed",
      () => ({ allowed: true, userinfo: { alice: new Date(0) } }),
    ],
    [
      "answers a sign-in of tomorrow",
      "malformed",
      () => ({
        allowed: true,
        auth_time: Math.floor(Date.now() / 1000) + 86_400,
      }),
    ],
    [
      "answers a field whose name is a sentence",
      "malformed",
      () => ({ allowed: true, "alice is ill": true }),
    ],
    [
      "answers claims that are too large",
      "malformed",
      () => ({ allowed: true, claims: { x: "alice".repeat(500) } }),
    ],
  ];

  it.each(faults)(
    "because it %s does not stop the refresh, and the log says %s and nothing else of the answer",
    async (_name, reason, decide) => {
      const lines = listenToLog();
      const { hooked, questions } = hookedServer(decide);
      const token = await newLogin({ subject: "bob", ...all });
      const next = await hooked.expectRefresh(client, token);
      expect(extraClaims(next)).toEqual(inAccessToken);
      expect(questions).toHaveLength(1);
      const events = parsedLog(lines).filter(
        ({ event }) => event === "refresh_hook.failed",
      );
      expect(events).toEqual([expect.objectContaining({ reason })]);
      expect(JSON.stringify(events)).not.toMatch(/alice|bob/);
    },
  );

  it("refuses the refresh where the operator wants a decision, and consumes nothing: the same token outlives every fault", async () => {
    const token = await newLogin();
    for (const [name, , decide] of faults) {
      const { hooked } = hookedServer(decide, closed);
      const response = await hooked.refresh(client, token);
      expect(response.headers.get("Retry-After")).toMatch(/^[1-3]$/);
      expect(await refusal(response), name).toEqual(failed);
    }
    const { hooked } = hookedServer(() => ({ allowed: true }), closed);
    await hooked.expectRefresh(client, token);
  });

  it("keeps everything that is stored, also where only one field is wrong", async () => {
    const token = await newLogin(all);
    const { hooked } = hookedServer(() => ({
      allowed: true,
      acr: "3",
      claims: { x: "x".repeat(3000) },
    }));
    const next = await hooked.expectRefresh(client, token);
    expect(extraClaims(next)).toEqual(inAccessToken);
    expect(await keptClaims(client, next.refresh_token)).toEqual(all);
  });

  it("because its claims are too large together with those that are kept", async () => {
    const userinfo = { name: "n".repeat(1500) };
    const claims = { role: "r".repeat(1000) };
    const { hooked } = hookedServer(() => ({ allowed: true, claims }));
    const token = await newLogin({ userinfo });
    const next = await hooked.expectRefresh(client, token);
    expect(await keptClaims(client, next.refresh_token)).toEqual({ userinfo });
    const instead = { allowed: true, claims, userinfo: null };
    const { hooked: replacing } = hookedServer(() => instead);
    const other = await newLogin({ userinfo });
    const last = await replacing.expectRefresh(client, other);
    expect(await keptClaims(client, last.refresh_token)).toEqual({ claims });
  });

  it("because it throws or is not running, which an Error does not tell apart", async () => {
    const error =
      "the Worker that REFRESH_HOOK binds threw an exception or is not running";
    const lines = listenToLog();
    const { hooked } = hookedServer(() => Promise.reject(new Error("alice")));
    await hooked.expectRefresh(client, await newLogin());
    expect(parsedLog(lines)).toContainEqual(
      expect.objectContaining({ event: "refresh_hook.failed", error }),
    );
  });

  it("because the Worker that is bound has no such method, by real RPC", async () => {
    const lines = listenToLog();
    const token = await newLogin();
    const { Login } = exports as unknown as { Login: object };
    const set = { REFRESH_HOOK: Login, REFRESH_HOOK_TIMEOUT: "PT10S" };
    await serverWith(set).expectRefresh(client, token);
    expect(parsedLog(lines)).toContainEqual(
      expect.objectContaining({
        event: "refresh_hook.failed",
        reason: "exception",
        error: "the Worker that is bound has no method decideRefresh",
      }),
    );
  });
});

describe("a hook that is late", () => {
  /** A hook that answers when the test says so. */
  function slow(bindings: object) {
    const answer = Promise.withResolvers<unknown>();
    const { hooked } = hookedServer(() => answer.promise, {
      REFRESH_HOOK_TIMEOUT: "PT0.1S",
      ...bindings,
    });
    return { hooked, answer };
  }

  it("does not stop the refresh, and nothing of what it says later is applied", async () => {
    const lines = listenToLog();
    const token = await newLogin();
    const { hooked, answer } = slow({});
    const next = await hooked.expectRefresh(client, token);
    answer.resolve({ allowed: true, claims: { role: "admin" } });
    await answer.promise;
    expect(await keptClaims(client, next.refresh_token)).toEqual({});
    expect(parsedLog(lines)).toContainEqual(
      expect.objectContaining({
        event: "refresh_hook.failed",
        reason: "late",
        error: "no answer within 100 ms",
      }),
    );
  });

  it("decides if it is slow and in time", async () => {
    const answer = Promise.withResolvers<unknown>();
    const { hooked: impatient } = hookedServer(() => answer.promise, {
      REFRESH_HOOK_TIMEOUT: "PT0.1S",
    });
    const { hooked: patient } = hookedServer(() => answer.promise);
    const claims = { role: "reader" };
    const waiting = patient.expectRefresh(client, await newLogin());
    // The answer comes when another server has waited for it in vain.
    await impatient.expectRefresh(client, await newLogin());
    answer.resolve({ allowed: true, claims });
    expect(extraClaims(await waiting)).toEqual(claims);
  });

  it("ends no login with a no that comes too late", async () => {
    const token = await newLogin();
    const { hooked, answer } = slow({});
    const next = await hooked.expectRefresh(client, token);
    answer.resolve({ allowed: false });
    await answer.promise;
    await server.expectRefresh(client, next.refresh_token);
  });

  it("that throws too late harms nobody", async () => {
    const token = await newLogin();
    const { hooked, answer } = slow({});
    const next = await hooked.expectRefresh(client, token);
    answer.reject(new Error("too late"));
    await server.expectRefresh(client, next.refresh_token);
  });

  it("refuses the refresh where the operator wants a decision, and consumes nothing", async () => {
    const token = await newLogin();
    const { hooked, answer } = slow(closed);
    expect(await refusal(await hooked.refresh(client, token))).toEqual(failed);
    answer.resolve({ allowed: false });
    await answer.promise;
    await server.expectRefresh(client, token);
  });
});
