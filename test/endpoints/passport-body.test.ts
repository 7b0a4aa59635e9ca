import { beforeAll, describe, expect, it } from "vitest";
import { reasonOf } from "../support/request-lines.ts";
import {
  basic,
  type ErrorBody,
  refusal,
  server as ordinary,
  serverWith,
  type TestClient,
  type Tokens,
} from "../support/server.ts";

/** POST /oauth/token: where apps of Laravel Passport look for the token endpoint, and what they send. */

const server = serverWith({ PASSPORT_TOKEN_ENDPOINT: "on" });
let client: TestClient;
let refresh_token: string;

beforeAll(async () => {
  await server.makeScopes("read", "write");
  client = await server.makeClient({ scope: "read write" });
  ({ refresh_token } = await server.login(client));
});

function post(body: BodyInit, contentType: string, more = {}) {
  return server.http("/oauth/token", {
    method: "POST",
    headers: { "Content-Type": contentType, ...more },
    body,
  });
}

function refresh(more: object = {}): Record<string, unknown> {
  const { client_id, client_secret } = client;
  return {
    grant_type: "refresh_token",
    refresh_token,
    client_id,
    client_secret,
    ...more,
  };
}

async function expectTokens(response: Response): Promise<Tokens> {
  expect(response.status).toBe(200);
  const tokens = await response.json<Tokens>();
  ({ refresh_token } = tokens);
  return tokens;
}

describe("POST /oauth/token, where it is on", () => {
  it("takes a form, as the token endpoint does", async () => {
    const form = new URLSearchParams(refresh() as Record<string, string>);
    const type = "application/x-www-form-urlencoded";
    const tokens = await expectTokens(await post(form.toString(), type));
    expect(tokens.refresh_token).toMatch(/^baton_rt_/);
  });

  it.each([
    "application/json",
    "application/json; charset=utf-8",
    "Application/JSON",
  ])("takes JSON, as Laravel does: %s", async (type) => {
    const tokens = await expectTokens(
      await post(JSON.stringify(refresh()), type),
    );
    expect(tokens.scope).toBe("read write");
  });

  it("takes a number for an id, and null and nothing for what is left out", async () => {
    const own = await server.makeClient({ client_id: "12", scope: "read" });
    const { refresh_token } = await server.login(own);
    const { client_secret } = own;
    const body = {
      ...refresh({ scope: null, resource: "" }),
      client_id: 12,
      client_secret,
      refresh_token,
    };
    const response = await post(JSON.stringify(body), "application/json");
    expect(response.status).toBe(200);
  });

  it("ignores what it does not know, whatever that is", async () => {
    const more = { device: { os: "ios" }, tags: [["a"]], __proto__: null };
    const body = JSON.stringify(refresh(more)).replace(
      "{",
      '{"__proto__":{"scope":"write"},',
    );
    const tokens = await expectTokens(await post(body, "application/json"));
    expect(tokens.scope).toBe("read write");
  });

  it("takes the client's credentials by Basic beside JSON", async () => {
    const { client_id, client_secret } = client;
    const body = { grant_type: "refresh_token", refresh_token, scope: "read" };
    const tokens = await expectTokens(
      await post(JSON.stringify(body), "application/json", {
        Authorization: basic(client_id, client_secret),
      }),
    );
    expect(tokens.scope).toBe("read");
  });

  it.each([
    ["no JSON", "grant_type=refresh_token"],
    ["nothing", ""],
    ["a list", "[]"],
    ["null", "null"],
    ["a text", '"refresh_token"'],
    ["an object in the place of a text", '{"grant_type":{"a":"b"}}'],
    ["a list with an object in it", '{"scope":["read",{}]}'],
    ["an object for a resource", '{"resource":{}}'],
  ])("refuses a JSON body that is %s", async (_, body) => {
    const response = await post(body, "application/json");
    expect([response.status, reasonOf(response)]).toEqual([
      400,
      "body_malformed",
    ]);
    expect(await response.json<ErrorBody>()).toMatchObject({
      error: "invalid_request",
      error_description: expect.stringContaining("Content-Type") as string,
    });
  });

  it("refuses a value that is there more than once, and consumes nothing", async () => {
    const body = refresh({ scope: ["read", "write"] });
    const response = await post(JSON.stringify(body), "application/json");
    expect(await refusal(response)).toEqual([
      400,
      "invalid_request",
      "parameter_repeated",
    ]);
    await expectTokens(
      await post(JSON.stringify(refresh()), "application/json"),
    );
  });

  it("takes a form of several parts, as PHP's curl sends an array", async () => {
    const form = new FormData();
    for (const [name, value] of Object.entries(refresh()))
      form.append(name, String(value));
    form.append("avatar", new Blob(["x"]), "x.png");
    const response = await server.http("/oauth/token", {
      method: "POST",
      body: form,
    });
    const tokens = await expectTokens(response);
    expect(tokens.scope).toBe("read write");
  });

  it("refuses a file in the place of a text, and what is there twice", async () => {
    const pairs: [string, string | Blob, string][] = [
      ["refresh_token", new Blob([refresh_token]), "body_malformed"],
      ["scope", "read", "parameter_repeated"],
    ];
    for (const [name, value, reason] of pairs) {
      const form = new FormData();
      for (const [own, text] of Object.entries(refresh({ scope: "write" })))
        if (own !== name || typeof value === "string")
          form.append(own, String(text));
      if (typeof value === "string") form.append(name, value);
      else form.append(name, value, "token.txt");
      const response = await server.http("/oauth/token", {
        method: "POST",
        body: form,
      });
      expect(await refusal(response)).toEqual([400, "invalid_request", reason]);
    }
  });

  it.each([
    ["text/plain", "content_type_wrong"],
    ["multipart/form-data; boundary=x", "body_malformed"],
    ["multipart/form-data", "body_malformed"],
    ["multipart/mixed; boundary=x", "content_type_wrong"],
    ["application/jsonp", "content_type_wrong"],
  ])("refuses a body that is %s", async (type, reason) => {
    const response = await post(JSON.stringify(refresh()), type);
    expect(await refusal(response)).toEqual([400, "invalid_request", reason]);
  });

  it("has the bounds, headers and origins of the token endpoint", async () => {
    const large = JSON.stringify(refresh({ padding: "x".repeat(16 * 1024) }));
    const tooLarge = await post(large, "application/json");
    expect(await refusal(tooLarge)).toEqual([
      413,
      "invalid_request",
      "body_too_large",
    ]);
    const get = await server.http("/oauth/token");
    expect(get.headers.get("Allow")).toBe("POST");
    expect(await refusal(get)).toEqual([
      405,
      "invalid_request",
      "method_not_allowed",
    ]);
    const preflight = await server.http("/oauth/token", {
      method: "OPTIONS",
      headers: {
        Origin: "https://app.example.com",
        "Access-Control-Request-Method": "POST",
      },
    });
    expect(preflight.headers.get("Access-Control-Allow-Origin")).toBe("*");
    const answer = await post("{}", "application/json");
    expect(answer.headers.get("Cache-Control")).toBe("no-store");
    expect(answer.headers.get("Access-Control-Allow-Origin")).toBe("*");
  });

  it("is not what the metadata names, and JSON is for it alone", async () => {
    const path = "/.well-known/oauth-authorization-server";
    const metadata = await (await server.http(path)).json();
    expect(metadata).toMatchObject({
      token_endpoint: "https://auth.example.com/access_token",
    });
    const response = await server.http("/access_token", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(refresh()),
    });
    expect(await refusal(response)).toEqual([
      400,
      "invalid_request",
      "content_type_wrong",
    ]);
  });
});

describe("POST /oauth/token, where it is not on", () => {
  it("is not there", async () => {
    for (const method of ["POST", "GET", "OPTIONS"]) {
      const response = await ordinary.http("/oauth/token", { method });
      expect(await refusal(response)).toEqual([
        404,
        "not_found",
        "path_unknown",
      ]);
    }
  });

  it("may be misspelled: /health says so", async () => {
    const misspelled = serverWith({ PASSPORT_TOKEN_ENDPOINT: "yes" });
    const response = await misspelled.http("/health");
    expect(await response.json()).toEqual({
      status: "failing",
      problems: [
        {
          name: "PASSPORT_TOKEN_ENDPOINT",
          problem: "must be on, or empty",
        },
      ],
    });
  });
});
