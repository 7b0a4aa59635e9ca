import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { fieldErrors } from "../../support/admin.ts";
import { askWith, makeToken } from "../../support/administrators.ts";
import { listenToLog, parsedLog } from "../../support/log.ts";
import { refusal, server } from "../../support/server.ts";

/** Tests which claims about the user a scope releases, as the scope catalogue says it. */

let name: string;

beforeEach(() => {
  name = `s-${crypto.randomUUID()}`;
});

afterEach(async () => {
  vi.restoreAllMocks();
  await server.admin("DELETE", `/scopes/${name}`);
});

function put(body: unknown, scope = name, query = ""): Promise<Response> {
  return server.admin("PUT", `/scopes/${scope}${query}`, body);
}

async function entry(scope = name): Promise<unknown> {
  const { scopes } = await server.expectAdmin<{ scopes: { scope: string }[] }>(
    "GET",
    "/scopes",
  );
  return scopes.find((one) => one.scope === scope);
}

const description = "Read your team";

describe("the claims of a scope", () => {
  it("are kept in the catalogue and listed", async () => {
    const claims = ["team", "email"];
    const response = await put({ description, claims });
    expect(await response.json()).toEqual({ scope: name, description, claims });
    expect(await entry()).toEqual({ scope: name, description, claims });
    const record = await env.KV.get<Record<string, unknown>>("scopes", "json");
    expect(record?.[name]).toEqual({ description, claims });
  });

  it("may be none, and each counts once", async () => {
    await put({ description, claims: [] });
    expect(await entry()).toEqual({ scope: name, description, claims: [] });
    await put({ claims: ["team", "team"] });
    expect(await entry()).toMatchObject({ claims: ["team"] });
  });

  it("stay as they are where a change of the description leaves them out, so that no scope releases more by mistake", async () => {
    await put({ description: "before", claims: ["team"] });
    await put({ description });
    expect(await entry()).toEqual({
      scope: name,
      description,
      claims: ["team"],
    });
  });

  it("leave the description as it is where they alone are changed, and null makes them the standard ones again", async () => {
    await put({ description });
    await put({ claims: ["team"] });
    expect(await entry()).toEqual({
      scope: name,
      description,
      claims: ["team"],
    });
    await put({ claims: null });
    expect(await entry()).toEqual({ scope: name, description });
  });

  it("are rehearsed, and nothing is changed", async () => {
    await put({ description });
    const rehearsed = await put({ claims: ["team"] }, name, "?dry_run=true");
    expect(await rehearsed.json()).toEqual({
      scope: name,
      description,
      claims: ["team"],
    });
    expect(await entry()).toEqual({ scope: name, description });
  });

  it.each<[string, unknown, string]>([
    ["a text", "team email", "claims"],
    ["a number", [7], "claims.0"],
    ["an empty name", ["team", ""], "claims.1"],
    ["a name of 101 characters", ["n".repeat(101)], "claims.0"],
    ["__proto__", ["__proto__"], "claims.0"],
    ["a claim that Baton sets itself", ["sub"], "claims.0"],
    ["51 names", Array.from({ length: 51 }, (_, n) => `c${n}`), "claims"],
  ])("cannot be %s", async (_, claims, field) => {
    const problems = await fieldErrors(await put({ description, claims }));
    expect(Object.keys(problems)).toEqual([field]);
    expect(await entry()).toBeUndefined();
  });
});

it("the catalogue names at most 1,000 claims, because every refresh reads it", async () => {
  await put({ description });
  const before = await env.KV.get<Record<string, object>>("scopes", "json");
  const claims = Array.from({ length: 50 }, (_, n) => `c${n}`);
  const full = Array.from({ length: 20 }, (_, n) => [
    `${name}-${n}`,
    { description, claims },
  ]);
  const catalogue = { ...before, ...Object.fromEntries(full) };
  await env.KV.put("scopes", JSON.stringify(catalogue));
  expect(await fieldErrors(await put({ claims: ["c"] }))).toEqual({
    claims: expect.stringContaining("1000 claims"),
  });
  expect(await entry()).toEqual({ scope: name, description });
  await env.KV.put("scopes", JSON.stringify(before));
});

describe("an operator", () => {
  let token: string;

  beforeEach(async () => {
    ({ token } = await makeToken("operator"));
  });

  const asOperator = (scope: string, body: object) =>
    askWith(server, token, "PUT", `/scopes/${scope}`, body);

  it.each<[string, () => string, object | undefined, object]>([
    [
      "names claims for a scope",
      () => name,
      { description },
      { claims: ["email"] },
    ],
    [
      "adds a claim",
      () => name,
      { description, claims: ["team"] },
      { claims: ["team", "email"] },
    ],
    [
      "makes a standard scope standard again",
      () => "email",
      { claims: [] },
      { claims: null },
    ],
    [
      "creates a standard scope that releases something",
      () => "phone",
      undefined,
      {},
    ],
  ])(
    "who %s is refused, because a client would learn more about its users",
    async (_, scopeOf, before, change) => {
      const scope = scopeOf();
      if (before) await put(before, scope);
      const was = await entry(scope);
      expect(await refusal(await asOperator(scope, change))).toEqual([
        403,
        "insufficient_scope",
        "admin_role_insufficient",
      ]);
      expect(await entry(scope)).toEqual(was);
      await server.admin("DELETE", `/scopes/${scope}`);
    },
  );

  it("may do everything else with scopes", async () => {
    await put({ description, claims: ["team", "email"] });
    const changes = [
      { description: "Teams" },
      { claims: ["team"] },
      { claims: null },
    ];
    for (const change of changes)
      expect((await asOperator(name, change)).status).toBe(200);
    expect((await asOperator("openid", {})).status).toBe(200);
    expect((await asOperator("phone", { claims: [] })).status).toBe(200);
    for (const scope of ["openid", "phone"])
      await server.expectAdmin("DELETE", `/scopes/${scope}`);
  });
});

describe("a standard scope", () => {
  it.each(["openid", "profile", "email", "phone", "address"])(
    "needs no description: %s has one",
    async (scope) => {
      const response = await put({}, scope);
      const { description: text } = await response.json<{
        description: string;
      }>();
      expect(text.length).toBeGreaterThan(5);
      expect(await entry(scope)).toEqual({ scope, description: text });
      await put({ description }, scope);
      await put({}, scope);
      expect(await entry(scope)).toEqual({ scope, description });
      await server.expectAdmin("DELETE", `/scopes/${scope}`);
    },
  );

  it("is not any other: its description is missing", async () => {
    expect(await fieldErrors(await put({ claims: [] }))).toEqual({
      description: expect.stringContaining("is missing"),
    });
  });
});

it("the event scope.changed has the claims that were added and removed", async () => {
  await put({ description, claims: ["team", "email"] });
  const lines = listenToLog();
  await put({ claims: ["team", "phone_number"] });
  await server.expectAdmin("DELETE", `/scopes/${name}`);
  const events = parsedLog(lines).filter(({ event }) => event !== "request");
  expect(events).toMatchObject([
    {
      event: "scope.changed",
      action: "changed",
      changes: [
        { field: "claims", added: ["phone_number"], removed: ["email"] },
      ],
    },
    {
      event: "scope.changed",
      action: "deleted",
      changes: [
        { field: "description", from: description },
        { field: "claims", removed: ["team", "phone_number"] },
      ],
    },
  ]);
});
