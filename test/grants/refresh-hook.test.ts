import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { countingBindings } from "../support/counting.ts";
import { listenToLog, parsedLog } from "../support/log.ts";
import {
  everyLoginClaim as all,
  extraClaims,
  inAccessToken,
} from "../support/login-claims.ts";
import { hookedServer, keptClaims } from "../support/refresh-hook.ts";
import {
  countRefusals,
  refusal,
  server,
  serverWith,
  type TestClient,
  type TestServer,
  type Tokens,
} from "../support/server.ts";

/** Tests the refresh hook: who is asked when, and what its answer does. */

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const denied = [400, "invalid_grant", "login_denied_by_hook"];

let client: TestClient;
let patient: TestClient;

beforeAll(async () => {
  await server.makeScopes("read", "write");
  const scope = "read write";
  client = await server.makeClient({ scope });
  const refresh_token_retry_window = "PT1M";
  patient = await server.makeClient({ scope, refresh_token_retry_window });
});

/** Starts a login of a new user. */
async function newLogin(claims: object = {}, of = client) {
  const subject = crypto.randomUUID();
  const { refresh_token } = await server.login(of, { subject, ...claims });
  return { subject, token: refresh_token };
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
    const { token } = await newLogin();
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
    const { token } = await newLogin();
    const next = await hooked.expectRefresh(client, token);
    const before = { ...calls };
    await hooked.expectRefresh(client, next.refresh_token);
    expect(calls).toEqual({ ...before, family: before.family + 2 });
  });

  it("is asked once per refresh, about the login and what is asked for", async () => {
    const { hooked, questions } = hookedServer(() => ({ allowed: true }));
    const { subject, token } = await newLogin();
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

  it("is not asked about a first login or a client's own token", async () => {
    const { hooked, questions } = hookedServer(() => ({ allowed: false }));
    const job = await server.makeClient({
      grant_types: ["client_credentials", "refresh_token"],
    });
    await hooked.login(job);
    const response = await hooked.token({
      grant_type: "client_credentials",
      ...job,
    });
    expect(response.status).toBe(200);
    expect(questions).toEqual([]);
  });
});

describe("a token that cannot be exchanged never reaches the hook:", () => {
  it("one that has expired", async () => {
    const { hooked, questions } = hookedServer(() => ({ allowed: false }));
    const brief = await server.makeClient({ refresh_token_ttl: "PT1H" });
    const { token } = await newLogin({}, brief);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_600_000 });
    expect(await refusal(await hooked.refresh(brief, token))).toEqual([
      400,
      "invalid_grant",
      "refresh_token_expired",
    ]);
    expect(questions).toEqual([]);
  });

  it("forged, used, another client's, or with a wrong secret", async () => {
    const { hooked, questions } = hookedServer(() => ({ allowed: false }));
    const { token } = await newLogin();
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
    const ended = await server.makeClient();
    const { token } = await newLogin({}, ended);
    await server.expectAdmin("PATCH", `/clients/${ended.client_id}`, {
      tokens_not_before: Math.floor(Date.now() / 1000),
    });
    expect(await refusal(await hooked.refresh(ended, token))).toEqual([
      400,
      "invalid_grant",
      "client_logins_ended",
    ]);
    expect(questions).toEqual([]);
  });

  it("with a scope or resource beyond the grant, and nothing changes", async () => {
    const { hooked, questions } = hookedServer(() => ({ allowed: false }));
    const { token } = await newLogin();
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
  it("changes nothing of the login without claims", async () => {
    const { token } = await newLogin(all);
    const { hooked, questions } = hookedServer(() => ({
      allowed: true,
      claims: undefined,
    }));
    const next = await hooked.expectRefresh(client, token);
    expect(questions[0]).toMatchObject(all);
    expect(extraClaims(next)).toEqual(inAccessToken);
    expect(await keptClaims(client, next.refresh_token)).toEqual(all);
  });

  it("replaces the fields that it names, and keeps the others, from this access token on", async () => {
    const { token } = await newLogin(all);
    const changes = { claims: { role: "reader" }, acr: "1" };
    const { hooked } = hookedServer(() => ({ allowed: true, ...changes }));
    const next = await hooked.expectRefresh(client, token);
    const { auth_time, amr } = all;
    const shown = { auth_time, amr, acr: "1", role: "reader" };
    expect(extraClaims(next)).toEqual(shown);
    const later = await server.expectRefresh(client, next.refresh_token);
    expect(extraClaims(later)).toEqual(shown);
    expect(await keptClaims(client, later.refresh_token)).toEqual({
      ...all,
      ...changes,
    });
  });

  it.each([
    ["all of them", all],
    ["none of which it has", {}],
  ])("removes the fields that are null: %s", async (_which, claims) => {
    const { token } = await newLogin(claims);
    const nothing = Object.fromEntries(
      Object.keys(all).map((name) => [name, null]),
    );
    const { hooked } = hookedServer(() => ({ allowed: true, ...nothing }));
    const next = await hooked.expectRefresh(client, token);
    expect(extraClaims(next)).toEqual({});
    expect(await keptClaims(client, next.refresh_token)).toEqual({});
  });
});

describe("the claims of an answer", () => {
  it("are stored with the successor: one row, as without a hook", async () => {
    const { subject, token } = await newLogin(all);
    const [grant] = await grantsOf(subject);
    const id = env.TOKEN_FAMILY.idFromString(grant!.grant_id);
    const rows = () =>
      runInDurableObject(env.TOKEN_FAMILY.get(id), (_, { storage }) =>
        Number(storage.sql.exec("SELECT total_changes() AS n").one()["n"]),
      );
    const before = await rows();
    const { hooked } = hookedServer(() => ({ allowed: true, acr: "1" }));
    await hooked.expectRefresh(client, token);
    expect(await rows()).toBe(before + 1);
  });

  it("leave alone what an administrator changes while the hook decides", async () => {
    const { subject, token } = await newLogin(all);
    const [grant] = await grantsOf(subject);
    const claims = { role: "reader" };
    const { hooked } = hookedServer(async () => {
      await server.expectAdmin("PATCH", `/grants/${grant!.grant_id}`, {
        acr: null,
        userinfo: { nickname: "Al" },
      });
      return { allowed: true, claims };
    });
    const next = await hooked.expectRefresh(client, token);
    const { acr: _removed, ...others } = all;
    expect(await keptClaims(client, next.refresh_token)).toEqual({
      ...others,
      claims,
      userinfo: { nickname: "Al" },
    });
  });
});

describe("an answer with allowed: false", () => {
  it("ends the login and no other, says so, and is an event that names it", async () => {
    const lines = listenToLog();
    const { subject, token } = await newLogin();
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

describe("two refreshes at once", () => {
  /** A hook whose two callers meet before either is answered. Each gets other claims. */
  function meetingHook(of: TestClient) {
    const met = Promise.withResolvers<void>();
    let asked = 0;
    const { hooked } = hookedServer(async () => {
      const number = ++asked;
      if (number === 2) met.resolve();
      await met.promise;
      return { allowed: true, claims: { number } };
    });
    return (token: string) =>
      Promise.all([hooked, hooked].map((to) => to.refresh(of, token)));
  }

  it("of a strict client: one makes a successor, and the other ends the login", async () => {
    const { token } = await newLogin();
    const responses = await meetingHook(client)(token);
    const refused = responses.filter(({ status }) => status === 400);
    expect(responses.filter(({ ok }) => ok)).toHaveLength(1);
    expect(await countRefusals(refused)).toEqual({
      "400 invalid_grant refresh_token_reused": 1,
    });
  });

  it("inside the retry window: both get the one successor, and the claims of the attempt that made it are stored", async () => {
    const { token } = await newLogin({}, patient);
    const lines = listenToLog();
    const responses = await meetingHook(patient)(token);
    const [one, other] = await Promise.all(
      responses.map((response) => response.json<Tokens>()),
    );
    expect(one!.refresh_token).toBe(other!.refresh_token);
    expect(
      parsedLog(lines).filter(({ event }) => event === "refresh_token.retried"),
    ).toHaveLength(1);
    const claims = extraClaims(one!);
    expect(claims).toEqual({ number: expect.toBeOneOf([1, 2]) as number });
    expect(extraClaims(other!)).toEqual(claims);
    expect(await keptClaims(patient, one!.refresh_token)).toEqual({ claims });
  });
});

describe("a retry inside its window", () => {
  it("does not ask again, and a hook that says no then ends nothing", async () => {
    const { token } = await newLogin({}, patient);
    const claims = { role: "reader" };
    const { hooked } = hookedServer(() => ({ allowed: true, claims }));
    const next = await hooked.expectRefresh(patient, token);
    const { hooked: no, questions } = hookedServer(() => ({ allowed: false }));
    const retried = await no.expectRefresh(patient, token);
    expect(retried.refresh_token).toBe(next.refresh_token);
    expect(questions).toEqual([]);
    expect(await keptClaims(patient, next.refresh_token)).toEqual({ claims });
  });
});

describe("the health of a server with a hook", () => {
  const shown = async (to: TestServer) => {
    const health = await to.wholeHealth();
    return (await health.json<{ refresh_hook?: unknown }>()).refresh_hook;
  };

  it("says to an administrator that it is bound, and how it is asked", async () => {
    const { hooked } = hookedServer(() => ({ allowed: true }), {
      REFRESH_HOOK_TIMEOUT: "",
    });
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
