import { env } from "cloudflare:workers";
import {
  decodeJwt,
  decodeProtectedHeader,
  importJWK,
  type JWK,
  SignJWT,
} from "jose";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { proofAlgorithms } from "../../src/dpop/algorithms.ts";
import { bindingsWithoutObjects } from "../support/counting.ts";
import {
  ISSUER,
  refusal,
  server,
  serverWith,
  type TestClient,
  type TestServer,
  type Tokens,
} from "../support/server.ts";

/** Tests the UserInfo endpoint (OpenID Connect Core section 5.3). */

const idTokenClaims = {
  name: "Alice Adams",
  email: "alice@example.com",
  email_verified: true,
  phone_number: "+1 555 0100",
};
const userinfo = {
  name: "Alice A.",
  picture: "https://example.com/alice.png",
  address: { country: "NL" },
};

let client: TestClient;
let login: Tokens;

beforeAll(async () => {
  await server.makeScopes("openid", "profile", "email", "phone", "address");
  client = await server.makeClient({
    scope: "openid profile email phone address",
  });
  login = await logIn();
});

afterEach(() => {
  vi.useRealTimers();
});

function logIn(scope?: string, of: TestClient = client): Promise<Tokens> {
  return server.login(of, {
    ...(scope !== undefined && { scope }),
    id_token_claims: idTokenClaims,
    userinfo,
  });
}

function ask(
  { access_token }: { access_token: string },
  init: { method?: string; body?: BodyInit; headers?: object } = {},
  at: TestServer = server,
): Promise<Response> {
  return at.http("/userinfo", {
    ...init,
    headers: { Authorization: `Bearer ${access_token}`, ...init.headers },
  });
}

async function answer(response: Response): Promise<unknown> {
  expect([response.status, response.headers.get("WWW-Authenticate")]).toEqual([
    200,
    null,
  ]);
  return response.json();
}

describe("the answer of /userinfo", () => {
  it("is what the scopes of the token release; userinfo goes before id_token_claims", async () => {
    const all = {
      sub: "alice",
      ...idTokenClaims,
      ...userinfo,
    };
    expect(await answer(await ask(login))).toEqual(all);
    const cases: [string, object][] = [
      ["openid", {}],
      ["openid profile", { name: userinfo.name, picture: userinfo.picture }],
      ["openid email", { email: idTokenClaims.email, email_verified: true }],
      ["openid phone", { phone_number: idTokenClaims.phone_number }],
      ["openid address", { address: userinfo.address }],
    ];
    for (const [scope, released] of cases)
      expect(await answer(await ask(await logIn(scope)))).toEqual({
        sub: "alice",
        ...released,
      });
  });

  it("follows the catalogue as it is now: the claims of a scope, and a scope that was deleted", async () => {
    await server.makeScopes("staff");
    const member = await server.makeClient({ scope: "openid staff" });
    const tokens = await server.login(member, {
      userinfo: { department: "R&D", sub_department: "Labs" },
    });
    const department = { sub: "alice", department: "R&D" };
    expect(await answer(await ask(tokens))).toEqual({ sub: "alice" });
    await server.expectAdmin("PUT", "/scopes/staff", {
      description: "Knows the department",
      claims: ["department"],
    });
    expect(await answer(await ask(tokens))).toEqual(department);
    await server.expectAdmin("DELETE", "/scopes/staff");
    expect(await answer(await ask(tokens))).toEqual({ sub: "alice" });
  });

  it("follows a scope that a refresh has narrowed", async () => {
    const first = await logIn("openid email profile");
    const narrowed = await server.expectRefresh(client, first.refresh_token, {
      scope: "openid email",
    });
    expect(Object.keys((await answer(await ask(narrowed))) as object)).toEqual([
      "email",
      "email_verified",
      "sub",
    ]);
  });

  it("is JSON that nobody may keep", async () => {
    const response = await ask(login);
    expect(response.headers.get("Content-Type")).toMatch(/^application\/json/);
    expect(response.headers.get("Cache-Control")).toBe("no-store");
  });

  it("is the same by POST, with the token in the header or in the form", async () => {
    const expected = await answer(await ask(login));
    const { access_token } = login;
    const byHeader = { Authorization: `Bearer ${access_token}` };
    const requests: RequestInit[] = [
      { headers: byHeader },
      { headers: { Authorization: `bearer ${access_token}` } },
      // A body that is not a form has no token in it.
      { headers: byHeader, body: "{}" },
      { headers: byHeader, body: new URLSearchParams({ other: "x" }) },
      { body: new URLSearchParams({ access_token }) },
      {
        headers: { Authorization: "Basic d2ViOnNlY3JldA==" },
        body: new URLSearchParams({ access_token }),
      },
    ];
    for (const init of requests)
      expect(
        await answer(
          await server.http("/userinfo", { method: "POST", ...init }),
        ),
      ).toEqual(expected);
  });

  it("has no body for HEAD", async () => {
    const response = await ask(login, { method: "HEAD" });
    expect([response.status, await response.text()]).toEqual([200, ""]);
  });

  it("does not depend on the audience of the token", async () => {
    const resource = "https://api.example.com";
    const withResource = await server.makeClient({
      scope: "openid",
      resources: [resource],
    });
    const tokens = await server.login(withResource, { resource });
    expect(decodeJwt(tokens.access_token).aud).toBe(resource);
    expect(await answer(await ask(tokens))).toEqual({ sub: "alice" });
    const league = await server.makeClient({
      scope: "openid",
      access_token_format: "league",
    });
    const ofLeague = await server.login(league);
    expect(await answer(await ask(ofLeague))).toEqual({ sub: "alice" });
  });

  it("costs one call of the family's object and no write, and a forged token costs no call", async () => {
    const { calls, bindings } = bindingsWithoutObjects();
    const counted = serverWith(bindings);
    await answer(await ask(login, {}, counted));
    expect([calls.family, calls.kvWrite]).toEqual([1, 0]);
    const { family, kvRead } = calls;
    const forged = `${login.access_token.slice(0, -8)}AAAAAAAA`;
    const response = await ask({ access_token: forged }, {}, counted);
    expect(response.status).toBe(401);
    expect(calls).toEqual({ family, kvRead, kvWrite: 0 });
  });
});

describe("/userinfo refuses", () => {
  const realm = 'Bearer realm="baton/userinfo"';

  /** A refusal as `refusal()` reads it, and the error code in its WWW-Authenticate. */
  async function refused(response: Response) {
    const challenge = response.headers.get("WWW-Authenticate") ?? "";
    expect(challenge.startsWith(realm)).toBe(true);
    const { error, error_description } = await response
      .clone()
      .json<{ error: string; error_description: string }>();
    expect(response.headers.get("Cache-Control")).toBe("no-store");
    expect(challenge).toContain(
      `, error="${error}", error_description="${error_description}"`,
    );
    return refusal(response);
  }

  const forged = [401, "invalid_token", "access_token_forged"];
  const ended = [401, "invalid_token", "access_token_ended"];

  it("a request without a token, and names no error", async () => {
    const { access_token } = login;
    const requests: [string, RequestInit][] = [
      ["", {}],
      ["", { method: "POST" }],
      ["", { method: "POST", body: new URLSearchParams({ other: "x" }) }],
      ["", { method: "POST", body: new URLSearchParams({ access_token: "" }) }],
      ["", { headers: { Authorization: "Bearer" } }],
      ["", { headers: { Authorization: `Basic ${access_token}` } }],
      ["", { headers: { Authorization: access_token } }],
      // URLs stand in logs.
      [`?access_token=${access_token}`, {}],
      [`?access_token=${access_token}`, { method: "POST" }],
    ];
    for (const [query, init] of requests) {
      const response = await server.http(`/userinfo${query}`, init);
      expect(response.headers.get("WWW-Authenticate")).toBe(
        `${realm}, DPoP algs="${proofAlgorithms.join(" ")}"`,
      );
      expect(await refusal(response)).toEqual([
        401,
        "invalid_token",
        "access_token_missing",
      ]);
    }
  });

  it("a token in the header and in the form, also if it is the same", async () => {
    const body = new URLSearchParams({ access_token: login.access_token });
    expect(await refused(await ask(login, { method: "POST", body }))).toEqual([
      400,
      "invalid_request",
      "two_access_tokens",
    ]);
  });

  it("a form with two tokens, and a body of another type", async () => {
    const { access_token } = login;
    const twice = [
      ["access_token", access_token],
      ["access_token", access_token],
    ];
    const bodies: [BodyInit, string][] = [
      [new URLSearchParams(twice), "parameter_repeated"],
      [JSON.stringify({ access_token }), "content_type_wrong"],
    ];
    for (const [body, reason] of bodies) {
      const response = await server.http("/userinfo", { method: "POST", body });
      expect(await refused(response)).toEqual([400, "invalid_request", reason]);
    }
  });

  it("what is not an access token of this server: garbage, alg none, other kinds, huge ones", async () => {
    const { access_token, refresh_token } = login;
    const [header, payload, signature = ""] = access_token.split(".");
    const none = btoa('{"alg":"none","typ":"at+jwt"}').replaceAll("=", "");
    for (const token of [
      "garbage",
      "a.b.c",
      `${none}.${payload}.`,
      `${none}.${payload}.${signature}`,
      `${header}.${payload}.${"A".repeat(signature.length)}`,
      `${access_token} ${access_token}`,
      refresh_token,
      "x".repeat(15_000),
      `${header}.${"e30".repeat(6_000)}.${signature}`,
    ])
      expect(await refused(await ask({ access_token: token }))).toEqual(forged);
  });

  it("a JWT that the same key signed for another purpose, another issuer or another time", async () => {
    const { access_token } = login;
    const { kid = "", alg = "" } = decodeProtectedHeader(access_token);
    const key = await importJWK(JSON.parse(env.PRIVATE_KEY) as JWK, alg);
    const sign = async (claims: object, typ = "at+jwt") => ({
      access_token: await new SignJWT({ ...decodeJwt(access_token), ...claims })
        .setProtectedHeader({ alg, kid, typ })
        .sign(key),
    });
    await answer(await ask(await sign({})));
    const tomorrow = Math.floor(Date.now() / 1000) + 86_400;
    for (const token of [
      await sign({}, "JWT"),
      await sign({}, "logout+jwt"),
      await sign({ iss: "https://other.example.com" }),
      await sign({ jti: "of-no-family" }),
      await sign({ iat: tomorrow, exp: tomorrow + 60 }),
    ])
      expect(await refused(await ask(token))).toEqual(forged);
    // PRIVATE_KEY alone must not open the claims of another login, client or scope.
    const other = await server.makeClient({ scope: "openid" });
    for (const token of [
      await sign({ sub: "bob" }),
      await sign({ sub_type: "client" }),
      await sign({ client_id: other.client_id }),
      await sign({ scope: "openid admin" }),
      await sign({ exp: tomorrow * 10 }),
      await sign({ jti: `${"A".repeat(43)}.${"A".repeat(22)}` }),
    ])
      expect(await refused(await ask(token))).toEqual(ended);
  });

  it("an expired token", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const tokens = await logIn();
    vi.advanceTimersByTime(3_599_000);
    await answer(await ask(tokens));
    vi.advanceTimersByTime(1_000);
    expect(await refused(await ask(tokens))).toEqual([
      401,
      "invalid_token",
      "access_token_expired",
    ]);
  });

  it("a token of a login that was revoked or logged out, at once", async () => {
    const revoked = await logIn();
    await answer(await ask(revoked));
    await server.about("/revoke", client, revoked.refresh_token);
    expect(await refused(await ask(revoked))).toEqual(ended);
    const loggedOut = await server.login(client, { subject: "carol" });
    await answer(await ask(loggedOut));
    await server.expectAdmin("DELETE", "/subjects/carol/grants");
    expect(await refused(await ask(loggedOut))).toEqual(ended);
  });

  it("a token of a client that is disabled, until it is enabled, and of a deleted one", async () => {
    const other = await server.makeClient({ scope: "openid" });
    const tokens = await logIn("openid", other);
    const path = `/clients/${other.client_id}`;
    await server.expectAdmin("PATCH", path, { disabled: true });
    expect(await refused(await ask(tokens))).toEqual(ended);
    await server.expectAdmin("PATCH", path, { disabled: false });
    await answer(await ask(tokens, {}, serverWith({})));
    await server.expectAdmin("DELETE", path);
    expect(await refused(await ask(tokens))).toEqual(ended);
  });

  it("a token without the scope openid, and names the scope", async () => {
    const first = await logIn();
    const narrowed = await server.expectRefresh(client, first.refresh_token, {
      scope: "email profile",
    });
    const response = await ask(narrowed);
    expect(response.headers.get("WWW-Authenticate")).toMatch(
      /, scope="openid"$/,
    );
    expect(await refused(response)).toEqual([
      403,
      "insufficient_scope",
      "access_token_scope_insufficient",
    ]);
  });

  it("a token of the client itself, which has no user", async () => {
    const machine = await server.makeClient({
      scope: "openid",
      grant_types: ["client_credentials"],
    });
    const response = await server.token({
      grant_type: "client_credentials",
      client_id: machine.client_id,
      client_secret: machine.client_secret,
      scope: "openid",
    });
    const tokens = await response.json<Tokens>();
    expect(tokens.scope).toBe("openid");
    expect(await refused(await ask(tokens))).toEqual([
      401,
      "invalid_token",
      "access_token_without_user",
    ]);
  });

  it.each(["PUT", "PATCH", "DELETE", "PROPFIND"])(
    "the method %s",
    async (method) => {
      const response = await ask(login, { method });
      expect(response.headers.get("Allow")).toBe("GET, POST, HEAD");
      expect(await refusal(response)).toEqual([
        405,
        "invalid_request",
        "method_not_allowed",
      ]);
    },
  );
});

describe("pages of other origins", () => {
  const Origin = "https://app.example.com";

  function preflight(method: string, at: TestServer = server, from = Origin) {
    return at.http("/userinfo", {
      method: "OPTIONS",
      headers: {
        Origin: from,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization",
      },
    });
  }

  it("may ask with both methods, and read answers and refusals", async () => {
    for (const method of ["GET", "POST"]) {
      const response = await preflight(method);
      expect(response.status).toBe(204);
      expect(response.headers.get("Access-Control-Allow-Origin")).toBe("*");
      expect(response.headers.get("Access-Control-Allow-Methods")).toBe(
        "GET,POST,HEAD",
      );
      expect(
        response.headers.get("Access-Control-Allow-Headers")?.toLowerCase(),
      ).toContain("authorization");
    }
    for (const { access_token } of [login, { access_token: "garbage" }]) {
      const response = await ask({ access_token }, { headers: { Origin } });
      expect(response.headers.get("Access-Control-Allow-Origin")).toBe("*");
      expect(response.headers.get("Access-Control-Expose-Headers")).toContain(
        "WWW-Authenticate",
      );
      expect(response.headers.get("Vary")).toBe("Origin");
    }
  });

  it("may not where CORS_ORIGINS names others", async () => {
    const narrow = serverWith({ CORS_ORIGINS: Origin });
    const allowed = await preflight("GET", narrow);
    expect(allowed.headers.get("Access-Control-Allow-Origin")).toBe(Origin);
    const evil = "https://evil.example.com";
    const refusedOne = await preflight("GET", narrow, evil);
    expect(refusedOne.headers.get("Access-Control-Allow-Origin")).toBeNull();
    const headers = { Origin: evil };
    const response = await ask(login, { headers }, narrow);
    expect(response.headers.get("Access-Control-Allow-Origin")).toBeNull();
  });
});

describe("the metadata", () => {
  it("lists the endpoint in both documents, and what prompt may be", async () => {
    for (const name of ["oauth-authorization-server", "openid-configuration"]) {
      const response = await server.http(`/.well-known/${name}`);
      expect(await response.json()).toMatchObject({
        userinfo_endpoint: `${ISSUER}/userinfo`,
        prompt_values_supported: ["none", "login", "consent", "select_account"],
      });
    }
  });
});
