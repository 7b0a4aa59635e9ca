import { createExecutionContext } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { Admin, Tokens } from "../src/index.ts";
import { keys, oldToken, takeOver } from "./support/league.ts";
import { listenToLog, parsedLog } from "./support/log.ts";
import { answerOf, reasonOf } from "./support/request-lines.ts";
import {
  server,
  type TestClient,
  type Tokens as Pair,
} from "./support/server.ts";

/** Tests the entrypoint `Tokens` with tokens of every kind, and the log of `Tokens` and `Admin`. */

const inactive = { active: false };
let client: TestClient;

beforeAll(async () => {
  await server.makeScopes("read", "write");
  client = await server.makeClient({
    scope: "read write",
    grant_types: ["refresh_token", "client_credentials"],
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("Tokens.introspect", () => {
  it("describes the access token and the newest refresh token of any client, as /introspect does", async () => {
    const login = await server.login(client, { scope: "read" });
    for (const token of [login.access_token, login.refresh_token]) {
      const response = await server.about("/introspect", client, token);
      const expected = await response.json<object>();
      expect(expected).toMatchObject({ active: true, sub: "alice" });
      expect(await exports.Tokens.introspect(token)).toEqual(expected);
    }
    const next = await server.expectRefresh(client, login.refresh_token);
    expect(await exports.Tokens.introspect(login.refresh_token)).toEqual(
      inactive,
    );
    expect(await exports.Tokens.introspect(next.refresh_token)).toMatchObject({
      active: true,
      client_id: client.client_id,
      scope: "read",
    });
  });

  it("describes a client's own token", async () => {
    const { client_id, client_secret } = client;
    const response = await server.token({
      grant_type: "client_credentials",
      client_id,
      client_secret,
    });
    const { access_token } = await response.json<Pair>();
    expect(await exports.Tokens.introspect(access_token)).toMatchObject({
      active: true,
      sub: client_id,
      sub_type: "client",
    });
  });

  it("describes a token of an old league server", async () => {
    const bindings = { ...env, LEAGUE_ENCRYPTION_KEY: keys.defuse.value };
    const entrypoint = new Tokens(createExecutionContext(), bindings);
    await takeOver(server, "demo");
    const token = await oldToken({ scopes: ["read"] });
    expect(await entrypoint.introspect(token)).toMatchObject({
      active: true,
      client_id: "demo",
      sub: "42",
    });
    expect(await entrypoint.revoke(token)).toEqual({});
    expect(await entrypoint.introspect(token)).toEqual(inactive);
    const half = token.slice(0, -8) + "00000000";
    expect(await entrypoint.introspect(half)).toEqual(inactive);
  });

  it("does not describe a token that has expired, that was altered, or whose client is deleted", async () => {
    const gone = await server.makeClient({ scope: "read" });
    const { access_token, refresh_token } = await server.login(gone);
    const altered =
      refresh_token.slice(0, -2) + (refresh_token.endsWith("A") ? "BB" : "AA");
    expect(await exports.Tokens.introspect(altered)).toEqual(inactive);
    expect(await exports.Tokens.introspect(access_token)).toMatchObject({
      active: true,
    });
    await server.expectAdmin("DELETE", `/clients/${gone.client_id}`);
    for (const token of [access_token, refresh_token])
      expect(await exports.Tokens.introspect(token)).toEqual(inactive);
    const other = await server.login(client);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_600_000 });
    expect(await exports.Tokens.introspect(other.access_token)).toEqual(
      inactive,
    );
  });
});

describe("Tokens.revoke", () => {
  it.each(["access_token", "refresh_token"] as const)(
    "ends the login of %s",
    async (which) => {
      const login = await server.login(client);
      expect(await exports.Tokens.revoke(login[which])).toEqual({});
      expect(await exports.Tokens.introspect(login.access_token)).toEqual(
        inactive,
      );
      const response = await server.refresh(client, login.refresh_token);
      expect(response.status).toBe(400);
      expect(reasonOf(response)).toBe("family_ended");
    },
  );

  it("ignores an access token that has expired, because it may stand in a log", async () => {
    const login = await server.login(client);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_600_000 });
    expect(await exports.Tokens.revoke(login.access_token)).toEqual({});
    await server.expectRefresh(client, login.refresh_token);
  });

  it("cannot end a client's own token, and says so", async () => {
    const { client_id, client_secret } = client;
    const response = await server.token({
      grant_type: "client_credentials",
      client_id,
      client_secret,
    });
    const { access_token } = await response.json<Pair>();
    expect(await answerOf(() => exports.Tokens.revoke(access_token))).toEqual([
      {
        error: "unsupported_token_type",
        error_description: expect.any(String),
      },
      "token_not_revocable",
    ]);
  });
});

describe("the log of the entrypoints", () => {
  it("has the entrypoint as the actor, and no token", async () => {
    const login = await server.login(client);
    const lines = listenToLog();
    await exports.Tokens.introspect(login.access_token);
    await exports.Tokens.revoke(login.refresh_token);
    const context = Object.assign(createExecutionContext(), {
      props: { role: "operator" },
    });
    const admin = new Admin(context, env);
    await admin.request({ method: "GET", path: "/scopes" });
    await admin.request({ method: "GET", path: "/tokens" });
    const requests = parsedLog(lines);
    expect(requests).toMatchObject([
      {
        endpoint: "introspect",
        actor: "rpc:Tokens",
        client_id: client.client_id,
      },
      {
        event: "family.revoked",
        actor: "rpc:Tokens",
        client_id: client.client_id,
        subject: "alice",
        by: "administrator",
      },
      { endpoint: "revoke", actor: "rpc:Tokens", client_id: client.client_id },
      { endpoint: "/admin/scopes", actor: "rpc:Admin", status: 200 },
      { event: "admin.denied", actor: "rpc:Admin", role: "admin" },
      { endpoint: "/admin/tokens", actor: "rpc:Admin", status: 403 },
    ]);
    for (const token of [login.access_token, login.refresh_token])
      expect(lines.join()).not.toContain(token.slice(-20));
  });
});
