import { exports } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { countingBindings } from "../support/counting.ts";
import { listenToLog, parsedLog } from "../support/log.ts";
import {
  hookedServer,
  keptClaims,
  loginWithClaims,
} from "../support/refresh-hook.ts";
import {
  countRefusals,
  refusal,
  server,
  serverWith,
  type TestServer,
} from "../support/server.ts";

/** Tests the refresh hook: who is asked when, and what its answer does. */

afterEach(() => vi.restoreAllMocks());

const denied = [400, "invalid_grant", "login_denied_by_hook"];
const failed = [503, "temporarily_unavailable", "refresh_hook_failed"];

/** Makes a client, and a login of its own with the scopes `read` and `write`. */
async function newLogin(metadata: Record<string, unknown> = {}) {
  await server.makeScopes("read", "write");
  const client = await server.makeClient({ scope: "read write", ...metadata });
  const subject = crypto.randomUUID();
  const { refresh_token } = await server.login(client, { subject });
  return { client, subject, token: refresh_token };
}

async function grantsOf(subject: string) {
  const { grants } = await server.expectAdmin<{
    grants: { grant_id: string; created_at: number }[];
  }>("GET", `/subjects/${subject}/grants`);
  return grants;
}

describe("without the binding", () => {
  it("a refresh costs one object call and no KV access, as before there was a hook", async () => {
    const { calls, bindings } = countingBindings();
    const counted = serverWith(bindings);
    const { client, token } = await newLogin();
    const next = await counted.expectRefresh(client, token);
    const before = { ...calls };
    await counted.expectRefresh(client, next.refresh_token);
    expect(calls).toEqual({ ...before, family: before.family + 1 });
  });
});

describe("a bound hook", () => {
  it("costs one object call more, and no KV access", async () => {
    const { calls, bindings } = countingBindings();
    const { hooked } = hookedServer(() => ({ allowed: true }), bindings);
    const { client, token } = await newLogin();
    const next = await hooked.expectRefresh(client, token);
    const before = { ...calls };
    await hooked.expectRefresh(client, next.refresh_token);
    expect(calls).toEqual({ ...before, family: before.family + 2 });
  });

  it("is asked once per refresh, about the login and what is asked for", async () => {
    const { hooked, questions } = hookedServer(() => ({ allowed: true }));
    const { client, subject, token } = await newLogin();
    const [grant] = await grantsOf(subject);
    const next = await hooked.expectRefresh(client, token, { scope: "read" });
    const asked = {
      grant_id: grant!.grant_id,
      client_id: client.client_id,
      subject,
      scope: "read write",
      created_at: grant!.created_at,
    };
    expect(questions).toEqual([{ ...asked, requested_scope: "read" }]);
    await hooked.expectRefresh(client, next.refresh_token);
    expect(questions.slice(1)).toEqual([asked]);
  });

  it("is not asked about a code, a first login or a client's own token", async () => {
    const { hooked, questions } = hookedServer(() => ({ allowed: false }));
    const client = await server.makeClient({
      grant_types: ["client_credentials", "refresh_token"],
    });
    await hooked.login(client);
    const response = await hooked.token({
      grant_type: "client_credentials",
      ...client,
    });
    expect(response.status).toBe(200);
    expect(questions).toEqual([]);
  });
});

describe("a token that cannot be exchanged never reaches the hook:", () => {
  it("forged, used, another client's, or with a wrong secret", async () => {
    const { hooked, questions } = hookedServer(() => ({ allowed: false }));
    const { client, token } = await newLogin();
    const stranger = await server.makeClient();
    const forged = token.slice(0, -1) + (token.endsWith("A") ? "B" : "A");
    const wrong = { ...client, client_secret: "wrong" };
    expect(
      await countRefusals([
        await hooked.refresh(client, forged),
        await hooked.refresh(stranger, token),
        await hooked.refresh(wrong, token),
      ]),
    ).toEqual({
      "400 invalid_grant refresh_token_forged": 1,
      "400 invalid_grant refresh_token_of_another_client": 1,
      "401 invalid_client client_secret_wrong": 1,
    });
    const next = await server.expectRefresh(client, token);
    expect(await refusal(await hooked.refresh(client, token))).toEqual([
      400,
      "invalid_grant",
      "refresh_token_reused",
    ]);
    expect(
      await refusal(await hooked.refresh(client, next.refresh_token)),
    ).toEqual([400, "invalid_grant", "family_ended"]);
    expect(questions).toEqual([]);
  });

  it("of a login that its client's record has ended", async () => {
    const { hooked, questions } = hookedServer(() => ({ allowed: true }));
    const { client, token } = await newLogin();
    await server.expectAdmin("PATCH", `/clients/${client.client_id}`, {
      tokens_not_before: Math.floor(Date.now() / 1000),
    });
    expect(await refusal(await hooked.refresh(client, token))).toEqual([
      400,
      "invalid_grant",
      "client_logins_ended",
    ]);
    expect(questions).toEqual([]);
  });

  it("with a scope or resource beyond the grant, and nothing changes", async () => {
    const { hooked, questions } = hookedServer(() => ({ allowed: false }));
    const { client, token } = await newLogin();
    const refused = [
      await hooked.refresh(client, token, { scope: "read admin" }),
      await hooked.refresh(client, token, { resource: "https://a.example/" }),
    ];
    expect(await countRefusals(refused)).toEqual({
      "400 invalid_scope scope_not_granted": 1,
      "400 invalid_target resource_not_allowed": 1,
    });
    expect(questions).toEqual([]);
    await server.expectRefresh(client, token);
  });
});

describe("an answer with allowed: true", () => {
  const claims = { role: "admin", tenant: { id: 7 } };
  const all = {
    auth_time: 1_700_000_000,
    acr: "2",
    amr: ["pwd", "otp"],
    sid: "session-1",
    claims,
    id_token_claims: { name: "Alice" },
    userinfo: { email: "alice@example.com" },
  };

  it("changes nothing of the login without claims", async () => {
    const { client } = await newLogin();
    const token = await loginWithClaims(client, all, { scope: "read" });
    const { hooked, questions } = hookedServer(() => ({
      allowed: true,
      claims: undefined,
    }));
    const next = await hooked.expectRefresh(client, token);
    expect(questions[0]).toMatchObject(all);
    expect(await keptClaims(client, next.refresh_token)).toEqual(all);
  });

  it("replaces the fields that it names, and keeps the others", async () => {
    const { client } = await newLogin();
    const token = await loginWithClaims(client, all);
    const changes = { claims: { role: "reader" }, acr: "1" };
    const next = await loginAfter(changes, client, token);
    expect(await keptClaims(client, next)).toEqual({ ...all, ...changes });
  });

  it("removes the fields that are null, also where there are none", async () => {
    const { client, token: fresh } = await newLogin();
    const token = await loginWithClaims(client, all);
    const nothing = Object.fromEntries(
      Object.keys(all).map((name) => [name, null]),
    );
    const next = await loginAfter(nothing, client, token);
    expect(await keptClaims(client, next)).toEqual({});
    const other = await loginAfter(nothing, client, fresh);
    expect(await keptClaims(client, other)).toEqual({});
  });

  it("counts if it is slow and in time", async () => {
    const { client, token } = await newLogin();
    const { hooked } = hookedServer(
      async () => {
        await scheduler.wait(200);
        return { allowed: true, claims };
      },
      { REFRESH_HOOK_TIMEOUT: "PT10S" },
    );
    const next = await hooked.expectRefresh(client, token);
    expect(await keptClaims(client, next.refresh_token)).toEqual({ claims });
  });

  /** Refreshes with a hook that makes changes. @returns the next token */
  async function loginAfter(
    changes: object,
    client: { client_id: string; client_secret: string },
    token: string,
  ): Promise<string> {
    const { hooked } = hookedServer(() => ({ allowed: true, ...changes }));
    return (await hooked.expectRefresh(client, token)).refresh_token;
  }
});

describe("an answer with allowed: false", () => {
  it("ends the login and no other, says so, and is an event that names it", async () => {
    const lines = listenToLog();
    const { client, subject, token } = await newLogin();
    const [grant] = await grantsOf(subject);
    const sibling = await server.login(client, { subject });
    // A no is a no, whatever stands beside it.
    const no = { allowed: false, reason: "left the company" };
    const { hooked } = hookedServer(() => no);
    const response = await hooked.refresh(client, token);
    const { error_description } = await response
      .clone()
      .json<{ error_description: string }>();
    expect(error_description).toMatch(/may not go on.*must sign in again/);
    expect(await refusal(response)).toEqual(denied);
    const events = parsedLog(lines).filter(({ event }) => event !== "request");
    expect(
      events.filter(({ event }) => String(event).startsWith("login")),
    ).toEqual([
      expect.objectContaining({
        event: "login.denied_by_hook",
        subject,
        grant_id: grant!.grant_id,
        client_id: client.client_id,
      }),
    ]);
    expect(await refusal(await server.refresh(client, token))).toEqual([
      400,
      "invalid_grant",
      "family_ended",
    ]);
    await server.expectRefresh(client, sibling.refresh_token);
    expect(await grantsOf(subject)).toHaveLength(1);
  });
});

describe("a hook that makes no decision", () => {
  const faults: [string, string, () => unknown][] = [
    ["throws", "exception", () => Promise.reject(new Error("alice is ill"))],
    ["throws a text", "exception", () => Promise.reject("alice" as never)],
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
      "answers claims that are too large",
      "malformed",
      () => ({ allowed: true, claims: { x: "alice".repeat(500) } }),
    ],
  ];

  it.each(faults)(
    "because it %s does not stop the refresh, and the log says %s and nothing else of the answer",
    async (_name, reason, decide) => {
      const lines = listenToLog();
      const { client, token } = await newLogin();
      const { hooked, questions } = hookedServer(decide);
      const next = await hooked.expectRefresh(client, token);
      expect(questions).toHaveLength(1);
      const events = parsedLog(lines).filter(
        ({ event }) => event === "refresh_hook.failed",
      );
      expect(events).toEqual([expect.objectContaining({ reason })]);
      expect(lines.join("\n")).not.toContain("alice");
      expect(await keptClaims(client, next.refresh_token)).toEqual({});
    },
  );

  it("keeps what is stored of the login", async () => {
    const { client } = await newLogin();
    const claims = { role: "reader" };
    const token = await loginWithClaims(client, { claims });
    const { hooked } = hookedServer(() => ({
      allowed: true,
      acr: "3",
      claims: { x: "x".repeat(3000) },
    }));
    const next = await hooked.expectRefresh(client, token);
    expect(await keptClaims(client, next.refresh_token)).toEqual({ claims });
  });

  it("because its claims are too large together with those that are kept", async () => {
    const { client } = await newLogin();
    const userinfo = { name: "n".repeat(1500) };
    const token = await loginWithClaims(client, { userinfo });
    const claims = { role: "r".repeat(1000) };
    const { hooked } = hookedServer(() => ({ allowed: true, claims }));
    const next = await hooked.expectRefresh(client, token);
    expect(await keptClaims(client, next.refresh_token)).toEqual({ userinfo });
    const both = { claims, userinfo: null };
    const last = await loginWithClaimsFrom(client, both);
    expect(await keptClaims(client, last)).toEqual({ claims });

    async function loginWithClaimsFrom(to: typeof client, changes: object) {
      const { refresh_token } = await server.login(to);
      const { hooked: other } = hookedServer(() => ({
        allowed: true,
        ...changes,
      }));
      return (await other.expectRefresh(to, refresh_token)).refresh_token;
    }
  });

  it("because the Worker that is bound has no such method, by real RPC", async () => {
    const lines = listenToLog();
    const { client, token } = await newLogin();
    const REFRESH_HOOK = (exports as unknown as { Login: object }).Login;
    await serverWith({ REFRESH_HOOK }).expectRefresh(client, token);
    expect(parsedLog(lines)).toContainEqual(
      expect.objectContaining({
        event: "refresh_hook.failed",
        reason: "exception",
        error: "the Worker that is bound has no method decideRefresh",
      }),
    );
  });

  const closed = { REFRESH_HOOK_FAIL_CLOSED: "on" };

  it.each(faults)(
    "because it %s refuses the refresh where the operator wants a decision, and consumes nothing",
    async (_name, _reason, decide) => {
      const { client, token } = await newLogin();
      const { hooked } = hookedServer(decide, closed);
      const response = await hooked.refresh(client, token);
      expect(response.headers.get("Retry-After")).toMatch(/^[1-3]$/);
      expect(await refusal(response)).toEqual(failed);
      // The same token works as soon as the hook decides.
      const { hooked: repaired } = hookedServer(
        () => ({ allowed: true }),
        closed,
      );
      await repaired.expectRefresh(client, token);
    },
  );
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
    const { client, token } = await newLogin();
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

  it("ends no login with a no that comes too late", async () => {
    const { client, token } = await newLogin();
    const { hooked, answer } = slow({});
    const next = await hooked.expectRefresh(client, token);
    answer.resolve({ allowed: false });
    await answer.promise;
    await server.expectRefresh(client, next.refresh_token);
  });

  it("that throws too late harms nobody", async () => {
    const { client, token } = await newLogin();
    const { hooked, answer } = slow({});
    const next = await hooked.expectRefresh(client, token);
    answer.reject(new Error("too late"));
    await server.expectRefresh(client, next.refresh_token);
  });

  it("refuses the refresh where the operator wants a decision, and consumes nothing", async () => {
    const { client, token } = await newLogin();
    const { hooked, answer } = slow({ REFRESH_HOOK_FAIL_CLOSED: "on" });
    expect(await refusal(await hooked.refresh(client, token))).toEqual(failed);
    answer.resolve({ allowed: false });
    await answer.promise;
    await server.expectRefresh(client, token);
  });
});

describe("two refreshes at once", () => {
  /** A hook whose two callers meet before either is answered. Each gets other claims. */
  function meetingHook(client: { client_id: string; client_secret: string }) {
    const met = Promise.withResolvers<void>();
    let asked = 0;
    const { hooked } = hookedServer(
      async () => {
        const number = ++asked;
        if (number === 2) met.resolve();
        await met.promise;
        return { allowed: true, claims: { number } };
      },
      { REFRESH_HOOK_TIMEOUT: "PT10S" },
    );
    return (token: string) =>
      Promise.all([hooked, hooked].map((to) => to.refresh(client, token)));
  }

  it("of a strict client: one makes a successor, and the other ends the login", async () => {
    const { client, token } = await newLogin();
    const responses = await meetingHook(client)(token);
    const statuses = responses.map(({ status }) => status);
    expect(statuses.toSorted()).toEqual([200, 400]);
    const refused = responses.filter(({ status }) => status === 400);
    expect(await countRefusals(refused)).toEqual({
      "400 invalid_grant refresh_token_reused": 1,
    });
  });

  it("inside the retry window: both get the one successor, and the claims of the attempt that made it are stored", async () => {
    const { client, token } = await newLogin({
      refresh_token_retry_window: "PT1M",
    });
    const lines = listenToLog();
    const responses = await meetingHook(client)(token);
    const tokens = await Promise.all(
      responses.map((response) => response.json<{ refresh_token: string }>()),
    );
    expect(tokens[0]!.refresh_token).toBe(tokens[1]!.refresh_token);
    expect(
      parsedLog(lines).filter(({ event }) => event === "refresh_token.retried"),
    ).toHaveLength(1);
    const { claims } = await keptClaims(client, tokens[0]!.refresh_token);
    expect(claims).toEqual({ number: expect.toBeOneOf([1, 2]) as number });
  });
});

describe("a retry inside its window", () => {
  it("does not ask again, and a hook that says no then ends nothing", async () => {
    const { client, token } = await newLogin({
      refresh_token_retry_window: "PT1M",
    });
    const claims = { role: "reader" };
    const { hooked } = hookedServer(() => ({ allowed: true, claims }));
    const next = await hooked.expectRefresh(client, token);
    const { hooked: no, questions } = hookedServer(() => ({ allowed: false }));
    const retried = await no.expectRefresh(client, token);
    expect(retried.refresh_token).toBe(next.refresh_token);
    expect(questions).toEqual([]);
    expect(await keptClaims(client, next.refresh_token)).toEqual({ claims });
  });
});

describe("the health of a server with a hook", () => {
  const shown = async (to: TestServer) => {
    const health = await to.wholeHealth();
    return (await health.json<{ refresh_hook?: unknown }>()).refresh_hook;
  };

  it("says to an administrator that it is bound, and how it is asked", async () => {
    const { hooked } = hookedServer(() => ({ allowed: true }));
    expect(await shown(hooked)).toEqual({
      timeout_ms: 1000,
      fail_closed: false,
    });
    const { hooked: strict } = hookedServer(() => ({ allowed: true }), {
      REFRESH_HOOK_TIMEOUT: "PT0.25S",
      REFRESH_HOOK_FAIL_CLOSED: "on",
    });
    expect(await shown(strict)).toEqual({ timeout_ms: 250, fail_closed: true });
    expect(await (await strict.http("/health")).json()).toEqual({
      status: "ok",
    });
    expect(await shown(server)).toBeUndefined();
  });
});
