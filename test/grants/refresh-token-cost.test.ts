import { listDurableObjectIds, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { countCrypto, countingBindings } from "../support/counting.ts";
import { listenToLog } from "../support/log.ts";
import { refusal, server, serverWith } from "../support/server.ts";

/** Tests the cost of a refresh by counting, so that the result is the same on every machine. */

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

/** Counts the responses with a body from now on. The test runner makes responses without a body. */
function countResponses(): () => number {
  let made = 0;
  const counted = class extends Response {
    constructor(...args: ConstructorParameters<typeof Response>) {
      super(...args);
      if (args[0]) made += 1;
    }
  };
  vi.stubGlobal("Response", counted);
  return () => made;
}

/** Makes a server with counting bindings that has already read its keys and a client. */
async function warmServer() {
  const { calls, bindings } = countingBindings();
  const server = serverWith(bindings);
  const client = await server.makeClient({
    token_endpoint_auth_method: "client_secret_post",
  });
  const { refresh_token } = await server.login(client);
  const next = await server.expectRefresh(client, refresh_token);
  return {
    server,
    client,
    token: next.refresh_token,
    before: { ...calls },
    calls,
  };
}

describe("a refresh in a warm isolate", () => {
  it("costs one call of the family's object and no KV access", async () => {
    const { server, client, token, before, calls } = await warmServer();
    await server.expectRefresh(client, token);
    expect(calls).toEqual({ ...before, family: before.family + 1 });
  });

  it("verifies one MAC, makes one MAC and one signature, and computes two digests", async () => {
    const { server, client, token } = await warmServer();
    const counted = countCrypto();
    const { mock: sign } = vi.spyOn(crypto.subtle, "sign");
    await server.expectRefresh(client, token);
    // sign: the successor's MAC, and the access token. digest: the client's secret, and the family secret.
    expect(counted()).toEqual({ verify: 1, sign: 2, digest: 2 });
    const algorithms = sign.calls.map(([, { algorithm }]) => algorithm.name);
    expect(algorithms.toSorted()).toEqual(["ECDSA", "HMAC"]);
  });

  it("makes one response and does not copy it", async () => {
    const { server, client, token } = await warmServer();
    const responses = countResponses();
    await server.expectRefresh(client, token);
    expect(responses()).toBe(1);
  });

  it("writes one line to the log", async () => {
    const { server, client, token } = await warmServer();
    const lines = listenToLog();
    await server.expectRefresh(client, token);
    expect(lines).toHaveLength(1);
  });
});

describe("a refresh in a warm isolate, where OpenID Connect is on", () => {
  /** Counts what a second refresh of a new login costs. */
  async function costs(scope: string, more: Record<string, string> = {}) {
    const { calls, bindings } = countingBindings();
    const server = serverWith(bindings);
    await server.makeScopes("openid", "read");
    const client = await server.makeClient({
      token_endpoint_auth_method: "client_secret_post",
      scope: "openid read",
    });
    const { refresh_token } = await server.login(client, { scope });
    const next = await server.expectRefresh(client, refresh_token);
    const before = { ...calls };
    const counted = countCrypto();
    const { mock: sign } = vi.spyOn(crypto.subtle, "sign");
    const tokens = await server.expectRefresh(client, next.refresh_token, more);
    return {
      hasIdToken: "id_token" in tokens,
      crypto: counted(),
      signatures: sign.calls
        .map(([, { algorithm }]) => algorithm.name)
        .toSorted(),
      calls: {
        family: calls.family - before.family,
        kvRead: calls.kvRead - before.kvRead,
        kvWrite: calls.kvWrite - before.kvWrite,
      },
    };
  }

  const calls = { family: 1, kvRead: 0, kvWrite: 0 };
  it.each<[string, string, Record<string, string>]>([
    ["the login is without openid", "read", {}],
    ["the refresh is without openid", "openid read", { scope: "read" }],
  ])("costs what it costs where it is off, if %s", async (_, scope, more) => {
    expect(await costs(scope, more)).toEqual({
      hasIdToken: false,
      crypto: { verify: 1, sign: 2, digest: 2 },
      signatures: ["ECDSA", "HMAC"],
      calls,
    });
  });

  it("costs one signature more with openid, and the digest of the access token, and no storage", async () => {
    expect(await costs("openid read")).toEqual({
      hasIdToken: true,
      crypto: { verify: 1, sign: 3, digest: 3 },
      signatures: ["ECDSA", "ECDSA", "HMAC"],
      calls,
    });
  });
});

describe("a refresh", () => {
  it("writes one row, in an object that was made for the family alone", async () => {
    const known = new Set(
      (await listDurableObjectIds(env.TOKEN_FAMILY)).map(String),
    );
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    const made = (await listDurableObjectIds(env.TOKEN_FAMILY)).filter(
      (id) => !known.has(String(id)),
    );
    expect(made).toHaveLength(1);
    // SQLite counts the rows.
    const rows = () =>
      runInDurableObject(env.TOKEN_FAMILY.get(made[0]!), (_, { storage }) =>
        Number(storage.sql.exec("SELECT total_changes() AS n").one()["n"]),
      );
    const before = await rows();
    await server.expectRefresh(client, refresh_token);
    expect(await rows()).toBe(before + 1);
  });

  it("reads KV twice in a new isolate: the client and the scopes", async () => {
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    const { calls, bindings } = countingBindings();
    await serverWith(bindings).expectRefresh(client, refresh_token);
    expect(calls).toEqual({ family: 1, kvRead: 2, kvWrite: 0 });
  });

  it("reads KV no more often for a hundred families of one client than for one", async () => {
    const client = await server.makeClient();
    const logins = await Promise.all(
      Array.from({ length: 100 }, () => server.login(client)),
    );
    const { calls, bindings } = countingBindings();
    const counted = serverWith(bindings);
    const [first, ...rest] = logins;
    await counted.expectRefresh(client, first!.refresh_token);
    await Promise.all(
      rest.map(({ refresh_token }) =>
        counted.expectRefresh(client, refresh_token),
      ),
    );
    expect(calls).toEqual({ family: 100, kvRead: 2, kvWrite: 0 });
  });
});

describe("a forged refresh token, once the client is authenticated", () => {
  it("costs one MAC check, and no object call, KV access, signature or key import", async () => {
    const { server, client, token, before, calls } = await warmServer();
    const counted = countCrypto();
    const forged = token.slice(0, -1) + (token.endsWith("A") ? "B" : "A");
    expect(await refusal(await server.refresh(client, forged))).toEqual([
      400,
      "invalid_grant",
      "refresh_token_forged",
    ]);
    // digest: the client's secret.
    expect(counted()).toEqual({ verify: 1, digest: 1 });
    expect(calls).toEqual(before);
  });

  it("that is malformed costs no MAC check", async () => {
    const { server, client, before, calls } = await warmServer();
    const counted = countCrypto();
    expect(
      await refusal(await server.refresh(client, "x".repeat(149))),
    ).toEqual([400, "invalid_grant", "refresh_token_malformed"]);
    expect(counted()).toEqual({ digest: 1 });
    expect(calls).toEqual(before);
  });
});
