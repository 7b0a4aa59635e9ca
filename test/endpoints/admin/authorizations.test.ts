import { env } from "cloudflare:workers";
import { decodeJwt } from "jose";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { Reason } from "../../../src/oauth/errors.ts";
import { fieldErrors } from "../../support/admin.ts";
import {
  decide,
  expectTokens,
  makeWebClient,
  obtainCode,
  type Parameters,
  redeem,
  REDIRECT_URI,
  requestAtLogin,
} from "../../support/authorization.ts";
import {
  ISSUER,
  refusal,
  server,
  serverWith,
  type TestClient,
  type TestServer,
} from "../../support/server.ts";

/** Tests `/admin/authorizations`, by which the sign-in page describes and decides an authorization request. */

let client: TestClient;

beforeAll(async () => {
  await server.makeScopes("read", "write");
  client = await makeWebClient({ scope: "read write", client_name: "An app" });
});

afterEach(() => {
  vi.useRealTimers();
});

function get(
  query: Record<string, string> | string[][],
  to: TestServer = server,
): Promise<Response> {
  const search = new URLSearchParams(query).toString();
  return to.admin("GET", `/authorizations?${search}`);
}

function post(decision: unknown, to: TestServer = server): Promise<Response> {
  return to.admin("POST", "/authorizations", decision);
}

async function described(
  more: Parameters = {},
  requester: { client_id: string } = client,
): Promise<Record<string, unknown>> {
  const response = await get({
    request: await requestAtLogin(requester, more),
  });
  expect(response.status).toBe(200);
  return response.json<Record<string, unknown>>();
}

describe("GET /admin/authorizations", () => {
  it("returns everything that a sign-in page needs to ask the user", async () => {
    const resource = "https://api.example.com";
    const full = await makeWebClient({
      client_name: "Ünïcode & <b>Co</b>",
      scope: "read write",
      resources: [resource],
    });
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const request = await requestAtLogin(full, {
      scope: "write read",
      resource,
      prompt: "login consent",
      login_hint: "álice@example.com",
      ui_locales: "fr-CA en",
    });
    vi.advanceTimersByTime(60_000);
    const response = await get({ request });
    expect(response.headers.get("Cache-Control")).toBe("no-store");
    expect(await response.json()).toEqual({
      client_id: full.client_id,
      client_name: "Ünïcode & <b>Co</b>",
      redirect_uri: REDIRECT_URI,
      scopes: [
        { scope: "write", description: "May write" },
        { scope: "read", description: "May read" },
      ],
      resource: [resource],
      prompt: "login consent",
      login_hint: "álice@example.com",
      ui_locales: "fr-CA en",
      expires_at: Math.floor(Date.now() / 1000) - 60 + 1800,
    });
  });

  it("returns no other fields for a request without optional parameters", async () => {
    const plain = await makeWebClient();
    expect(await described({}, plain)).toEqual({
      client_id: plain.client_id,
      redirect_uri: REDIRECT_URI,
      scopes: [],
      resource: [],
      expires_at: expect.any(Number),
    });
  });

  it("returns the descriptions that the catalogue has now, and no scope that the client has lost since", async () => {
    const [kept, lost] = [crypto.randomUUID(), crypto.randomUUID()];
    await server.makeScopes(kept, lost);
    const scope = `${kept} ${lost}`;
    const otherClient = await makeWebClient({ scope });
    const request = await requestAtLogin(otherClient, { scope });
    const description = "Other words";
    await server.expectAdmin("PUT", `/scopes/${kept}`, { description });
    await server.expectAdmin("PATCH", `/clients/${otherClient.client_id}`, {
      scope: kept,
    });
    expect(await (await get({ request })).json()).toMatchObject({
      scopes: [{ scope: kept, description }],
    });
  });

  it("returns the redirect URI of the request, or the registered one if the request left it out", async () => {
    const native = await makeWebClient({
      redirect_uris: ["http://127.0.0.1/callback"],
    });
    const redirect_uri = "http://127.0.0.1:51004/callback";
    expect(await described({ redirect_uri }, native)).toMatchObject({
      redirect_uri,
    });
    expect(await described({ redirect_uri: undefined }, native)).toMatchObject({
      redirect_uri: "http://127.0.0.1/callback",
    });
  });

  it("can be repeated, and changes nothing", async () => {
    const request = await requestAtLogin(client);
    const first = await (await get({ request })).json();
    expect(await (await get({ request })).json()).toEqual(first);
    const redirect = await decide(request);
    expect(await (await get({ request })).json()).toEqual(first);
    const code = redirect.searchParams.get("code") ?? "";
    expect((await redeem(client, code)).status).toBe(200);
  });

  it.each<[string[], string[][], Reason?]>([
    [["request"], []],
    [["request"], [["request", ""]]],
    [["request"], [["request", "x"]], "authorization_request_malformed"],
    [["request"], [["request", "x".repeat(16 * 1024 + 1)]]],
    [
      ["request"],
      [
        ["request", "x"],
        ["request", "x"],
      ],
    ],
    [
      ["more"],
      [
        ["request", "x"],
        ["more", "1"],
      ],
    ],
  ])("names the invalid parameter: %j (%#)", async (fields, query, reason) => {
    const problems = await fieldErrors(await get(query), reason);
    expect(Object.keys(problems)).toEqual(fields);
  });
});

describe("POST /admin/authorizations", () => {
  /** The scope of the tokens to which a decision leads. */
  async function granted(decision: Record<string, unknown>) {
    const more = { scope: "read write" };
    const code = await obtainCode(client, more, {
      subject: "alice",
      ...decision,
    });
    const { scope } = await expectTokens(await redeem(client, code));
    return scope;
  }

  it("answers 200 with the URL for the browser, and nothing else", async () => {
    const request = await requestAtLogin(client);
    const response = await post({ request, subject: "alice" });
    expect(response.status).toBe(200);
    expect(response.headers.get("Cache-Control")).toBe("no-store");
    const body = await response.json<Record<string, string>>();
    expect(Object.keys(body)).toEqual(["redirect_to"]);
    expect(body["redirect_to"]).toMatch(
      /^https:\/\/app\.example\.com\/callback\?code=[\w.-]+&state=xyz&iss=https%3A%2F%2Fauth\.example\.com$/,
    );
  });

  it("allows all requested scopes if scope is left out, and otherwise the named ones", async () => {
    expect(await granted({})).toBe("read write");
    expect(await granted({ scope: "write" })).toBe("write");
    expect(await granted({ scope: "write write" })).toBe("write");
  });

  it("answers with a redirect with access_denied if no scope is allowed, because a token response can't express that (RFC 6749 section 5.1)", async () => {
    const denied = await decide(await requestAtLogin(client), {
      subject: "alice",
      scope: "",
    });
    expect(denied.searchParams.get("error")).toBe("access_denied");
    expect(denied.searchParams.has("code")).toBe(false);
  });

  it("leads to tokens without a scope if no scope was requested", async () => {
    const plain = await makeWebClient();
    for (const more of [{}, { scope: "" }]) {
      const decision = { subject: "alice", ...more };
      const code = await obtainCode(plain, {}, decision);
      const tokens = await expectTokens(await redeem(plain, code));
      expect(tokens).not.toHaveProperty("scope");
    }
  });

  it("can be repeated with another decision until a code is redeemed", async () => {
    const request = await requestAtLogin(client);
    const denied = await decide(request, { error: "access_denied" });
    expect(denied.searchParams.get("error")).toBe("access_denied");
    const code = (await decide(request)).searchParams.get("code") ?? "";
    expect((await redeem(client, code)).status).toBe(200);
  });

  it.each([
    "access_denied",
    "login_required",
    "interaction_required",
    "consent_required",
    "account_selection_required",
    "temporarily_unavailable",
    "server_error",
  ])("answers with a redirect with %s", async (error) => {
    const redirect = await decide(await requestAtLogin(client), { error });
    expect(Object.fromEntries(redirect.searchParams)).toEqual({
      error,
      error_description: expect.any(String),
      state: "xyz",
      iss: ISSUER,
    });
  });

  it.each([
    "ü".repeat(127),
    "👩‍🚀 with spaces",
    '"quoted"\\',
    "constructor",
    "...",
  ])("accepts %j as a subject", async (subject) => {
    const code = await obtainCode(client, {}, { subject });
    const { access_token } = await expectTokens(await redeem(client, code));
    expect(decodeJwt(access_token).sub).toBe(subject);
  });

  it.each<[string[], Record<string, unknown>, Reason?]>([
    [["request"], { request: undefined }],
    [["request"], { request: "" }],
    [["request"], { request: "x" }, "authorization_request_malformed"],
    [["request"], { request: 7 }],
    [["request"], { request: null }],
    [
      ["request"],
      { request: "x".repeat(16 * 1024 - 100) },
      "authorization_request_malformed",
    ],
    [["subject"], { subject: undefined }],
    [["subject"], { subject: null }],
    [["subject"], { subject: "" }],
    [["subject"], { subject: 7 }],
    [["subject"], { subject: ["alice"] }],
    [["subject"], { subject: "ü".repeat(128) }],
    [["subject"], { subject: "new\nline" }],
    [["subject"], { subject: "\0" }],
    [["subject"], { subject: "lone \ud800 surrogate" }],
    [["subject"], { subject: "." }],
    [["subject"], { subject: ".." }],
    [["scope"], { scope: 7 }],
    [["scope"], { scope: null }],
    [["scope"], { scope: "x".repeat(8193) }],
    [["error"], { error: "access_denied" }],
    [["error"], { subject: undefined, error: "invalid_scope" }],
    [["error"], { subject: undefined, error: "" }],
    [["error"], { subject: undefined, error: 7 }],
    [["error"], { subject: undefined, error: "access_denied", scope: "read" }],
    [["more"], { more: 1 }],
    [["code"], { code: "x" }],
    [["subject", "more"], { subject: 7, more: 1 }],
  ])("names the invalid fields: %j (%#)", async (fields, change, reason) => {
    const request = await requestAtLogin(client, { scope: "read" });
    const body = { request, subject: "alice", ...change };
    const problems = await fieldErrors(await post(body), reason);
    expect(Object.keys(problems)).toEqual(fields);
  });

  it("refuses a body that is not a JSON object", async () => {
    for (const body of [[], "x", 7, null]) {
      const problems = await fieldErrors(await post(body));
      expect(Object.keys(problems)).toEqual(["body"]);
    }
  });
});

describe("/admin/authorizations", () => {
  it("answers 401 without the admin token", async () => {
    const request = await requestAtLogin(client);
    const query = new URLSearchParams({ request }).toString();
    for (const headers of [
      {},
      { Authorization: "Bearer x" },
      { Authorization: `Bearer ${env.ADMIN_TOKEN}x` },
      { Authorization: `Basic ${btoa(`admin:${env.ADMIN_TOKEN}`)}` },
    ]) {
      const asked = await server.http(`/admin/authorizations?${query}`, {
        headers,
      });
      const decided = await server.http("/admin/authorizations", {
        method: "POST",
        headers: { "Content-Type": "application/json", ...headers },
        body: JSON.stringify({ request, subject: "alice" }),
      });
      for (const response of [asked, decided]) {
        expect(response.headers.get("WWW-Authenticate")).toMatch(/^Bearer /);
        expect(await refusal(response)).toEqual([
          401,
          "invalid_token",
          "admin_token_wrong",
        ]);
      }
    }
  });

  it("answers 404 if ADMIN_TOKEN is not set", async () => {
    const withoutAdminToken = serverWith({ ADMIN_TOKEN: "" });
    const request = await requestAtLogin(client);
    expect(await refusal(await get({ request }, withoutAdminToken))).toEqual([
      404,
      "not_found",
      "path_unknown",
    ]);
    const decision = { request, subject: "alice" };
    expect(await refusal(await post(decision, withoutAdminToken))).toEqual([
      404,
      "not_found",
      "path_unknown",
    ]);
  });
});
