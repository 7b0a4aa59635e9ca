import { base64url, decodeJwt } from "jose";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { authorize } from "../support/authorization.ts";
import { logoutAtLogin } from "../support/logout.ts";
import {
  endSession,
  isAlive,
  LOGOUT_URL,
  makeOpenIdClient,
  openIdLogin,
  postEndSession,
  signed,
  SIGNED_OUT,
  withLogin,
} from "../support/logout.ts";
import type { OpenIdTokens } from "../support/openid.ts";
import { reasonOf } from "../support/request-lines.ts";
import { newPem } from "../support/rotation.ts";
import {
  server,
  serverWith,
  type TestClient,
  type TestServer,
} from "../support/server.ts";

/**
 * Tests what the end session endpoint refuses. Each refusal is a page: the browser goes nowhere, and the login of the ID
 * token goes on.
 */

let client: TestClient;
let other: TestClient;
let tokens: OpenIdTokens;

beforeAll(async () => {
  client = await makeOpenIdClient({
    post_logout_redirect_uris: [SIGNED_OUT, "http://127.0.0.1/out"],
  });
  other = await makeOpenIdClient({
    post_logout_redirect_uris: ["https://other.example.com/"],
  });
  tokens = await openIdLogin(client, { sid: "session" });
});

afterEach(() => {
  vi.useRealTimers();
});

/** The title of the page. */
const stopped = "<h1>Sign-out failed</h1>";

/** Expects a page with a refusal, and that the login goes on. */
async function expectPage(
  response: Response,
  reason: string,
  status = 400,
): Promise<string> {
  expect([response.status, reasonOf(response)]).toEqual([status, reason]);
  expect(response.headers.get("Location")).toBeNull();
  expect(response.headers.get("Content-Type")).toMatch(/^text\/html/);
  expect(response.headers.get("X-Frame-Options")).toBe("DENY");
  expect(await isAlive(tokens)).toBe(true);
  return response.text();
}

const targets: [string, TestServer][] = [
  ["without LOGOUT_URL", server],
  ["with LOGOUT_URL", withLogin],
];

describe.each(targets)("an ID token, %s,", (_, to) => {
  it.each<[string, () => string | Promise<string>]>([
    [
      "without a signature",
      () => {
        const header = { alg: "none", typ: "JWT" };
        const [, payload] = tokens.id_token.split(".");
        return `${base64url.encode(JSON.stringify(header))}.${payload}.`;
      },
    ],
    ["with another payload", () => replaced({ sub: "bob" })],
    ["that is an access token", () => tokens.access_token],
    ["of another issuer", () => resigned({ iss: "https://evil.example.com" })],
    ["for several clients", () => resigned({ aud: [client.client_id, "x"] })],
    ["without a session", () => resigned({ sid: undefined })],
    ["without a login", () => resigned({ jti: "x" })],
    ["of no known key", () => resigned({}, { kid: "unknown" })],
    ["that is not a JWT", () => "<script>alert(1)</script>"],
    ["that is a logout token", () => resigned({}, { typ: "logout+jwt" })],
  ])("%s is refused", async (_name, make) => {
    const id_token_hint = await make();
    const page = await expectPage(
      await endSession(
        {
          id_token_hint,
          // With LOGOUT_URL and a client_id the login asks the user (end-session-hints.test.ts).
          ...(to === server && { client_id: client.client_id }),
          post_logout_redirect_uri: SIGNED_OUT,
        },
        to,
      ),
      "logout_hint_invalid",
    );
    expect(page).toContain(stopped);
    expect(page).toContain("You may still be signed in.");
    expect(page).toContain("An expired ID token is accepted.");
    expect(page).not.toContain("<script>");
  });

  it("of another client than client_id is refused", async () => {
    const response = await endSession(
      { id_token_hint: tokens.id_token, client_id: other.client_id },
      to,
    );
    expect(await expectPage(response, "logout_client_differs")).toContain(
      stopped,
    );
  });

  it("of a client that was disabled or deleted is refused", async () => {
    const gone = await makeOpenIdClient();
    const { id_token: id_token_hint } = await openIdLogin(gone);
    const path = `/clients/${gone.client_id}`;
    await server.expectAdmin("PATCH", path, { disabled: true });
    expect(
      await expectPage(
        await endSession({ id_token_hint }, to),
        "logout_client_unknown",
      ),
    ).toContain(stopped);
    await server.expectAdmin("DELETE", path);
    expect(
      await expectPage(
        await endSession({ id_token_hint }, to),
        "logout_client_unknown",
      ),
    ).toContain(stopped);
  });

  it("of an earlier client with the same id is refused", async () => {
    // Not by a deletion, because the id stays taken for a year.
    const { rewriteClient } = await import("../support/records.ts");
    const later = await makeOpenIdClient();
    const login = await openIdLogin(later);
    await rewriteClient(later, { client_id_issued_at: 1_000_000 });
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 120_000 });
    const response = await endSession({ id_token_hint: login.id_token }, to);
    expect(await expectPage(response, "logout_hint_invalid")).toContain(
      stopped,
    );
    expect(await isAlive(login)).toBe(true);
  });

  it.each([
    "https://app.example.com/signed-out/",
    "https://app.example.com/signed-out/more",
    "https://app.example.com/signed-outer",
    "https://app.example.com/signed-out?x=1",
    "https://app.example.com/signed-out#x",
    "https://app.example.com:8443/signed-out",
    "https://APP.example.com/signed-out",
    "http://app.example.com/signed-out",
    "https://user@app.example.com/signed-out",
    "https://app.example.com@evil.example.com/signed-out",
    "https://evil.example.com/",
    "//evil.example.com/",
    "/signed-out",
    "javascript:alert(1)",
    "https://other.example.com/",
    "http://127.0.0.1.evil.example.com/out",
    "http://127.0.0.1:1@evil.example.com/out",
    " https://app.example.com/signed-out",
  ])("does not lead to %s, which is not registered", async (uri) => {
    const response = await endSession(
      { id_token_hint: tokens.id_token, post_logout_redirect_uri: uri },
      to,
    );
    expect(
      await expectPage(response, "logout_redirect_uri_unregistered"),
    ).toContain(stopped);
  });

  it("of a client without post-logout redirect URIs leads nowhere, also not to a redirect URI", async () => {
    const plain = await makeOpenIdClient({
      post_logout_redirect_uris: undefined,
      redirect_uris: [SIGNED_OUT],
    });
    const { id_token } = await openIdLogin(plain);
    const response = await endSession(
      { id_token_hint: id_token, post_logout_redirect_uri: SIGNED_OUT },
      to,
    );
    expect(
      await expectPage(response, "logout_redirect_uri_unregistered"),
    ).toContain(stopped);
  });

  it.each([
    "id_token_hint",
    "client_id",
    "post_logout_redirect_uri",
    "state",
    "logout_hint",
    "ui_locales",
  ])("with %s twice is refused", async (name) => {
    const response = await postEndSession(
      `id_token_hint=${tokens.id_token}&${name}=a&${name}=b`,
      to,
    );
    expect(await expectPage(response, "parameter_repeated")).toContain(stopped);
  });

  it.each([
    ["query", (state: string) => endSession(withState(state), to), 9_000],
    ["form", (state: string) => postEndSession(withState(state), to), 9_000],
    ["answer", (state: string) => endSession(withState(state), to), 7_960],
  ])("with a %s that is too long is refused", async (_name, send, length) => {
    const room = length - tokens.id_token.length;
    const response = await send("x".repeat(length === 9_000 ? length : room));
    expect(await expectPage(response, "logout_request_too_long")).toContain(
      stopped,
    );
  });
});

function withState(state: string) {
  const { id_token: id_token_hint } = tokens;
  return { id_token_hint, post_logout_redirect_uri: SIGNED_OUT, state };
}

function resigned(change: object, header = {}): Promise<string> {
  return signed({ ...decodeJwt(tokens.id_token), ...change }, header);
}

function replaced(change: object): string {
  const [header, , signature] = tokens.id_token.split(".");
  const claims = { ...decodeJwt(tokens.id_token), ...change };
  return `${header}.${base64url.encode(JSON.stringify(claims))}.${signature}`;
}

describe("a request", () => {
  it.each(targets)(
    "with a post-logout redirect URI and no client is refused, %s",
    async (_, to) => {
      const query = { post_logout_redirect_uri: SIGNED_OUT, state: "x" };
      expect(
        await expectPage(await endSession(query, to), "logout_client_missing"),
      ).toContain(stopped);
    },
  );

  it.each(["nobody", "<b>", "\u0000", "é", "x".repeat(300)])(
    "of the client %j, which does not exist, is refused",
    async (client_id) => {
      const response = await endSession({ client_id }, withLogin);
      const page = await expectPage(response, "logout_client_unknown");
      expect(page).not.toContain("<b>");
    },
  );

  it("without an ID token and without LOGOUT_URL is refused, because nobody can be asked", async () => {
    for (const query of [{}, { client_id: client.client_id }])
      expect(
        await expectPage(await endSession(query), "logout_hint_missing"),
      ).toContain(stopped);
  });

  it("with a body that is not a form is refused", async () => {
    const headers = { "Content-Type": "application/json" };
    const response = await postEndSession("{}", server, headers);
    expect(await expectPage(response, "content_type_wrong")).toContain(stopped);
  });

  it("with another method is refused", async () => {
    const response = await server.http("/end_session", { method: "PUT" });
    expect(response.headers.get("Allow")).toBe("GET, POST, HEAD");
    expect(await expectPage(response, "method_not_allowed", 405)).toContain(
      stopped,
    );
  });

  it("with an ID token of a key that is no longer published is refused", async () => {
    const rotated = serverWith({ PRIVATE_KEY: newPem() });
    const response = await endSession(
      { id_token_hint: tokens.id_token },
      rotated,
    );
    expect(await expectPage(response, "logout_hint_invalid")).toContain(
      stopped,
    );
  });

  it("has no effect on a request of the authorization endpoint, and the other way round", async () => {
    const web = await makeOpenIdClient({
      redirect_uris: ["https://app.example.com/callback"],
    });
    const toLogin = await authorize(web, { scope: "openid" });
    const asked = new URL(toLogin.headers.get("Location")!).searchParams;
    const asLogout = await server.admin("POST", "/logouts", {
      request: asked.get("request"),
    });
    expect([asLogout.status, reasonOf(asLogout)]).toEqual([
      400,
      "logout_request_forged",
    ]);
    const request = await logoutAtLogin({});
    const asSignIn = await server.admin("POST", "/authorizations", {
      request,
      subject: "alice",
    });
    expect([asSignIn.status, reasonOf(asSignIn)]).toEqual([
      400,
      "authorization_request_forged",
    ]);
  });

  it("never leads anywhere but to LOGOUT_URL before the login has answered", async () => {
    const response = await endSession(
      { id_token_hint: (await openIdLogin(client)).id_token, ...back },
      withLogin,
    );
    expect(response.headers.get("Location")).toMatch(`${LOGOUT_URL}?request=`);
  });
});

const back = { post_logout_redirect_uri: SIGNED_OUT, state: "x" };

it("a fault of the server says that the person may still be signed in", async () => {
  const broken = serverWith({ LOGOUT_URL: "x" });
  const response = await endSession({ id_token_hint: tokens.id_token }, broken);
  const page = await expectPage(response, "configuration_malformed", 500);
  expect(page).toContain("<h1>Sign-out failed</h1>");
  expect(page).toContain("You may still be signed in.");
  expect(page).not.toContain("nothing in your account");
});

describe("while the catalogue has no scope openid, every method", () => {
  it.each(["GET", "POST", "PUT"])("%s is 404", async (method) => {
    await server.makeScopes("openid");
    await server.expectAdmin("DELETE", "/scopes/openid");
    const response = await server.http("/end_session", { method });
    expect([response.status, reasonOf(response)]).toEqual([
      404,
      "path_unknown",
    ]);
    expect(await response.text()).toContain("This page does not exist");
  });
});
