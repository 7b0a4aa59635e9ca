import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { ExchangeAttempt } from "../../src/oauth/repositories.ts";
import { exchange, familyBuilders } from "../support/family.ts";
import { familiesWith } from "../support/faults.ts";
import { listenToLog, parsedLog } from "../support/log.ts";
import {
  everyLoginClaim as all,
  extraClaims,
} from "../support/login-claims.ts";
import { grantIdOf } from "../support/login-object.ts";
import { hookedServer, keptClaims } from "../support/refresh-hook.ts";
import { server, type TestClient, type Tokens } from "../support/server.ts";

/** Tests what becomes of the hook's changes where an administrator changes the login while the hook decides. */

const large = "x".repeat(1900);

let client: TestClient;

beforeAll(async () => {
  await server.makeScopes("read");
  client = await server.makeClient({ scope: "read" });
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** Refreshes with a hook, while an administrator changes the login. */
async function refreshDuring(
  patch: Record<string, unknown>,
  changes: Record<string, unknown>,
  login: Record<string, unknown> = all,
  bindings: object = {},
) {
  const tokens = await server.login(client, login);
  const { hooked } = hookedServer(async () => {
    await server.expectAdmin("PATCH", `/grants/${grantIdOf(tokens)}`, patch);
    return { allowed: true, ...changes };
  }, bindings);
  const lines = listenToLog();
  const next = await hooked.expectRefresh(client, tokens.refresh_token);
  const failures = parsedLog(lines).filter(
    ({ event }) => event === "refresh_hook.failed",
  );
  return { next, failures };
}

function kept({ refresh_token }: Tokens) {
  return keptClaims(client, refresh_token);
}

const { claims: _claims, ...others } = all;

describe("a field that an administrator changes while the hook decides", () => {
  it("stays as the administrator wants it, and the bound of all fields holds", async () => {
    const patch = { claims: { roles: [] }, userinfo: { note: large } };
    const { next, failures } = await refreshDuring(
      patch,
      { claims: { roles: ["admin"], y: large } },
      { claims: { roles: ["admin"] } },
    );
    expect(extraClaims(next)).toEqual({ roles: [] });
    expect(await kept(next)).toEqual(patch);
    expect(failures).toEqual([
      expect.objectContaining({
        reason: "overtaken",
        error: expect.stringMatching(/^claims /),
      }),
    ]);
  });

  it.each<[string, object | null, object | null, object]>([
    ["that the login did not have", { role: "none" }, { role: "admin" }, {}],
    ["that is removed", null, { role: "admin" }, all],
    ["that the hook removes", { role: "none" }, null, all],
  ])("also one %s", async (_, byAdmin, byHook, before) => {
    const login = before as Record<string, unknown>;
    const { next, failures } = await refreshDuring(
      { claims: byAdmin },
      { claims: byHook },
      login,
    );
    const { claims: _replaced, ...rest } = login;
    const expected = { ...rest, ...(byAdmin && { claims: byAdmin }) };
    expect(await kept(next)).toEqual(expected);
    expect(failures).toHaveLength(1);
  });

  it("does not keep the hook from the other fields", async () => {
    const claims = { role: "none" };
    const { next, failures } = await refreshDuring(
      { claims },
      { claims: { role: "admin" }, acr: "1", amr: null },
    );
    const { auth_time } = all;
    expect(extraClaims(next)).toEqual({ auth_time, acr: "1", ...claims });
    const { amr: _amr, ...rest } = others;
    expect(await kept(next)).toEqual({ ...rest, acr: "1", claims });
    expect(failures).toMatchObject([{ reason: "overtaken" }]);
  });

  it("is no event if the hook leaves it alone, or if the change changes nothing", async () => {
    const { next, failures } = await refreshDuring(
      { userinfo: null, claims: all.claims },
      { claims: { role: "reader" } },
    );
    const { userinfo: _userinfo, ...rest } = others;
    expect(await kept(next)).toEqual({ ...rest, claims: { role: "reader" } });
    expect(failures).toEqual([]);
  });
});

describe("changes that make the login too large because of a later change", () => {
  it("are not applied, and the event names no value", async () => {
    const login = { claims: { role: "editor" }, acr: "0" };
    const userinfo = { note: large };
    const { next, failures } = await refreshDuring(
      { userinfo },
      { claims: { role: large }, acr: "1" },
      login,
    );
    expect(extraClaims(next)).toEqual({ role: "editor", acr: "0" });
    expect(await kept(next)).toEqual({ ...login, userinfo });
    expect(failures).toMatchObject([{ reason: "too_large" }]);
    expect(JSON.stringify(failures)).not.toContain("xxx");
  });

  it("refuse no refresh, also with REFRESH_HOOK_FAIL_CLOSED, because the token is used up", async () => {
    const { next, failures } = await refreshDuring(
      { claims: { role: "none" } },
      { claims: { role: "admin" } },
      all,
      { REFRESH_HOOK_FAIL_CLOSED: "on" },
    );
    expect(await kept(next)).toEqual({ ...others, claims: { role: "none" } });
    expect(failures).toMatchObject([{ reason: "overtaken" }]);
  });
});

describe("the attempt", () => {
  async function attemptOf(answer: object): Promise<ExchangeAttempt> {
    const { refresh_token } = await server.login(client, all);
    const attempts: ExchangeAttempt[] = [];
    const TOKEN_FAMILY = familiesWith((_, real) => ({
      look: () => real().look(),
      async exchange(attempt: ExchangeAttempt) {
        attempts.push(attempt);
        return real().exchange(attempt);
      },
    }));
    const { hooked } = hookedServer(() => answer, { TOKEN_FAMILY });
    await hooked.expectRefresh(client, refresh_token);
    return attempts[0]!;
  }

  it("carries what the hook saw of the fields that it changes, and nothing if it changes nothing", async () => {
    const changes = { claims: { role: "reader" }, acr: null };
    expect(await attemptOf({ allowed: true, ...changes })).toMatchObject({
      claim_changes: changes,
      claims_seen: { claims: all.claims, acr: all.acr },
    });
    const plain = Object.keys(await attemptOf({ allowed: true }));
    expect(plain).not.toContain("claim_changes");
    expect(plain).not.toContain("claims_seen");
  });

  it("of a Worker one version older does not say what the hook saw: its changes are applied, inside the bound", async () => {
    const t0 = 1_800_000_000;
    const { attempt, newFamily } = familyBuilders(t0);
    const family = env.TOKEN_FAMILY.get(env.TOKEN_FAMILY.newUniqueId());
    await family.create(newFamily({ login: { acr: "1" } }));
    const first = await exchange(
      family,
      attempt({ claim_changes: { acr: "2" } }),
    );
    expect(first).toMatchObject({ outcome: "exchanged", login: { acr: "2" } });
    expect(first).not.toHaveProperty("unapplied");
    const claims = { role: large, more: large };
    const second = await exchange(
      family,
      attempt({ generation: 2, claim_changes: { claims, acr: "3" } }),
    );
    expect(second).toMatchObject({
      outcome: "exchanged",
      login: { acr: "2" },
      unapplied: { reason: "too_large", fields: ["acr", "claims"] },
    });
  });
});
