import { env } from "cloudflare:workers";
import { decodeJwt } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { fieldErrors } from "../support/admin.ts";
import { rewriteLogin } from "../support/login-claims.ts";
import { grantIdOf } from "../support/login-object.ts";
import type { OpenIdTokens } from "../support/openid.ts";
import {
  type ErrorBody,
  server,
  serverWith,
  type TestClient,
} from "../support/server.ts";

/**
 * Tests that no claim of a login is taken for one of Baton's own, by a reader that compares names without case or
 * normalises them, or that drops what nobody sees.
 */

/** Names that become a registered one. */
const alike = [
  "SUB",
  "Aud",
  "Scope",
  "\u017fub",
  "\uff53\uff55\uff42",
  "\u0131ss",
  "Sub_Type",
  "ACR",
];
const unseen = [
  "su\u200bb",
  "\u2060sub",
  "sub\ufeff",
  "s\u00adub",
  "sub\u200d",
  "sub\ufe0f",
  "\u3164sub",
];

let client: TestClient;

/** Which fields are wrong, and why. A name that is not ASCII is in `fields` alone, and not in the description. */
async function problemsIn(response: Response) {
  expect(response.status).toBe(400);
  return (await response.json<ErrorBody>()).fields;
}

beforeAll(async () => {
  await server.makeScopes("openid", "read");
  client = await server.makeClient({ scope: "openid read" });
});

describe("a name in claims, id_token_claims and userinfo", () => {
  const fields = ["claims", "id_token_claims", "userinfo"];

  function start(name: string) {
    const claims = { [name]: "mallory" };
    return server.admin("POST", "/grants", {
      client_id: client.client_id,
      subject: "alice",
      ...Object.fromEntries(fields.map((field) => [field, claims])),
    });
  }

  function problems(of: (field: string) => string, problem: string) {
    const expected: unknown = expect.stringContaining(problem);
    return Object.fromEntries(fields.map((field) => [of(field), expected]));
  }

  it.each(alike)("must not be read as a registered one: %j", async (name) => {
    expect(await problemsIn(await start(name))).toEqual(
      problems((field) => `${field}.${name}`, "choose another name"),
    );
  });

  it.each(unseen)("must not have what nobody sees: %j", async (name) => {
    expect(await problemsIn(await start(name))).toEqual(
      problems((field) => field, "invisible characters"),
    );
  });

  it("may be in capitals, or in any language", async () => {
    for (const name of ["Team", "\u90e8\u9580", "sub_team", "role\u0301"])
      expect((await start(name)).status).toBe(200);
  });
});

it("active in capitals must not be in claims, because they are in introspection", async () => {
  const response = await server.admin("POST", "/grants", {
    client_id: client.client_id,
    subject: "alice",
    claims: { Active: true, Username: "root" },
  });
  expect(Object.keys(await fieldErrors(response))).toEqual([
    "claims.Active",
    "claims.Username",
  ]);
});

it("a change of a login, and the claims of a scope, must not have such names either", async () => {
  const tokens = await server.login(client);
  const changed = await server.admin("PATCH", `/grants/${grantIdOf(tokens)}`, {
    userinfo: { Sub: "mallory" },
  });
  expect(Object.keys(await fieldErrors(changed))).toEqual(["userinfo.Sub"]);
  const put = await server.admin("PUT", "/scopes/read", {
    description: "Read",
    claims: ["team", "Sub", "te\u200bam"],
  });
  expect(Object.keys(await fieldErrors(put))).toEqual(["claims.1", "claims.2"]);
});

describe("a record that has such claims nevertheless", () => {
  const bad = ["sub", "iss", "aud", ...alike];
  const given = Object.fromEntries(bad.map((name) => [name, "mallory"]));

  it("puts none of them into a token, /userinfo or an introspection", async () => {
    const tokens = await server.login(client);
    const isolate = serverWith({});
    const before = await (
      await isolate.about("/introspect", client, tokens.access_token)
    ).json();
    const fields = { ...given, team: "blue" };
    await rewriteLogin(tokens, {
      // What else an introspection says of itself.
      claims: { ...fields, active: "mallory", Active: "mallory" },
      id_token_claims: fields,
      userinfo: fields,
    });
    const catalogue = await env.KV.get<object>("scopes", "json");
    const claims = [...bad, "team"];
    const read = { description: "Read", claims };
    await env.KV.put("scopes", JSON.stringify({ ...catalogue, read }));
    const next = await serverWith({}).expectRefresh(
      client,
      tokens.refresh_token,
    );
    const { access_token, id_token } = next as OpenIdTokens;
    const headers = { Authorization: `Bearer ${access_token}` };
    const answer = await serverWith({}).http("/userinfo", { headers });
    expect(await answer.json()).toEqual({ team: "blue", sub: "alice" });
    for (const token of [access_token, id_token]) {
      expect(decodeJwt(token)["team"]).toBe("blue");
      expect(Object.values(decodeJwt(token))).not.toContain("mallory");
    }
    const after = await isolate.about(
      "/introspect",
      client,
      tokens.access_token,
    );
    expect(await after.json()).toEqual({ ...(before as object), team: "blue" });
  });
});
