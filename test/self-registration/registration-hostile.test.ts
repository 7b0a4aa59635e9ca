import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { authorize, location } from "../support/authorization.ts";
import { ecKey, weakRsaKey } from "../support/client-keys.ts";
import { rewriteClient } from "../support/records.ts";
import {
  agent,
  manage,
  postRegistration,
  register,
} from "../support/registration.ts";
import { type ErrorBody, refusal, serverWith } from "../support/server.ts";

/** Dynamic registration by somebody who means harm: nothing is stored, and the refusal says what is wrong. */

const open = serverWith({ DYNAMIC_REGISTRATION: "open" });
const byKey = { token_endpoint_auth_method: "private_key_jwt" };
const jwks_uri = "https://agent.example/jwks.json";

async function clients() {
  return (await env.KV.list({ prefix: "client:" })).keys.length;
}

/** Sends a registration that is refused. @returns the refusal, its description, and how many records were written */
async function refused(body: unknown) {
  const before = await clients();
  const response = await postRegistration(open, body);
  const { error_description } = await response.clone().json<ErrorBody>();
  return {
    refusal: await refusal(response),
    error_description,
    written: (await clients()) - before,
  };
}

/** The refusal of a registration, by which nothing is written. */
function as(error: string, reason: string, description: RegExp) {
  return {
    refusal: [400, error, reason],
    error_description: expect.stringMatching(description) as unknown,
    written: 0,
  };
}

/** Makes a number of redirect URIs that could each be registered. */
function urisOf(count: number): string[] {
  return Array.from(
    { length: count },
    (_, at) => `https://agent.example/${at}`,
  );
}

describe("redirect URIs", () => {
  it.each<[string, unknown, RegExp]>([
    ["are left out", undefined, /redirect_uris: is missing/],
    ["are empty", [], /redirect_uris: is missing/],
    ["are null", null, /redirect_uris: is missing/],
    ["are a text", "https://agent.example/", /redirect_uris: must be an array/],
    ["have a number", [1], /redirect_uris\.0: must be a string/],
    ["have a null", [null], /redirect_uris\.0: must be a string/],
    ["are a script", ["javascript:alert(1)"], /scheme that a browser runs/],
    ["are a script in capitals", ["JavaScript:alert(1)"], /browser runs/],
    ["are data", ["data:text/html,<script>1</script>"], /browser runs/],
    ["are a command", ["search-ms:query=x"], /must not have the scheme/],
    ["are files", ["file:///etc/passwd"], /must not have the scheme/],
    ["are http", ["http://agent.example/callback"], /must begin with https/],
    [
      "look like a loopback address",
      ["http://127.0.0.1.evil.example/"],
      /must begin with https/,
    ],
    [
      "have a user that looks like a host",
      ["https://agent.example@evil.example/"],
      /without a user/,
    ],
    ["have a wildcard", ["https://*.agent.example/"], /must not contain \*/],
    ["have a fragment", ["https://agent.example/#x"], /fragment/],
    ["have a space", ["https://agent.example/a b"], /ASCII without spaces/],
    ["are relative", ["/callback"], /absolute URI/],
    [
      "have a parameter that the server adds",
      ["https://agent.example/?code=1"],
      /must not have a parameter code/,
    ],
    [
      "are a thousand",
      Array.from({ length: 1000 }, (_, at) => `urn:${at}`),
      /at most 20 values/,
    ],
    [
      "are 21",
      urisOf(21),
      /^redirect_uris: must have at most 20 values\. For more, ask an administrator to register the client$/,
    ],
    [
      "are one good and one bad",
      ["https://agent.example/", "http://agent.example/"],
      /redirect_uris\.1/,
    ],
    [
      "are very long",
      [`https://agent.example/${"a".repeat(3000)}`],
      /at most 2048 characters/,
    ],
  ])("that %s are refused", async (_, redirect_uris, description) => {
    expect(await refused({ ...agent, redirect_uris })).toEqual(
      as(
        "invalid_redirect_uri",
        "registration_redirect_uri_invalid",
        description,
      ),
    );
  });

  it("are at most 20, by a change of the registration too", async () => {
    const client = await register(open, {
      ...agent,
      redirect_uris: urisOf(20),
    });
    expect(client.redirect_uris).toHaveLength(20);
    const change = (redirect_uris: string[]) => {
      const { client_id, registration_access_token: token } = client;
      const body = { ...agent, client_id, redirect_uris };
      return manage(open, client, token, "PUT", body);
    };
    expect(await refusal(await change(urisOf(21)))).toEqual([
      400,
      "invalid_redirect_uri",
      "registration_redirect_uri_invalid",
    ]);
    expect((await change(urisOf(20).toReversed())).status).toBe(200);
  });
});

describe("metadata", () => {
  it.each<[string, Record<string, unknown>, RegExp]>([
    ["a name that is a number", { client_name: 1 }, /must be a string/],
    ["a name that is an object", { client_name: { a: 1 } }, /must be a string/],
    ["grant types as a text", { grant_types: "authorization_code" }, /array/],
    [
      "only client_credentials",
      { grant_types: ["client_credentials"] },
      /must have authorization_code/,
    ],
    [
      "only a refresh token",
      { grant_types: ["refresh_token"] },
      /must have authorization_code/,
    ],
    ["response types without code", { response_types: ["token"] }, /have code/],
    [
      "an unknown method",
      { token_endpoint_auth_method: "client_secret_jwt" },
      /must be one of client_secret_basic, client_secret_post, private_key_jwt, none/,
    ],
    [
      "a certificate",
      { token_endpoint_auth_method: "tls_client_auth" },
      /must be one of client_secret_basic/,
    ],
    ["private_key_jwt without keys", byKey, /jwks: is missing/],
    [
      "keys and their address",
      { ...byKey, jwks: { keys: [ecKey] }, jwks_uri },
      /jwks_uri: must not be there together with jwks/,
    ],
    [
      "a private key",
      { ...byKey, jwks: { keys: [ecKey, { ...ecKey, d: "AQAB" }] } },
      /jwks: has a private key/,
    ],
    [
      "weak keys only",
      { ...byKey, jwks: { keys: [weakRsaKey] } },
      /jwks: has no key that can be used here: keys.0 must have 2048/,
    ],
    [
      "eleven keys",
      { ...byKey, jwks: { keys: Array.from({ length: 11 }, () => ecKey) } },
      /jwks: must have at most 10 keys/,
    ],
    [
      "keys at a private address",
      { ...byKey, jwks_uri: "https://169.254.169.254/jwks.json" },
      /jwks_uri: must not lead to a private address/,
    ],
    [
      "keys that are a text",
      { ...byKey, jwks: "x" },
      /jwks: must be an object/,
    ],
    [
      "a wish for DPoP that is a text",
      { dpop_bound_access_tokens: "yes" },
      /dpop_bound_access_tokens: must be true or false/,
    ],
    ["a scope that is a list", { scope: ["a"] }, /scope: must be a string/],
    [
      "a thousand grant types",
      { grant_types: Array<string>(1000).fill("x") },
      /at most 50 values/,
    ],
  ])("with %s is refused", async (_, more, description) => {
    expect(await refused({ ...agent, ...more })).toEqual(
      as(
        "invalid_client_metadata",
        "registration_metadata_invalid",
        description,
      ),
    );
  });

  it.each<[string, string, string | undefined]>([
    ["a line break", "A\nB", "A B"],
    ["an escape sequence of a terminal", "A\u001b[2J", "A [2J"],
    ["a NUL", "A\u0000", "A"],
    ["an override of the direction", "\u202egpj.exe", "gpj.exe"],
    ["an isolate", "A\u2066B", "AB"],
    ["invisible characters only", "\u200b\u2060\u3164", undefined],
    ["tags", "A\u{e0041}", "A"],
    ["half of a character", "A\ud800", "A"],
    ["a tower of marks", `x${"\u0301".repeat(50)}`, `x${"\u0301".repeat(4)}`],
    ["a name as long as a page", "a".repeat(5000), "a".repeat(100)],
    ["markup, which a page escapes", "<b>A</b>", "<b>A</b>"],
    ["another script", "日本語エージェント", "日本語エージェント"],
  ])("with %s in the name has a plain name", async (_, sent, expected) => {
    const { client_name } = await register(open, {
      ...agent,
      client_name: sent,
    });
    expect(client_name).toBe(expected);
  });

  it("gives no more power than a registration has", async () => {
    const client = await register(open, {
      ...agent,
      grant_types: ["authorization_code", "client_credentials"],
      client_id: "admin",
      client_secret: "chosen",
      client_id_issued_at: 1,
      registered_by: undefined,
      registration_expires_at: 1e12,
      registration_token_hash: "A".repeat(43),
      resources: ["https://billing.example.com/"],
      resource_server: "https://billing.example.com/",
      scope: "read write",
      require_pkce: false,
      refresh_token_ttl: "P99Y",
      refresh_token_retry_window: "PT1H",
      access_token_ttl: "P99Y",
      backchannel_logout_uri: "https://192.168.0.1/",
      post_logout_redirect_uris: ["https://evil.example/"],
    });
    expect(client.client_id).not.toBe("admin");
    expect(client).not.toHaveProperty("client_secret");
    const record = await open.expectAdmin<Record<string, unknown>>(
      "GET",
      `/clients/${client.client_id}`,
    );
    expect(record).toEqual({
      client_id: client.client_id,
      client_id_issued_at: client.client_id_issued_at,
      client_name: "Agent",
      redirect_uris: agent.redirect_uris,
      grant_types: ["authorization_code"],
      token_endpoint_auth_method: "none",
      scope: "",
      resources: [],
      refresh_token_retry_window: "PT1M",
      registered_by: "dynamic_registration",
      registration_expires_at: client.client_id_issued_at + 24 * 60 * 60,
      credentials: [],
    });
  });

  it("named __proto__ or constructor changes nothing", async () => {
    const body = `{"__proto__":{"client_name":"Evil","token_endpoint_auth_method":"none"},"constructor":{"prototype":{"x":1}},"redirect_uris":["https://agent.example/"]}`;
    const response = await postRegistration(open, body);
    expect(response.status).toBe(201);
    const made = await response.json();
    expect(made).not.toHaveProperty("client_name");
    expect(made).toHaveProperty("client_secret");
    expect(
      await refused(
        `{"__proto__":{"redirect_uris":["https://agent.example/"]}}`,
      ),
    ).toEqual(
      as(
        "invalid_redirect_uri",
        "registration_redirect_uri_invalid",
        /is missing/,
      ),
    );
  });
});

describe("a body", () => {
  it.each<[string, string]>([
    ["that is not JSON", "{"],
    ["that is empty", ""],
    ["that is a list", "[]"],
    ["that is null", "null"],
    ["that is a text", '"x"'],
  ])("%s is refused", async (_, body) => {
    expect(await refused(body)).toEqual(
      as("invalid_client_metadata", "registration_body_malformed", /JSON/),
    );
  });

  it("with thousands of levels is read without harm", async () => {
    const deep = "[".repeat(7000) + "]".repeat(7000);
    const body = `{"jwks":${deep},"redirect_uris":["https://agent.example/"]}`;
    expect((await postRegistration(open, body)).status).toBe(201);
  });

  it("of another type is refused", async () => {
    const response = await postRegistration(open, agent, {
      "Content-Type": "application/x-www-form-urlencoded",
    });
    expect(await refusal(response)).toEqual([
      400,
      "invalid_client_metadata",
      "registration_body_malformed",
    ]);
  });

  it("of more than 16 KiB is refused", async () => {
    const response = await postRegistration(open, {
      ...agent,
      software_statement: "a".repeat(16 * 1024),
    });
    expect(await refusal(response)).toEqual([
      413,
      "invalid_request",
      "body_too_large",
    ]);
  });
});

describe("a client that registered itself", () => {
  it("gets no token for a resource that is not open to it", async () => {
    const [redirect_uri = ""] = agent.redirect_uris;
    const client = await register(open);
    const answer = location(
      await authorize(
        client,
        { redirect_uri, resource: "https://billing.example.com/" },
        open,
      ),
    );
    expect(answer.searchParams.get("error")).toBe("invalid_target");
    const login = await open.admin("POST", "/grants", {
      client_id: client.client_id,
      subject: "alice",
      resource: ["https://billing.example.com/"],
    });
    expect(login.ok).toBe(false);
  });

  it("is unknown everywhere when its registration has ended", async () => {
    const client = await register(open);
    await rewriteClient(client, { registration_expires_at: 1 });
    const other = serverWith({ DYNAMIC_REGISTRATION: "open" });
    const [redirect_uri] = agent.redirect_uris;
    const page = await authorize(client, { redirect_uri }, other);
    expect(page.status).toBe(400);
    const { registration_access_token: token } = client;
    expect(await refusal(await manage(other, client, token, "GET"))).toEqual([
      401,
      "invalid_token",
      "registration_token_wrong",
    ]);
  });
});
