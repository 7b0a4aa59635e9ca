import { beforeAll, describe, expect, it } from "vitest";
import {
  authorizationQuery,
  decide,
  expectTokens,
  location,
  LOGIN_URL,
  makeWebClient,
  redeem,
} from "../support/authorization.ts";
import { shown, told } from "../support/refusals.ts";
import { reasonOf } from "../support/request-lines.ts";
import { ISSUER, server, type TestClient } from "../support/server.ts";

/** `POST /authorize` (OpenID Connect Core section 3.1.2.1), which is there while the catalogue has `openid`. */

let client: TestClient;

beforeAll(async () => {
  await server.makeScopes("openid", "read");
  client = await makeWebClient({ scope: "openid read" });
});

const form = "application/x-www-form-urlencoded";

function post(
  body: string,
  {
    path = "/authorize",
    type = form,
  }: { path?: string; type?: string | null } = {},
): Promise<Response> {
  return server.http(path, {
    method: "POST",
    redirect: "manual",
    headers: type === null ? {} : { "Content-Type": type },
    body: new TextEncoder().encode(body),
  });
}

describe("POST /authorize", () => {
  it("sends the browser to the login with a GET, and the login's decision ends in tokens", async () => {
    const response = await post(
      authorizationQuery(client, { scope: "openid" }),
      { type: `${form}; charset=UTF-8` },
    );
    const login = location(response);
    expect(login.origin + login.pathname).toBe(LOGIN_URL);
    expect(response.headers.get("Cache-Control")).toBe("no-store");
    const back = await decide(login.searchParams.get("request") ?? "");
    expect(back.searchParams.get("state")).toBe("xyz");
    const code = back.searchParams.get("code") ?? "";
    const { scope } = await expectTokens(await redeem(client, code));
    expect(scope).toBe("openid");
  });

  it("serves a request without openid too", async () => {
    const response = await post(authorizationQuery(client, { scope: "read" }));
    expect(location(response).origin).toBe(new URL(LOGIN_URL).origin);
  });

  it.each([
    "a%20b",
    "a+b",
    "%7e~",
    "%c3%a4",
    "'()*!",
    "a%23b",
    "{%22a%22:1}",
    "?a=b",
  ])("gives state %s back byte for byte", async (state) => {
    const query = authorizationQuery(client, {
      state: undefined,
      response_type: "token",
    });
    const response = await post(`${query}&state=${state}`);
    const url = response.headers.get("Location") ?? "";
    expect(url).toContain(`&state=${state}&`);
    expect(reasonOf(response)).toBe("response_type_unsupported");
  });

  it.each(["a#b", "a b", "a\r\nb", 'a"b', "ä"])(
    "encodes the characters of state %j that a URL cannot have, so that nothing ends the parameter",
    async (state) => {
      const query = authorizationQuery(client, {
        state: undefined,
        response_type: "token",
      });
      const response = await post(`${query}&state=${state}`);
      const url = response.headers.get("Location") ?? "";
      expect(url).toContain(`&state=${encodeURIComponent(state)}&`);
      expect(new URL(url).searchParams.get("iss")).toBe(ISSUER);
    },
  );

  it("reads the body alone, so that no parameter has two places", async () => {
    const query = authorizationQuery(client, { scope: "openid" });
    const inQuery = await post("", { path: `/authorize?${query}` });
    expect(await shown(inQuery)).toEqual([
      400,
      "invalid_request",
      "parameter_missing",
    ]);
    const other = new URLSearchParams({
      state: "of-the-query",
      response_type: "token",
      client_id: "unknown",
    });
    const both = await post(query, { path: `/authorize?${other.toString()}` });
    expect(location(both).origin).toBe(new URL(LOGIN_URL).origin);
  });

  it("has the bound of the query, and shows a page", async () => {
    const state = (characters: number) =>
      authorizationQuery(client, { state: "x".repeat(characters) });
    const rest = state(0).length;
    const longest = await post(state(4096 - rest));
    expect(location(longest).origin).toBe(new URL(LOGIN_URL).origin);
    expect(await shown(await post(state(4097 - rest)))).toEqual([
      400,
      "invalid_request",
      "authorization_request_too_long",
    ]);
    expect(await shown(await post(state(17_000)))).toEqual([
      413,
      "invalid_request",
      "body_too_large",
    ]);
  });

  it.each(["application/json", "multipart/form-data; boundary=x", null])(
    "shows a page for a body of the type %s",
    async (type) => {
      const body = authorizationQuery(client);
      expect(await shown(await post(body, { type }))).toEqual([
        400,
        "invalid_request",
        "content_type_wrong",
      ]);
    },
  );

  it("tells the client of a fault by redirect, and shows a page for an unknown redirect URI", async () => {
    const repeated = authorizationQuery(client, [["state", "abc"]]);
    expect(told(await post(repeated))).toEqual([
      {
        error: "invalid_request",
        error_description: expect.stringContaining("state"),
        iss: ISSUER,
      },
      "parameter_repeated",
    ]);
    const elsewhere = authorizationQuery(client, {
      redirect_uri: "https://evil.example.com/",
    });
    expect(await shown(await post(elsewhere))).toEqual([
      400,
      "invalid_request",
      "redirect_uri_unregistered",
    ]);
  });

  it("is not open to pages of other origins, and other methods get 405", async () => {
    const response = await server.http("/authorize", { method: "DELETE" });
    expect([response.status, reasonOf(response)]).toEqual([
      405,
      "method_not_allowed",
    ]);
    expect(response.headers.get("Allow")).toBe("GET, POST, HEAD");
    expect(response.headers.get("Access-Control-Allow-Origin")).toBeNull();
  });
});
