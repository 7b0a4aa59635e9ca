import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import {
  authorizationQuery,
  authorize,
  CHALLENGE,
  makeWebClient,
  type Parameters,
  REDIRECT_URI,
} from "../support/authorization.ts";
import { shown, told } from "../support/refusals.ts";
import {
  ISSUER,
  server,
  serverWith,
  type TestClient,
} from "../support/server.ts";

/** Tests what `GET /authorize` refuses on a page, and what by redirect (RFC 6749 section 4.1.2.1). */

let client: TestClient;

beforeAll(async () => {
  await server.makeScopes("read", "write");
  client = await makeWebClient({ scope: "read" });
});

function ask(query: string): Promise<Response> {
  return server.http(`/authorize?${query}`, { redirect: "manual" });
}

/** The characters that RFC 6749 section 4.1.2.1 allows in error_description. */
const sentence = /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/;

describe("the client is told by redirect", () => {
  const refused: [string, Parameters, string, string][] = [
    [
      "response_type left out",
      { response_type: undefined },
      "invalid_request",
      "parameter_missing",
    ],
    [
      "response_type empty",
      { response_type: "" },
      "invalid_request",
      "parameter_missing",
    ],
    [
      "response_type=token",
      { response_type: "token" },
      "unsupported_response_type",
      "response_type_unsupported",
    ],
    [
      "response_type=code token",
      { response_type: "code token" },
      "unsupported_response_type",
      "response_type_unsupported",
    ],
    [
      "response_type=CODE",
      { response_type: "CODE" },
      "unsupported_response_type",
      "response_type_unsupported",
    ],
    [
      "response_mode=fragment",
      { response_mode: "fragment" },
      "invalid_request",
      "response_mode_unsupported",
    ],
    [
      "response_mode=form_post",
      { response_mode: "form_post" },
      "invalid_request",
      "response_mode_unsupported",
    ],
    // RFC 7636 sections 4.3 and 4.4.1.
    [
      "a missing challenge",
      { code_challenge: undefined },
      "invalid_request",
      "code_challenge_missing",
    ],
    [
      "no PKCE at all",
      { code_challenge: undefined, code_challenge_method: undefined },
      "invalid_request",
      "code_challenge_missing",
    ],
    [
      "a missing code_challenge_method, which would mean plain",
      { code_challenge_method: undefined },
      "invalid_request",
      "code_challenge_method_unsupported",
    ],
    [
      "an empty code_challenge_method, which would mean plain",
      { code_challenge_method: "" },
      "invalid_request",
      "code_challenge_method_unsupported",
    ],
    [
      "code_challenge_method=plain",
      { code_challenge_method: "plain" },
      "invalid_request",
      "code_challenge_method_unsupported",
    ],
    [
      "code_challenge_method=s256",
      { code_challenge_method: "s256" },
      "invalid_request",
      "code_challenge_method_unsupported",
    ],
    [
      "code_challenge_method=S512",
      { code_challenge_method: "S512" },
      "invalid_request",
      "code_challenge_method_unsupported",
    ],
    [
      "a challenge of 42 characters",
      { code_challenge: CHALLENGE.slice(1) },
      "invalid_request",
      "code_challenge_malformed",
    ],
    [
      "a challenge of 44 characters",
      { code_challenge: `${CHALLENGE}A` },
      "invalid_request",
      "code_challenge_malformed",
    ],
    [
      "a challenge with padding",
      { code_challenge: `${CHALLENGE}=` },
      "invalid_request",
      "code_challenge_malformed",
    ],
    [
      "a challenge in the other base64 alphabet",
      { code_challenge: `+/${CHALLENGE.slice(2)}` },
      "invalid_request",
      "code_challenge_malformed",
    ],
    [
      "a challenge with a line feed at its end",
      { code_challenge: `${CHALLENGE}\n` },
      "invalid_request",
      "code_challenge_malformed",
    ],
    [
      "a challenge with unreserved characters that base64url does not have",
      { code_challenge: `.~${CHALLENGE.slice(2)}` },
      "invalid_request",
      "code_challenge_malformed",
    ],
    [
      "scopes of which the client may have none",
      { scope: "write admin" },
      "invalid_scope",
      "scope_none_left",
    ],
    [
      "an unknown scope",
      { scope: "nosuchscope" },
      "invalid_scope",
      "scope_none_left",
    ],
    [
      "a scope in another case",
      { scope: "READ" },
      "invalid_scope",
      "scope_none_left",
    ],
    [
      "a scope with the name of a property that every object has",
      { scope: "constructor" },
      "invalid_scope",
      "scope_none_left",
    ],
    [
      "a tab in scope",
      { scope: "read\tread" },
      "invalid_scope",
      "scope_malformed",
    ],
    [
      "a space only as scope",
      { scope: " " },
      "invalid_scope",
      "scope_malformed",
    ],
    [
      "a quote in scope",
      { scope: 'read"' },
      "invalid_scope",
      "scope_malformed",
    ],
    [
      "scopes with commas",
      { scope: "read,write" },
      "invalid_scope",
      "scope_none_left",
    ],
    [
      "a resource that the client may not request",
      { resource: "https://evil.example" },
      "invalid_target",
      "resource_not_allowed",
    ],
    [
      "a resource that is not a URI",
      { resource: "x" },
      "invalid_target",
      "resource_not_allowed",
    ],
  ];

  it.each(refused)("of %s", async (_, more, error, reason) => {
    const answer = {
      error,
      error_description: expect.stringMatching(sentence),
      state: "xyz",
      iss: ISSUER,
    };
    expect(told(await authorize(client, more))).toEqual([answer, reason]);
  });

  it.each([
    ["response_type", "code"],
    ["response_mode", "query"],
    ["scope", "read"],
    ["code_challenge", CHALLENGE],
    ["code_challenge_method", "S256"],
    ["prompt", "login"],
    ["login_hint", "alice"],
    ["ui_locales", "fr"],
  ])("of a repeated %s, even with the same value", async (name, value) => {
    const once = authorizationQuery(client, { [name]: value });
    const twice = `${once}&${name}=${value}`;
    expect((await ask(once)).status).toBe(303);
    expect(told(await ask(twice))).toMatchObject([
      {
        error: "invalid_request",
        error_description: expect.stringContaining(name),
        state: "xyz",
        iss: ISSUER,
      },
      "parameter_repeated",
    ]);
  });

  it("of a repeated state, which is not returned", async () => {
    const answer = {
      error: "invalid_request",
      error_description: expect.stringContaining("state"),
      iss: ISSUER,
    };
    expect(told(await authorize(client, [["state", "abc"]]))).toEqual([
      answer,
      "parameter_repeated",
    ]);
  });

  it("of one resource among several that it may not request", async () => {
    const allowed = "https://api.example.com";
    const { client_id } = await makeWebClient({ resources: [allowed] });
    const more = [
      ["resource", allowed],
      ["resource", "https://evil.example"],
    ];
    expect(told(await authorize({ client_id }, more))).toMatchObject([
      {
        error: "invalid_target",
      },
      "resource_not_allowed",
    ]);
  });

  it("that it is not registered for the grant type", async () => {
    const otherClient = await makeWebClient({ grant_types: ["refresh_token"] });
    expect(told(await authorize(otherClient))).toMatchObject([
      {
        error: "unauthorized_client",
        state: "xyz",
        iss: ISSUER,
      },
      "grant_type_not_allowed",
    ]);
  });

  it("that none of its scopes is left", async () => {
    const scope = `gone-${crypto.randomUUID()}`;
    await server.makeScopes(scope);
    const withoutScopes = await makeWebClient({ scope });
    await server.expectAdmin("DELETE", `/scopes/${scope}`);
    expect(told(await authorize(withoutScopes))).toMatchObject([
      {
        error: "invalid_scope",
      },
      "scope_all_lost",
    ]);
  });

  it("without a state if it sent none", async () => {
    const [answer, reason] = told(
      await authorize(client, { state: undefined, scope: "admin" }),
    );
    expect(Object.keys(answer)).toEqual(["error", "error_description", "iss"]);
    expect(reason).toBe("scope_none_left");
  });

  it("at its only redirect URI if it named none", async () => {
    const more = { redirect_uri: undefined, scope: "admin" };
    expect(told(await authorize(client, more))).toMatchObject([
      { error: "invalid_scope" },
      "scope_none_left",
    ]);
  });
});

describe("the user sees a page, and the browser is not redirected,", () => {
  const cases: [string, Parameters, string][] = [
    ["client_id is left out", { client_id: undefined }, "parameter_missing"],
    ["client_id is empty", { client_id: "" }, "parameter_missing"],
    [
      "no client has that client_id",
      { client_id: "nobody" },
      "authorization_client_unknown",
    ],
    [
      "no client can have that client_id",
      { client_id: "ümlaut" },
      "authorization_client_unknown",
    ],
    ["client_id is repeated", [["client_id", "other"]], "parameter_repeated"],
    [
      "redirect_uri is repeated",
      [["redirect_uri", REDIRECT_URI]],
      "parameter_repeated",
    ],
    [
      "redirect_uri is not registered",
      { redirect_uri: "https://evil.example/callback" },
      "redirect_uri_unregistered",
    ],
    [
      "redirect_uri is not registered and other parameters are invalid as well",
      {
        redirect_uri: "https://evil.example/callback",
        response_type: "token",
        scope: "admin",
        code_challenge: undefined,
      },
      "redirect_uri_unregistered",
    ],
    [
      "client_id is repeated and other parameters are invalid as well",
      [
        ["client_id", "other"],
        ["response_type", "token"],
      ],
      "parameter_repeated",
    ],
    [
      "the query is too long",
      { state: "x".repeat(5000) },
      "authorization_request_too_long",
    ],
  ];

  it.each(cases)("if %s", async (_, more, reason) => {
    expect(await shown(await authorize(client, more))).toEqual([
      400,
      "invalid_request",
      reason,
    ]);
  });

  it("if client_id is repeated with the same value", async () => {
    const response = await authorize(client, [["client_id", client.client_id]]);
    expect(await shown(response)).toEqual([
      400,
      "invalid_request",
      "parameter_repeated",
    ]);
  });

  it("if the client was deleted", async () => {
    const deleted = await makeWebClient();
    expect((await authorize(deleted)).status).toBe(303);
    await server.expectAdmin("DELETE", `/clients/${deleted.client_id}`);
    expect(await shown(await authorize(deleted))).toEqual([
      400,
      "invalid_request",
      "authorization_client_unknown",
    ]);
  });
});

describe("a fault of the server", () => {
  const details = "storage is on fire";

  /** KV in which the read of one record is replaced, also where it is read together with others. */
  function kv(key: string, read: () => unknown) {
    return {
      async getWithMetadata(name: string | string[], options: object) {
        if (name === key) return read();
        if (typeof name === "string")
          return env.KV.getWithMetadata(name, options);
        const found = await env.KV.getWithMetadata(name, options);
        return name.includes(key) ? new Map([...found, [key, read()]]) : found;
      },
    };
  }

  function unreachable(): never {
    throw new Error(details);
  }

  const malformed = () => ({ value: `{"${details}`, metadata: null });

  it("before the client is known is shown on a page with 503 and Retry-After", async () => {
    const KV = kv(`client:${client.client_id}`, unreachable);
    const response = await authorize(client, {}, serverWith({ KV }));
    expect(response.headers.get("Retry-After")).toMatch(/^[1-9]\d*$/);
    const page = await response.clone().text();
    expect(page).toContain("does not work right now");
    expect(page).not.toContain(details);
    expect(await shown(response)).toEqual([
      503,
      "temporarily_unavailable",
      "storage_unavailable",
    ]);
  });

  it("in the client's record is shown on a page with 500, without details", async () => {
    const KV = kv(`client:${client.client_id}`, malformed);
    const response = await authorize(client, {}, serverWith({ KV }));
    expect(await response.clone().text()).not.toContain(details);
    expect(await shown(response)).toEqual([
      500,
      "server_error",
      "record_malformed",
    ]);
  });

  it.each([
    ["PRIVATE_KEY", "{}"],
    ["ENCRYPTION_KEY", "x"],
    ["LOGIN_URL", "http://login.example.com"],
    ["LOGIN_URL", "https://login.example.com/?request=x"],
    ["ISSUER", "x"],
  ])(
    "in the configuration (%s=%s) is shown on a page with 500",
    async (name, value) => {
      const broken = serverWith({ [name]: value });
      const response = await authorize(client, {}, broken);
      expect(await response.clone().text()).not.toContain(name);
      expect(await shown(response)).toEqual([
        500,
        "server_error",
        "configuration_malformed",
      ]);
    },
  );

  it.each<[string, Record<string, unknown>, string, string]>([
    [
      "storage that cannot be reached",
      { KV: kv("scopes", unreachable) },
      "temporarily_unavailable",
      "storage_unavailable",
    ],
    [
      "a record that cannot be read",
      { KV: kv("scopes", malformed) },
      "server_error",
      "record_malformed",
    ],
    [
      "an unexpected error",
      { TOKEN_FAMILY: { newUniqueId: unreachable } },
      "server_error",
      "unexpected",
    ],
  ])(
    "after the client is known (%s) is sent to the client by redirect",
    async (_, bindings, error, expected) => {
      const response = await authorize(client, {}, serverWith(bindings));
      const [answer, reason] = told(response);
      expect(answer).toEqual({
        error,
        error_description: expect.stringMatching(sentence),
        state: "xyz",
        iss: ISSUER,
      });
      expect(reason).toBe(expected);
      expect(answer["error_description"]).not.toContain(details);
    },
  );
});
