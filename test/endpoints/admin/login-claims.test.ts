import { env, exports } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { registeredClaims } from "../../../src/oauth/login-claims.ts";
import { fieldErrors } from "../../support/admin.ts";
import {
  decide,
  makeWebClient,
  requestAtLogin,
} from "../../support/authorization.ts";
import { everyLoginClaim, extraClaims } from "../../support/login-claims.ts";
import { server, type TestClient } from "../../support/server.ts";

/** Tests which claims the login may give, at the doors where it gives them. */

const fields = ["claims", "id_token_claims", "userinfo"] as const;

let client: TestClient;

beforeAll(async () => {
  await server.makeScopes("read");
  client = await makeWebClient({ scope: "read" });
});

function start(claims: Record<string, unknown>): Promise<Response> {
  const { client_id } = client;
  return server.admin("POST", "/grants", {
    client_id,
    subject: "alice",
    ...claims,
  });
}

/** The problems of the fields of a body. */
async function problemsOf(
  claims: Record<string, unknown>,
): Promise<Record<string, string>> {
  return fieldErrors(await start(claims));
}

/** Claims whose JSON, as the value of the field `claims`, makes all fields have so many bytes. */
function claimsOfSize(bytes: number): Record<string, unknown> {
  const empty = JSON.stringify({ claims: { a: "" } }).length;
  return { a: "x".repeat(bytes - empty) };
}

const nested = (levels: number): unknown =>
  levels === 0
    ? 1
    : levels % 2
      ? { a: nested(levels - 1) }
      : [nested(levels - 1)];

describe("the fields that a login may give", () => {
  it.each<[string, Record<string, unknown>]>([
    ["all seven", everyLoginClaim],
    ["2,048 bytes together", { claims: claimsOfSize(2048) }],
    ["five objects and arrays inside one another", { claims: nested(5) }],
    [
      "any standard claim in another language",
      { userinfo: { "name#ja": "太郎" } },
    ],
    [
      "an address with line breaks",
      { userinfo: { address: { formatted: "Main St 1\r\nTown" } } },
    ],
    [
      "a name that is a property of every object",
      { claims: { constructor: "x", toString: "y" } },
    ],
    ["a fraction and a negative number", { claims: { a: 0.5, b: -1 } }],
    [
      "a sign-in less than a minute ahead of this clock",
      { auth_time: Math.floor(Date.now() / 1000) + 30 },
    ],
  ])("may be %s", async (_, claims) => {
    expect((await start(claims)).status).toBe(200);
  });

  it("survive as they are, also names that every object has", async () => {
    const claims = { constructor: "x", toString: ["y", null, 0.5, { "": 1 }] };
    delete (claims.toString[3] as Record<string, unknown>)[""];
    const tokens = await server.login(client, { claims });
    expect(extraClaims(tokens)).toEqual(claims);
  });
});

describe.each(fields)("%s", (field) => {
  it.each(registeredClaims[field])(
    "cannot have the registered claim %s",
    async (name) => {
      expect(await problemsOf({ [field]: { [name]: "x", other: 1 } })).toEqual({
        [`${field}.${name}`]: expect.stringContaining("choose another name"),
      });
    },
  );

  it.each<[string, unknown]>([
    ["an array", []],
    ["a string", "x"],
    ["null", null],
  ])("must be an object: %s is refused", async (_, value) => {
    expect(await problemsOf({ [field]: value })).toEqual({
      [field]: "must be an object with a value for each claim",
    });
  });

  it.each<[string, unknown, string]>([
    ["email_verified", "true", "must be true or false"],
    ["phone_number_verified", 1, "must be true or false"],
    ["updated_at", "2026-01-01", "must be a number"],
    ["updated_at", 1_767_225_600_000, "milliseconds"],
    ["address", "Main St 1", "must be an object of strings"],
    ["address", { country: null }, "must be an object of strings"],
    ["name", ["Alice"], "must be a string"],
    ["family_name#de", 7, "must be a string"],
  ])(
    "has the standard type of %s, so that %j is refused",
    async (name, value, problem) => {
      expect(await problemsOf({ [field]: { [name]: value } })).toEqual({
        [`${field}.${name}`]: expect.stringContaining(problem),
      });
    },
  );
});

describe("a claim", () => {
  it.each<[string, unknown, string]>([
    [
      "six objects and arrays inside one another",
      nested(5),
      "inside one another",
    ],
    ["a lone surrogate", "\ud800", "lone surrogates"],
    ["a lone surrogate in a name inside", { "\udc00": 1 }, "lone surrogates"],
    ["a control character", "a\u0000b", "control characters"],
    ["a C1 control character", "\u0085", "control characters"],
    ["an empty name inside", { "": 1 }, "a name that is empty"],
    [
      "a name of 101 characters inside",
      { ["n".repeat(101)]: 1 },
      "100 characters",
    ],
    ["a number that JSON readers round", 2 ** 53, "send a string"],
    [
      "more values than fit",
      Array.from({ length: 1100 }, () => 1),
      "too many values",
    ],
  ])("with %s is refused by its name", async (_, value, problem) => {
    expect(await problemsOf({ claims: { mine: value } })).toEqual({
      "claims.mine": expect.stringContaining(problem),
    });
  });

  it.each<[string, string, string]>([
    ["__proto__", '{"__proto__": {"admin": true}}', "__proto__"],
    ["an infinite number", '{"mine": 1e999}', "send a string"],
    ["__proto__ inside", '{"mine": {"__proto__": 1}}', "__proto__"],
    ["a name of 101 characters", `{"${"n".repeat(101)}": 1}`, "100 characters"],
    ["a name with a line break", '{"a\\nb": 1}', "control characters"],
  ])("in JSON with %s is refused", async (_, json, problem) => {
    const body = `{"client_id": ${JSON.stringify(client.client_id)}, "subject": "alice", "claims": ${json}}`;
    const response = await adminText("POST", "/grants", body);
    const problems = await fieldErrors(response);
    expect(Object.keys(problems).join()).toMatch(/^claims(\.mine)?$/);
    expect(Object.values(problems).join()).toContain(problem);
  });
});

describe("the other fields", () => {
  it.each<[string, unknown, string]>([
    ["auth_time", "1767225600", "must be a number"],
    ["auth_time", 1.5, "whole number"],
    ["auth_time", -1, "at least 0"],
    ["auth_time", Date.now(), "milliseconds"],
    ["auth_time", 32_503_680_000, "in the future"],
    ["acr", "", "at least 1 character"],
    ["acr", "a\nb", "control characters"],
    ["acr", "x".repeat(256), "at most 255 characters"],
    ["amr", "pwd", "must be an array"],
    ["amr", Array.from({ length: 21 }, () => "pwd"), "at most 20 values"],
    ["sid", 7, "must be a string"],
    ["sid", "\ud800", "control characters"],
    ["sid", "x".repeat(256), "at most 255 characters"],
  ])("refuse %s if it is %j", async (field, value, problem) => {
    expect(await problemsOf({ [field]: value })).toEqual({
      [field]: expect.stringContaining(problem),
    });
  });

  it("name the method that is wrong in amr", async () => {
    expect(await problemsOf({ amr: ["pwd", 2] })).toEqual({
      "amr.1": "must be a string",
    });
  });
});

describe("the size", () => {
  it("is bounded for all fields together, and the error names the largest", async () => {
    expect(await problemsOf({ claims: claimsOfSize(2049) })).toEqual({
      claims: expect.stringContaining("1 byte too many"),
    });
    const half = { mine: "x".repeat(1000) };
    const more = { userinfo: { mine: "ü".repeat(600) }, claims: half };
    expect(await problemsOf(more)).toEqual({
      userinfo: expect.stringContaining("at most 2048 bytes"),
    });
  });
});

describe("a refusal", () => {
  it("has no value of a claim", async () => {
    const secret = "alice's-secret";
    const response = await start({
      acr: `${secret}\n`,
      claims: { sub: secret, a: `${secret}\u0000`, b: { "c\n": secret } },
      userinfo: { address: secret, email_verified: secret },
      sid: [secret],
    });
    expect(response.status).toBe(400);
    expect(await response.text()).not.toContain(secret);
  });
});

describe("a decision of the sign-in page", () => {
  it.each(Object.entries(everyLoginClaim))(
    "cannot have an error together with %s",
    async (field, value) => {
      const request = await requestAtLogin(client);
      const body = { request, error: "access_denied", [field]: value };
      const response = await server.admin("POST", "/authorizations", body);
      expect(await fieldErrors(response)).toEqual({
        error: `must not be sent together with ${field}`,
      });
    },
  );

  it("is checked as a grant is, and the request can be decided again", async () => {
    const request = await requestAtLogin(client);
    const send = (more: object) =>
      server.admin("POST", "/authorizations", {
        request,
        subject: "alice",
        ...more,
      });
    const tooLarge = { userinfo: { a: "x".repeat(2100) } };
    expect(await fieldErrors(await send(tooLarge))).toEqual({
      userinfo: expect.stringContaining("bytes too many"),
    });
    expect(await fieldErrors(await send({ claims: { sub: "x" } }))).toEqual({
      "claims.sub": expect.stringContaining("choose another name"),
    });
    expect(
      await fieldErrors(await send({ auth_time: 32_503_680_000 })),
    ).toEqual({ auth_time: "is in the future" });
    expect((await send(everyLoginClaim)).status).toBe(200);
  });

  it("whose URL would have more than 8000 characters is refused with the bytes that are too many", async () => {
    const scopes = [1, 2, 3, 4, 5].map((n) => `${n}`.padEnd(200, "s"));
    await server.makeScopes(...scopes);
    const long = await makeWebClient({ scope: scopes.join(" ") });
    const request = await requestAtLogin(long, { state: "s".repeat(3200) });
    const send = (bytes: number) =>
      server.admin("POST", "/authorizations", {
        request,
        subject: "alice",
        claims: { a: "x".repeat(bytes) },
      });
    const problems = await fieldErrors(await send(2000));
    expect(Object.keys(problems)).toEqual(["claims"]);
    const [, over] =
      /have (\d+) bytes too many/.exec(problems["claims"] ?? "") ?? [];
    const fits = await send(2000 - Number(over));
    const { redirect_to } = await fits.json<{ redirect_to: string }>();
    expect(redirect_to.length).toBeLessThanOrEqual(8000);
    expect(redirect_to.length).toBeGreaterThan(7990);
    expect((await send(2000 - Number(over) + 8)).status).toBe(400);
    // Without claims the longest request always fits.
    expect((await decide(request)).searchParams.get("code")).not.toBeNull();
  });
});

describe("a decision by RPC", () => {
  it.each<[string, unknown]>([
    ["a Date", new Date()],
    ["a Map", new Map([["a", 1]])],
    ["a BigInt", 1n],
    ["NaN", NaN],
    ["bytes", new Uint8Array(1)],
    ["an array with a hole", Object.assign([], { 1: 2 })],
    ["an object that contains itself", cyclic()],
    ["a function", () => 1],
  ])("refuses what JSON does not have: %s", async (_, value) => {
    const request = await requestAtLogin(client);
    const decision = { request, subject: "alice", claims: { mine: value } };
    const answer = await exports.Login.decideAuthorization(decision);
    expect(answer).toMatchObject({
      error: "invalid_request",
      fields: { "claims.mine": expect.any(String) },
    });
  });

  it("takes the fields, and leaves out what is undefined", async () => {
    const request = await requestAtLogin(client);
    const claims = { tenant: "acme", none: undefined, in: { none: undefined } };
    const answer = await exports.Login.decideAuthorization({
      request,
      subject: "alice",
      acr: undefined,
      claims,
    } as never);
    expect(answer).toEqual({ redirect_to: expect.stringContaining("code=") });
  });
});

function cyclic(): object {
  const loop: Record<string, unknown> = {};
  for (let n = 0; n < 50; n += 1) loop[`a${n}`] = loop;
  return loop;
}

/** Calls the admin API with JSON that no object can express. */
function adminText(method: string, path: string, body: string) {
  const headers = {
    Authorization: `Bearer ${env.ADMIN_TOKEN}`,
    "Content-Type": "application/json",
  };
  return server.http(`/admin${path}`, { method, headers, body });
}
