import { env, exports } from "cloudflare:workers";
import {
  decodeJwt,
  decodeProtectedHeader,
  importJWK,
  type JWK,
  SignJWT,
} from "jose";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import {
  authorize,
  location,
  makeWebClient,
  obtainCode,
  redeem,
  requestAtLogin,
} from "../support/authorization.ts";
import { shown, told } from "../support/refusals.ts";
import {
  ISSUER,
  server,
  type TestClient,
  type TestServer,
  type Tokens,
} from "../support/server.ts";

/**
 * The parameters of OpenID Connect in an authorization request (Core section 3.1.2.1): what the sign-in page gets of
 * them, and what the client is told.
 */

let client: TestClient;
let other: TestClient;

beforeAll(async () => {
  await server.makeScopes("openid", "profile", "read");
  client = await makeWebClient({ scope: "openid profile read" });
  other = await makeWebClient({ scope: "openid" });
});

afterEach(() => {
  vi.useRealTimers();
});

const scope = "openid profile";

function ask(more: Record<string, string>, at: TestServer = server) {
  return authorize(client, { scope, ...more }, at);
}

/** What the sign-in page gets of a request, by HTTP and by RPC. */
async function handedOn(more: Record<string, string>) {
  const request = await requestAtLogin(client, { scope, ...more });
  const description = await server.expectAdmin<Record<string, unknown>>(
    "GET",
    `/authorizations?${new URLSearchParams({ request }).toString()}`,
  );
  expect(await exports.Login.describeAuthorization(request)).toEqual(
    description,
  );
  return description;
}

async function idTokenOf(
  of: TestClient = client,
  grant: Record<string, unknown> = {},
): Promise<string> {
  const tokens = await server.login(of, { scope: "openid", ...grant });
  return (tokens as Tokens & { id_token: string }).id_token;
}

const invalid = (reason: string, about: string) => [
  {
    error: "invalid_request",
    error_description: expect.stringContaining(about),
    state: "xyz",
    iss: ISSUER,
  },
  reason,
];

describe("what the sign-in page gets", () => {
  it("max_age, acr_values and the subject of id_token_hint, beside prompt, login_hint and ui_locales", async () => {
    const hints = {
      prompt: "login consent",
      login_hint: "alice@example.com",
      ui_locales: "nl en",
      acr_values: "urn:example:gold urn:example:silver",
    };
    const description = await handedOn({
      ...hints,
      max_age: "300",
      nonce: "n-0S6_WzA2Mj",
      id_token_hint: await idTokenOf(),
      // Unknown ones are ignored (Core section 3.1.2.1).
      display: "popup",
      claims: '{"userinfo":{"name":{"essential":true}}}',
      claims_locales: "nl",
      registration: "{}",
      unheard_of: "x",
    });
    expect(description).toEqual({
      client_id: client.client_id,
      redirect_uri: expect.any(String),
      scopes: expect.any(Array),
      resource: [],
      ...hints,
      max_age: 300,
      hinted_subject: "alice",
      expires_at: expect.any(Number),
    });
  });

  it("none of them that is left out or empty", async () => {
    const empty = { max_age: "", acr_values: "", id_token_hint: "", nonce: "" };
    for (const more of [{}, empty])
      expect(Object.keys(await handedOn(more)).toSorted()).toEqual([
        "client_id",
        "expires_at",
        "redirect_uri",
        "resource",
        "scopes",
      ]);
  });

  it.each([
    ["0", 0],
    ["1", 1],
    ["0300", 300],
    ["9999999999", 9_999_999_999],
  ])("max_age %s as the number %d", async (max_age, expected) => {
    expect((await handedOn({ max_age }))["max_age"]).toBe(expected);
  });

  it("nothing of id_token_hint but its subject, so that the URL of the sign-in page stays short", async () => {
    const id_token_claims = { name: "x".repeat(1500) };
    const hint = await idTokenOf(client, {
      scope: "openid profile",
      id_token_claims,
    });
    expect(hint.length).toBeGreaterThan(2000);
    const filler = { login_hint: "x".repeat(3000) };
    const login = location(await ask({ ...filler, id_token_hint: hint }));
    const without = location(await ask(filler));
    expect(login.href.length - without.href.length).toBeLessThan(60);
    const tooLong = await ask({ id_token_hint: "x".repeat(8200) });
    expect(await shown(tooLong)).toEqual([
      400,
      "invalid_request",
      "authorization_request_too_long",
    ]);
  });
});

describe("the client is told by redirect that", () => {
  it.each([
    "-1",
    "+1",
    "1.5",
    "1e3",
    "soon",
    " 1",
    "1 ",
    "0x10",
    "99999999999",
    "١",
  ])("max_age %j is malformed", async (max_age) => {
    expect(told(await ask({ max_age }))).toEqual(
      invalid("max_age_malformed", "max_age"),
    );
  });

  it.each([
    ["request", "request_not_supported", "request_object_unsupported"],
    ["request_uri", "request_uri_not_supported", "request_uri_unsupported"],
  ])("%s is not supported", async (name, error, reason) => {
    const none = `${btoa('{"alg":"none"}')}.e30.`;
    for (const value of [none, "https://app.example.com/r.jwt", "x"])
      expect(told(await ask({ [name]: value }))).toEqual([
        {
          error,
          error_description: expect.stringContaining(`parameter ${name}.`),
          state: "xyz",
          iss: ISSUER,
        },
        reason,
      ]);
  });

  it.each([
    "nonce",
    "max_age",
    "acr_values",
    "id_token_hint",
    "request",
    "request_uri",
  ])("%s was repeated, whatever its values", async (name) => {
    for (const values of [
      ["1", "1"],
      ["1", "2"],
    ]) {
      const response = await authorize(client, [
        ["scope", scope],
        ...values.map((value) => [name, value]),
      ]);
      expect(told(response)).toEqual(invalid("parameter_repeated", name));
    }
  });

  it("id_token_hint is not an ID token of this server for this client", async () => {
    const own = await idTokenOf();
    const { kid = "", alg = "" } = decodeProtectedHeader(own);
    const key = await importJWK(JSON.parse(env.PRIVATE_KEY) as JWK, alg);
    const sign = (claims: object, typ = "JWT") =>
      new SignJWT({ ...decodeJwt(own), ...claims })
        .setProtectedHeader({ alg, kid, typ })
        .sign(key);
    const [, payload = "", signature = ""] = own.split(".");
    const none = btoa('{"alg":"none","typ":"JWT"}').replaceAll("=", "");
    const hs256 = btoa(`{"alg":"HS256","typ":"JWT","kid":"${kid}"}`);
    const { access_token, refresh_token } = await server.login(client, {
      scope: "openid",
    });
    for (const id_token_hint of [
      "garbage",
      `${none}.${payload}.`,
      `${none}.${payload}.${signature}`,
      `${hs256.replaceAll("=", "")}.${payload}.${signature}`,
      `${own.slice(0, -8)}AAAAAAAA`,
      access_token,
      refresh_token,
      await idTokenOf(other),
      await sign({ aud: other.client_id }),
      await sign({ aud: [client.client_id, other.client_id] }),
      await sign({ iss: "https://other.example.com" }),
      await sign({}, "at+jwt"),
      await sign({}, "logout+jwt"),
    ])
      expect(told(await ask({ id_token_hint }))).toEqual(
        invalid("id_token_hint_invalid", "id_token_hint"),
      );
    const genuine = await handedOn({ id_token_hint: await sign({}) });
    expect(genuine["hinted_subject"]).toBe("alice");
  });

  it("but a genuine id_token_hint may have expired, and its login may have ended", async () => {
    const hint = await idTokenOf(client, { subject: "carol" });
    await server.expectAdmin("DELETE", "/subjects/carol/grants");
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 86_400_000 });
    expect(decodeJwt(hint).exp).toBeLessThan(Date.now() / 1000);
    const { hinted_subject } = await handedOn({ id_token_hint: hint });
    expect(hinted_subject).toBe("carol");
  });
});

describe("nonce", () => {
  it.each(["n-0S6_WzA2Mj", " a b ", "ä✓\"'\\", "x".repeat(99), "0"])(
    "%j comes back in the ID token of the code, as it was sent",
    async (nonce) => {
      const code = await obtainCode(client, { scope, nonce });
      const response = await redeem(client, code);
      const { id_token } = await response.json<{ id_token: string }>();
      expect(decodeJwt(id_token)["nonce"]).toBe(nonce);
    },
  );
});

describe("a request without the scope openid", () => {
  it("is plain OAuth: a client that may have openid gets no ID token, whatever else it sends", async () => {
    const code = await obtainCode(client, {
      scope: "read",
      nonce: "n",
      max_age: "soon",
    });
    const tokens = await (await redeem(client, code)).json<object>();
    expect(Object.keys(tokens)).not.toContain("id_token");
  });

  it.each([{ scope: "profile read" }, { scope: "openid-like" }, { scope: "" }])(
    "has no room for an id_token_hint beside its 4,096 characters: %j",
    async (asked) => {
      const id_token_hint = "x".repeat(3500);
      const login_hint = "x".repeat(1000);
      const refused = await ask({ ...asked, login_hint, id_token_hint });
      expect(await shown(refused)).toEqual([
        400,
        "invalid_request",
        "authorization_request_too_long",
      ]);
      // With openid it is read, and the client is told that it is not an ID token.
      expect(told(await ask({ login_hint, id_token_hint }))).toEqual(
        invalid("id_token_hint_invalid", "id_token_hint"),
      );
    },
  );
});
