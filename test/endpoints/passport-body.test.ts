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

/** Tests `POST /oauth/token`, the token endpoint of Laravel Passport, with the bodies that its apps send. */

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

describe("POST /oauth/token, if it is turned on,", () => {
  it("accepts a form, as the token endpoint does", async () => {
    const form = new URLSearchParams(refresh() as Record<string, string>);
    const type = "application/x-www-form-urlencoded";
    const tokens = await expectTokens(await post(form.toString(), type));
    expect(tokens.refresh_token).toMatch(/^baton_rt_/);
  });

  it.each([
    "application/json",
    "application/json; charset=utf-8",
    "Application/JSON",
  ])("accepts JSON, as Laravel does: %s", async (type) => {
    const tokens = await expectTokens(
      await post(JSON.stringify(refresh()), type),
    );
    expect(tokens.scope).toBe("read write");
  });

  it("accepts a number as a client id, and null or an empty string for a parameter that is left out", async () => {
    const numericIdClient = await server.makeClient({
      client_id: "12",
      scope: "read",
    });
    const { refresh_token } = await server.login(numericIdClient);
    const { client_secret } = numericIdClient;
    const body = {
      ...refresh({ scope: null, resource: "" }),
      client_id: 12,
      client_secret,
      refresh_token,
    };
    const response = await post(JSON.stringify(body), "application/json");
    expect(response.status).toBe(200);
  });

  it("ignores unknown parameters of any type", async () => {
    const more = { device: { os: "ios" }, tags: [["a"]], __proto__: null };
    const body = JSON.stringify(refresh(more)).replace(
      "{",
      '{"__proto__":{"scope":"write"},',
    );
    const tokens = await expectTokens(await post(body, "application/json"));
    expect(tokens.scope).toBe("read write");
  });

  it("accepts the client's credentials by HTTP Basic beside a JSON body", async () => {
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
    ["not JSON", "grant_type=refresh_token"],
    ["empty", ""],
    ["a list", "[]"],
    ["null", "null"],
    ["a string", '"refresh_token"'],
    ["an object with an object as a parameter", '{"grant_type":{"a":"b"}}'],
    [
      "an object with a list of a string and an object as a parameter",
      '{"scope":["read",{}]}',
    ],
    ["an object with an object as the resource", '{"resource":{}}'],
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

  it("refuses a repeated parameter, and the token stays good", async () => {
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

  it("accepts multipart/form-data, as PHP's curl sends an array", async () => {
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

  it("refuses a file as a parameter, and a repeated parameter, in multipart/form-data", async () => {
    const pairs: [string, string | Blob, string][] = [
      ["refresh_token", new Blob([refresh_token]), "body_malformed"],
      ["scope", "read", "parameter_repeated"],
    ];
    for (const [name, value, reason] of pairs) {
      const form = new FormData();
      for (const [field, text] of Object.entries(refresh({ scope: "write" })))
        if (field !== name || typeof value === "string")
          form.append(field, String(text));
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
  ])("refuses a body with the Content-Type %s", async (type, reason) => {
    const response = await post(JSON.stringify(refresh()), type);
    expect(await refusal(response)).toEqual([400, "invalid_request", reason]);
  });

  it("has the limits, headers and CORS origins of the token endpoint", async () => {
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

  it("is not named in the metadata, and is the only token endpoint that accepts JSON", async () => {
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

describe("POST /oauth/token, if it is not turned on,", () => {
  it("is answered with 404", async () => {
    for (const method of ["POST", "GET", "OPTIONS"]) {
      const response = await ordinary.http("/oauth/token", { method });
      expect(await refusal(response)).toEqual([
        404,
        "not_found",
        "path_unknown",
      ]);
    }
  });

  it("is a problem at /health if the value of its variable is misspelled", async () => {
    const misspelled = serverWith({ PASSPORT_TOKEN_ENDPOINT: "yes" });
    const response = await misspelled.health();
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
