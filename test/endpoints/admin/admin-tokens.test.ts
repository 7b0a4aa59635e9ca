import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { fieldErrors } from "../../support/admin.ts";
import {
  type AdminToken,
  askWith,
  makeToken,
} from "../../support/administrators.ts";
import { countingBindings } from "../../support/counting.ts";
import { listenToLog, parsedLog } from "../../support/log.ts";
import { refusal, server, serverWith } from "../../support/server.ts";

/** Named admin tokens: made, used, listed, expired and ended. */

const wrong = [401, "invalid_token", "admin_token_wrong"];

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function list() {
  return server.expectAdmin<{ tokens: Omit<AdminToken, "token">[] }>(
    "GET",
    "/tokens",
  );
}

describe("POST /admin/tokens", () => {
  it("makes a token of 256 random bits with a prefix for secret scanners, and shows it this one time", async () => {
    const made = await makeToken("read", { expires_in: "P90D" });
    expect(made).toEqual({
      name: made.name,
      role: "read",
      id: made.token.slice(12, 20),
      created_at: expect.any(Number),
      created_by: "root",
      expires_at: made.created_at + 90 * 86_400,
      token: expect.stringMatching(/^baton_admin_[\w-]{43}$/),
    });
    const { token, ...shown } = made;
    const listed = await list();
    expect(listed.tokens).toContainEqual(shown);
    expect(JSON.stringify(listed)).not.toContain(token);
    const stored = await env.KV.get("admin_tokens");
    expect(stored).toContain(made.name);
    expect(stored).not.toContain(token.slice(20));
  });

  it("makes a token that does not expire if no life is asked for, and that works at once", async () => {
    const made = await makeToken("read");
    expect(made.expires_at).toBeUndefined();
    const response = await askWith(server, made.token, "GET", "/scopes");
    expect(response.status).toBe(200);
  });

  it("keeps who made it, so that the tokens of a stolen one are found", async () => {
    const { name, token } = await makeToken("admin");
    const body = { name: `t-${crypto.randomUUID()}`, role: "read" };
    const response = await askWith(server, token, "POST", "/tokens", body);
    const made = await response.json<AdminToken>();
    expect(made.created_by).toBe(`token:${name}`);
    const { token: _token, ...shown } = made;
    expect((await list()).tokens).toContainEqual(shown);
  });

  it("makes several beside each other, so that one can be rotated", async () => {
    const [old, next] = [await makeToken("read"), await makeToken("read")];
    await server.expectAdmin("DELETE", `/tokens/${old.name}`);
    const ask = (token: string) => askWith(server, token, "GET", "/scopes");
    expect(await refusal(await ask(old.token))).toEqual(wrong);
    expect((await ask(next.token)).status).toBe(200);
  });

  it.each<[string, Record<string, unknown>]>([
    ["name", { name: undefined }],
    ["name", { name: "" }],
    ["name", { name: "A" }],
    ["name", { name: "-a" }],
    ["name", { name: "a/b" }],
    ["name", { name: "a".repeat(65) }],
    ["name", { name: "__proto__" }],
    ["role", { role: undefined }],
    ["role", { role: "root" }],
    ["role", { role: "Admin" }],
    ["expires_in", { expires_in: "90" }],
    ["expires_in", { expires_in: "PT0S" }],
    ["expires_in", { expires_in: "P101Y" }],
    ["hash", { hash: "x" }],
  ])("names a wrong %s (%#)", async (field, change) => {
    const body = { name: "good", role: "read", ...change };
    const response = await server.admin("POST", "/tokens", body);
    expect(Object.keys(await fieldErrors(response))).toEqual([field]);
  });

  it("refuses a name that a token has, until that has expired or ended", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const made = await makeToken("read", { expires_in: "PT10S" });
    const again = () =>
      server.admin("POST", "/tokens", { name: made.name, role: "read" });
    const taken = [409, "conflict", "admin_token_name_taken"];
    expect(await refusal(await again())).toEqual(taken);
    vi.advanceTimersByTime(10_000);
    expect((await again()).status).toBe(201);
    await server.expectAdmin("DELETE", `/tokens/${made.name}`);
    expect((await again()).status).toBe(201);
  });

  it("makes at most 50, because they are one record", async () => {
    const before = await env.KV.get("admin_tokens");
    const made: string[] = [];
    let response: Response;
    do {
      const name = `full-${made.length}`;
      response = await server.admin("POST", "/tokens", { name, role: "read" });
      if (response.status === 201) made.push(name);
    } while (response.status === 201 && made.length < 60);
    expect(await fieldErrors(response)).toEqual({
      name: "there are 50 admin tokens; delete one first",
    });
    expect((await list()).tokens).toHaveLength(50);
    for (const name of made) await server.admin("DELETE", `/tokens/${name}`);
    expect(await env.KV.get("admin_tokens")).toEqual(before ?? "{}");
  });
});

describe("a named admin token", () => {
  it("is refused from its expiry on, as one that was right, and is listed until its name is used again", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const made = await makeToken("admin", { expires_in: "PT1M" });
    vi.advanceTimersByTime(59_000);
    const ask = () => askWith(server, made.token, "GET", "/scopes");
    expect((await ask()).status).toBe(200);
    vi.advanceTimersByTime(2_000);
    const response = await ask();
    expect(response.headers.get("WWW-Authenticate")).toBe(
      'Bearer realm="baton/admin", error="invalid_token"',
    );
    expect(await refusal(response)).toEqual([
      401,
      "invalid_token",
      "admin_token_expired",
    ]);
    const { tokens } = await list();
    expect(tokens.map(({ name }) => name)).toContain(made.name);
  });

  it("is not another one with the same id, nor a part of itself", async () => {
    const { token } = await makeToken("admin");
    const last = token.endsWith("A") ? "E" : "A";
    for (const other of [
      token.slice(0, -1),
      token.slice(0, -1) + last,
      token.slice(0, 20),
      `${token}x`,
      token.replace("baton_admin_", ""),
      `x${token}`,
      token.slice(0, 20) + "A".repeat(35),
    ]) {
      const response = await askWith(server, other, "GET", "/scopes");
      expect(await refusal(response), other).toEqual(wrong);
    }
  });

  it("that was made elsewhere works within a second, and one that was ended elsewhere is refused within two minutes", async () => {
    const elsewhere = serverWith({});
    expect(
      (await askWith(elsewhere, env.ADMIN_TOKEN, "GET", "/scopes")).status,
    ).toBe(200);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const first = await makeToken("read");
    const ask = (token: string) => askWith(elsewhere, token, "GET", "/scopes");
    expect((await ask(first.token)).status).toBe(200);
    const second = await makeToken("read");
    vi.advanceTimersByTime(1_001);
    expect((await ask(second.token)).status).toBe(200);

    await server.expectAdmin("DELETE", `/tokens/${first.name}`);
    expect(
      await refusal(await askWith(server, first.token, "GET", "/scopes")),
    ).toEqual(wrong);
    vi.advanceTimersByTime(61_000);
    expect(await refusal(await ask(first.token))).toEqual(wrong);
    expect((await ask(second.token)).status).toBe(200);
  });

  it("is refused while the admin API is off", async () => {
    const { token } = await makeToken("admin");
    for (const ADMIN_TOKEN of [undefined, ""]) {
      const off = serverWith({ ADMIN_TOKEN });
      const response = await askWith(off, token, "GET", "/scopes");
      expect(await refusal(response)).toEqual([
        404,
        "not_found",
        "path_unknown",
      ]);
    }
  });

  it("can end itself", async () => {
    const { name, token } = await makeToken("admin");
    const end = () => askWith(server, token, "DELETE", `/tokens/${name}`);
    expect((await end()).status).toBe(204);
    expect(await refusal(await end())).toEqual(wrong);
  });

  it("costs no look at KV if it does not have the form of one, and neither does ADMIN_TOKEN", async () => {
    const { calls, bindings } = countingBindings();
    const counted = serverWith(bindings);
    await askWith(counted, "baton_admin_x", "GET", "/openapi.json");
    await askWith(counted, "wrong", "GET", "/openapi.json");
    await askWith(counted, env.ADMIN_TOKEN, "GET", "/openapi.json");
    expect(calls.kvRead).toBe(0);
  });
});

describe("the record of the admin tokens", () => {
  it("of an older version does not say who made a token, which works as before", async () => {
    const { name, token } = await makeToken("read");
    const before = await env.KV.get<Record<string, object>>(
      "admin_tokens",
      "json",
    );
    const { created_by: _by, ...old } = before![name] as AdminToken;
    const record = { ...before, [name]: old };
    await env.KV.put("admin_tokens", JSON.stringify(record));
    const upgraded = serverWith({});
    const answer = await askWith(upgraded, token, "GET", "/scopes");
    expect(answer.status).toBe(200);
    const { tokens } = await upgraded.expectAdmin<{ tokens: AdminToken[] }>(
      "GET",
      "/tokens",
    );
    const listed = tokens.find((shown) => shown.name === name);
    expect(listed).toMatchObject({ role: "read" });
    expect(listed).not.toHaveProperty("created_by");
    await server.expectAdmin("DELETE", `/tokens/${name}`);
  });

  it("may have a role that only a newer version knows: its token is refused, and the others are accepted", async () => {
    const [made, newer] = [await makeToken("login"), await makeToken("read")];
    const before = await env.KV.get<Record<string, object>>(
      "admin_tokens",
      "json",
    );
    const ofNewer = { ...before![newer.name], role: "auditor" };
    const record = { ...before, [newer.name]: ofNewer };
    await env.KV.put("admin_tokens", JSON.stringify(record));
    const older = serverWith({});
    const ask = (token: string) => askWith(older, token, "GET", "/scopes");
    expect((await ask(made.token)).status).toBe(403);
    expect(await refusal(await ask(newer.token))).toEqual(wrong);
    await env.KV.put("admin_tokens", JSON.stringify(before));
    await server.expectAdmin("DELETE", `/tokens/${made.name}`);
    await server.expectAdmin("DELETE", `/tokens/${newer.name}`);
  });

  it("has tokens with the role register in a form that version 0.3.0 takes for one that has expired", async () => {
    const { name, token, created_at, expires_at } = await makeToken(
      "register",
      { expires_in: "P1D" },
    );
    const record = await env.KV.get<Record<string, object>>(
      "admin_tokens",
      "json",
    );
    expect(record![name]).toMatchObject({
      role: "read",
      expires_at: created_at,
      newer: { role: "register", expires_at },
    });
    expect((await askWith(server, token, "GET", "/scopes")).status).toBe(403);
    const { tokens } = await list();
    const listed = tokens.find((shown) => shown.name === name);
    expect(listed).toMatchObject({ role: "register", expires_at });
    await server.expectAdmin("DELETE", `/tokens/${name}`);
  });

  it("that is malformed keeps named tokens out, and ADMIN_TOKEN not", async () => {
    const { token } = await makeToken("admin");
    const before = (await env.KV.get("admin_tokens")) ?? "{}";
    await env.KV.put("admin_tokens", '{"x":{"role":"root"}}');
    const broken = serverWith({});
    const response = await askWith(broken, token, "GET", "/scopes");
    expect(await refusal(response)).toEqual([
      500,
      "server_error",
      "record_malformed",
    ]);
    expect(
      (await askWith(broken, env.ADMIN_TOKEN, "GET", "/scopes")).status,
    ).toBe(200);
    const health = await broken.health();
    expect([health.status, await health.json()]).toMatchObject([
      200,
      {
        status: "degraded",
        problems: [{ name: "admin_tokens", problem: expect.any(String) }],
      },
    ]);
    await env.KV.put("admin_tokens", before);
  });
});

describe("DELETE /admin/tokens/{name}", () => {
  it.each(["nobody", "__proto__", "constructor"])(
    "refuses a name that no token has: %s",
    async (name) => {
      const response = await server.admin("DELETE", `/tokens/${name}`);
      expect([400, 404]).toContain(response.status);
      expect((await refusal(response))[2]).toBe(
        name === "__proto__" ? "admin_body_invalid" : "admin_target_unknown",
      );
    },
  );
});

describe("the log", () => {
  it("has the administrator of every request, and never a token", async () => {
    const lines = listenToLog();
    const { name, token } = await makeToken("read", { expires_in: "PT1M" });
    await askWith(server, token, "GET", "/scopes");
    await askWith(server, token, "POST", "/clients", {});
    await askWith(server, `${token.slice(0, -3)}xxx`, "GET", "/scopes");
    await server.http("/admin/scopes");
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60_000 });
    await askWith(server, token, "GET", "/scopes");
    const all = parsedLog(lines);
    const requests = all.filter(({ event }) => event === "request");
    const actor = `token:${name}`;
    expect(requests.map((line) => [line["actor"], line["status"]])).toEqual([
      ["root", 201],
      [actor, 200],
      [actor, 403],
      [undefined, 401],
      [undefined, 401],
      [actor, 401],
    ]);
    const changed = all.filter(({ event }) => event === "admin.token_changed");
    expect(changed).toMatchObject([{ action: "made", name, role: "read" }]);
    const denied = all.filter(({ event }) => event === "admin.denied");
    const line = (reason: string, more: object) =>
      expect.objectContaining({
        reason,
        request_id: expect.any(String),
        ...more,
      });
    expect(denied).toEqual([
      line("admin_role_insufficient", {
        actor,
        endpoint: "/admin/clients",
        role: "admin",
      }),
      line("admin_token_wrong", { endpoint: "/admin/scopes" }),
      line("admin_token_expired", { actor, endpoint: "/admin/scopes" }),
    ]);
    expect(lines.join()).not.toContain(token.slice(20, -3));
  });
});
