import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestHarness } from "wrangler";
import { freshSecrets } from "../../src/cli/local/dev-vars.ts";

/** Baton and a Worker with a service binding to each of its RPC entrypoints, side by side in the local runtime. */

const root = join(import.meta.dirname, "../..");
// Without ADMIN_TOKEN there is no admin API by HTTP. A service binding needs none.
const { ADMIN_TOKEN: _none, ...secrets } = freshSecrets();
const harness = createTestHarness({
  workers: [
    { configPath: join(import.meta.dirname, "wrangler.toml") },
    {
      configPath: join(root, "wrangler.toml"),
      vars: {
        ISSUER: "https://auth.example.com",
        ALLOWED_HOSTS: "auth.example.com",
      },
      secrets,
    },
  ],
});
let caller: URL;

beforeAll(async () => {
  ({ url: caller } = await harness.listen());
});

afterAll(() => harness.close());

async function call(
  binding: string,
  method: string,
  ...args: unknown[]
): Promise<unknown> {
  const body = JSON.stringify({ binding, method, args });
  const response = await fetch(caller, { method: "POST", body });
  return response.json();
}

async function use(name: string, text = ""): Promise<unknown> {
  const url = new URL(`?use=${name}`, caller);
  const response = await fetch(url, { method: "POST", body: text });
  return response.json();
}

const insufficient = (role: string) => ({
  ok: false,
  status: 403,
  body: {
    error: "insufficient_scope",
    error_description: expect.stringContaining(`the role ${role}`),
  },
});

describe("the entrypoint Admin", () => {
  it("does what its role in props allows, without an admin token", async () => {
    const scope = `s-${randomUUID()}`;
    expect(
      await call("ADMIN", "request", {
        method: "PUT",
        path: `/scopes/${scope}`,
        body: { description: "Read" },
      }),
    ).toEqual({ ok: true, status: 200, body: { scope, description: "Read" } });
    expect(
      await call("READER", "request", { method: "GET", path: "/scopes" }),
    ).toMatchObject({
      ok: true,
      body: {
        scopes: expect.arrayContaining([{ scope, description: "Read" }]),
      },
    });
    expect(
      await call("ADMIN", "request", {
        method: "DELETE",
        path: `/scopes/${scope}`,
      }),
    ).toEqual({ ok: true, status: 204, body: null });
  });

  it("refuses what its role does not allow: without props it may read, with a mistyped role nothing", async () => {
    const make = {
      method: "POST",
      path: "/tokens",
      body: { name: "x", role: "admin" },
    };
    const put = {
      method: "PUT",
      path: "/scopes/x",
      body: { description: "x" },
    };
    const read = { method: "GET", path: "/scopes" };
    expect(await call("ADMIN", "request", make)).toEqual(insufficient("admin"));
    expect(await call("READER", "request", put)).toEqual(
      insufficient("operator"),
    );
    expect(await call("MISTYPED", "request", read)).toEqual(
      insufficient("read"),
    );
  });

  it.each<[string, unknown]>([
    ["nothing", undefined],
    ["a text", "/scopes"],
    ["another method", { method: "HEAD", path: "/scopes" }],
    ["no path", { method: "GET" }],
    ["a path without a slash", { method: "GET", path: "scopes" }],
    ["another origin", { method: "GET", path: "//evil.example/x" }],
    ["a path out of /admin", { method: "GET", path: "/../health" }],
    ["an encoded one", { method: "GET", path: "/%2e%2e/health" }],
    ["a query that is a text", { method: "GET", path: "/scopes", query: "x" }],
    ["a long path", { method: "GET", path: `/${"x".repeat(20_000)}` }],
  ])("refuses a call that is no request: %s", async (_, asked) => {
    expect(await call("ADMIN", "request", asked)).toEqual({
      ok: false,
      status: 400,
      body: {
        error: "invalid_request",
        error_description: expect.stringContaining("method"),
      },
    });
  });

  it("answers as the admin API does: an unknown path, a wrong field, a body that is too large", async () => {
    const ask = (asked: object) => call("ADMIN", "request", asked);
    expect(await ask({ method: "GET", path: "/nowhere" })).toMatchObject({
      status: 404,
    });
    expect(
      await ask({ method: "GET", path: "/clients", query: { limit: 0 } }),
    ).toMatchObject({
      status: 400,
      body: { fields: { limit: expect.any(String) } },
    });
    expect(
      await ask({
        method: "PUT",
        path: "/scopes/x",
        body: { description: "x".repeat(20_000) },
      }),
    ).toMatchObject({ status: 413 });
  });

  it("has nothing but its method", async () => {
    for (const method of [
      "fetchAdmin",
      "createServer",
      "env",
      "ctx",
      "constructor",
    ])
      expect(await call("ADMIN", method, {})).toMatchObject({
        thrown: expect.any(String),
      });
  });
});

describe("the entrypoint Tokens", () => {
  it("tells that a token is not active, and ignores one that is to be revoked", async () => {
    for (const token of ["x", "a.b.c", "x".repeat(16_384)]) {
      expect(await call("TOKENS", "introspect", token)).toEqual({
        active: false,
      });
      expect(await call("TOKENS", "revoke", token)).toEqual({});
    }
    expect(await use("subject", "x")).toBe("nobody");
  });

  it.each([undefined, null, 7, "", {}, ["x"], "x".repeat(16_385)])(
    "names a token that is none: %j",
    async (token) => {
      for (const method of ["introspect", "revoke"])
        expect(await call("TOKENS", method, token)).toMatchObject({
          error: "invalid_request",
          fields: { token: expect.any(String) },
        });
    },
  );
});

describe("the types", () => {
  it("are enough for a Worker that imports them", async () => {
    expect(await use("names")).toEqual([]);
    expect(await use("logout")).toEqual({
      ok: true,
      status: 200,
      body: { revoked: 0 },
    });
    expect(await use("demote", "nobody")).toBe(
      "There is no such grant, or it has ended.",
    );
    expect(await call("LOGIN", "describeAuthorization", "x")).toMatchObject({
      error: "invalid_request",
    });
  });
});
