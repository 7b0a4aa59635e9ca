import { env } from "cloudflare:workers";
import { base64url, decodeJwt, type JWTPayload } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { familiesWith } from "../support/faults.ts";
import { grantIdOf } from "../support/login-object.ts";
import {
  endSession,
  isAlive,
  LOGOUT_URL,
  logoutAtLogin,
  makeOpenIdClient,
  openIdLogin,
  signed,
  SIGNED_OUT,
  withLogin,
} from "../support/logout.ts";
import type { OpenIdTokens } from "../support/openid.ts";
import { reasonOf } from "../support/request-lines.ts";
import {
  server,
  serverWith,
  type TestClient,
  type TestServer,
} from "../support/server.ts";

/**
 * Tests what an ID token at the end session endpoint proves. Its login as it is now says whom it signs out, because the
 * key may have leaked, and because an old ID token may be found in a log.
 */

let client: TestClient;
let other: TestClient;

beforeAll(async () => {
  client = await makeOpenIdClient();
  other = await makeOpenIdClient();
});

const targets: [string, TestServer][] = [
  ["without LOGOUT_URL", server],
  ["with LOGOUT_URL", withLogin],
];

/** Describes a logout request of which only its client is known. */
function unconfirmed() {
  return {
    client_id: client.client_id,
    is_confirmed: false,
    expires_at: expect.any(Number) as number,
  };
}

async function describeLogout(request: string): Promise<unknown> {
  const query = `?request=${encodeURIComponent(request)}`;
  return server.expectAdmin("GET", `/logouts${query}`);
}

/** Starts two logins of one session. */
async function twoLogins() {
  const session = { sid: crypto.randomUUID(), subject: crypto.randomUUID() };
  const own = await openIdLogin(client, session);
  const sibling = await openIdLogin(other, session);
  const alive = () => Promise.all([own, sibling].map((it) => isAlive(it)));
  return { session, own, sibling, alive };
}

/** Makes a server that counts the calls of its families and of the subject index. */
function counting(more: Record<string, unknown> = {}) {
  const calls: string[] = [];
  const TOKEN_FAMILY = familiesWith(
    (_, real) =>
      new Proxy(real(), {
        get(stub, name) {
          calls.push(String(name));
          return Reflect.get(stub, name) as unknown;
        },
      }),
  );
  const SUBJECT_INDEX = new Proxy(env.SUBJECT_INDEX, {
    get(namespace, name) {
      if (name === "get") calls.push("index");
      const method: unknown = Reflect.get(namespace, name);
      return typeof method === "function"
        ? (method.bind(namespace) as unknown)
        : method;
    },
  });
  const to = serverWith({ TOKEN_FAMILY, SUBJECT_INDEX, ...more });
  return { calls, to };
}

/** Makes the `jti` of another login from that of a genuine ID token. */
function jtiLike({ id_token }: OpenIdTokens, family: string): string {
  return decodeJwt(id_token).jti!.replace(/^[\w-]{43}/, family);
}

describe("an ID token that was made with a leaked PRIVATE_KEY", () => {
  it.each([
    ["of a random id", () => crypto.getRandomValues(new Uint8Array(32))],
    [
      "of a genuine id",
      () => Uint8Array.fromHex(env.TOKEN_FAMILY.newUniqueId().toString()),
    ],
  ])("for a login that never was, %s, ends no session", async (_, make) => {
    const { session, own, alive } = await twoLogins();
    const { sid, subject: sub } = session;
    const jti = jtiLike(own, base64url.encode(make()));
    const claims = { ...decodeJwt(own.id_token), jti, sub, sid };
    const id_token_hint = await signed(claims);
    expect((await endSession({ id_token_hint })).status).toBe(200);
    expect(await alive()).toEqual([true, true]);
    const request = await logoutAtLogin({ id_token_hint });
    expect(await describeLogout(request)).toEqual(unconfirmed());
  });

  it.each<[string, (claims: JWTPayload) => JWTPayload]>([
    ["another user", () => ({ sub: "mallory" })],
    ["another session", () => ({ sid: "session of somebody else" })],
    ["another client", () => ({ aud: other.client_id })],
    ["a time before the login", ({ iat = 0 }) => ({ iat: iat - 120 })],
  ])("for a login that goes on, with %s, is refused", async (_, change) => {
    const { own, alive } = await twoLogins();
    const claims = decodeJwt(own.id_token);
    const id_token_hint = await signed({ ...claims, ...change(claims) });
    for (const [, to] of targets) {
      const response = await endSession({ id_token_hint }, to);
      expect([response.status, reasonOf(response)]).toEqual([
        400,
        "logout_hint_invalid",
      ]);
    }
    expect(await alive()).toEqual([true, true]);
  });

  it.each(["mallory", "alice"])(
    "from the access token of a login without openid, for %s, does not end it",
    async (sub) => {
      const tokens = await openIdLogin(client, { scope: "read" });
      const claims = decodeJwt(tokens.access_token);
      const [sid = ""] = claims.jti!.split(".");
      const aud = client.client_id;
      const jti = jtiLike(await openIdLogin(client), sid);
      const id_token_hint = await signed({ ...claims, jti, sid, aud, sub });
      for (const [, to] of targets) {
        const response = await endSession({ id_token_hint }, to);
        expect(reasonOf(response)).toBe("logout_hint_invalid");
      }
      expect(await isAlive(tokens)).toBe(true);
    },
  );
});

describe("an ID token whose login has ended", () => {
  /** Ends a login, in whose session another one begins. */
  async function endedLogin() {
    const { session, own } = await twoLogins();
    await server.about("/revoke", client, own.refresh_token);
    const later = await openIdLogin(other, session);
    return { id_token_hint: own.id_token, later };
  }

  it("ends nothing without LOGOUT_URL, and leads back", async () => {
    const { id_token_hint, later } = await endedLogin();
    const response = await endSession({
      id_token_hint,
      post_logout_redirect_uri: SIGNED_OUT,
      state: "x",
    });
    expect(response.headers.get("Location")).toBe(`${SIGNED_OUT}?state=x`);
    const page = await endSession({ id_token_hint });
    expect(await page.text()).toContain("<h1>You are signed out</h1>");
    expect(await isAlive(later)).toBe(true);
  });

  it("is as none with LOGOUT_URL, so that the login asks the user", async () => {
    const { id_token_hint, later } = await endedLogin();
    const request = await logoutAtLogin({ id_token_hint });
    expect(await describeLogout(request)).toEqual(unconfirmed());
    await server.expectAdmin("POST", "/logouts", { request });
    expect(await isAlive(later)).toBe(true);
  });

  it.each([
    ["without LOGOUT_URL", {}],
    ["with LOGOUT_URL", { LOGOUT_URL }],
  ])("costs one look each time, %s", async (_, settings) => {
    const { id_token_hint } = await endedLogin();
    const { calls, to } = counting(settings);
    for (let count = 0; count < 3; count++) {
      calls.length = 0;
      const { status } = await endSession({ id_token_hint }, to);
      expect(status).toBeLessThan(400);
      expect(calls).toEqual(["look"]);
    }
  });
});

describe("an ID token whose login goes on", () => {
  it.each([
    ["without LOGOUT_URL", {}, ["look", "index", "revokeSession", "revoke"]],
    ["with LOGOUT_URL", { LOGOUT_URL }, ["look", "revoke"]],
  ])(
    "costs as many calls as it ends logins, and a look, %s",
    async (...row) => {
      const [, settings, expected] = row;
      const { own } = await twoLogins();
      const { calls, to } = counting(settings);
      await endSession({ id_token_hint: own.id_token }, to);
      expect(calls).toEqual(expected);
    },
  );

  it("costs nothing if the request is refused for its URI", async () => {
    const { own, alive } = await twoLogins();
    const { calls, to } = counting();
    const response = await endSession(
      {
        id_token_hint: own.id_token,
        post_logout_redirect_uri: "https://evil.example.com/",
      },
      to,
    );
    expect(response.status).toBe(400);
    expect(calls).toEqual([]);
    expect(await alive()).toEqual([true, true]);
  });

  it.each(targets)(
    "is good if the login ends between the look and its end, %s",
    async (_, to) => {
      const { own, sibling } = await twoLogins();
      const racing = serverWith({
        ...(to === withLogin && { LOGOUT_URL }),
        TOKEN_FAMILY: familiesWith((id, real) => {
          const family = real();
          if (id.toString() !== grantIdOf(own)) return family;
          return {
            look: async () => {
              const state = await family.look();
              await family.revoke();
              return state;
            },
            revoke: async () => family.revoke(),
          };
        }),
      });
      const response = await endSession(
        { id_token_hint: own.id_token },
        racing,
      );
      expect(response.status).toBe(to === server ? 200 : 303);
      expect(await isAlive(sibling)).toBe(to === withLogin);
    },
  );

  it("is good again after a 503, because the app's own login ends last", async () => {
    const { own, sibling, alive } = await twoLogins();
    let isDown = true;
    const failing = serverWith({
      TOKEN_FAMILY: familiesWith((id, real) =>
        isDown && id.toString() === grantIdOf(sibling)
          ? {
              revokeSession: () => {
                throw new Error("out of reach");
              },
            }
          : real(),
      ),
    });
    const first = await endSession({ id_token_hint: own.id_token }, failing);
    expect([first.status, reasonOf(first)]).toEqual([
      503,
      "storage_unavailable",
    ]);
    expect(await alive()).toEqual([true, true]);
    isDown = false;
    const second = await endSession({ id_token_hint: own.id_token }, failing);
    expect(second.status).toBe(200);
    expect(await alive()).toEqual([false, false]);
  });

  it("ends its own login also if the user has too many for one request, and the next request costs one look", async () => {
    const { own } = await twoLogins();
    const looked: string[] = [];
    const ids = Array.from({ length: 800 }, (_, position) =>
      position.toString(16).padStart(64, "0"),
    );
    const many = serverWith({
      SUBJECT_INDEX: {
        idFromName: String,
        get: () => ({
          list: async (limit: number, after = "") =>
            ids.filter((id) => id > after).slice(0, limit),
        }),
      },
      TOKEN_FAMILY: {
        idFromString: String,
        get: (id: string) => {
          looked.push(id);
          return ids.includes(id)
            ? { revokeSession: async () => ({ outcome: "ended_before" }) }
            : env.TOKEN_FAMILY.get(env.TOKEN_FAMILY.idFromString(id));
        },
      },
    });
    const first = await endSession({ id_token_hint: own.id_token }, many);
    expect([first.status, reasonOf(first)]).toEqual([
      503,
      "logout_session_incomplete",
    ]);
    expect(await isAlive(own)).toBe(false);
    looked.length = 0;
    const second = await endSession({ id_token_hint: own.id_token }, many);
    expect(second.status).toBe(200);
    expect(looked).toHaveLength(1);
  });
});

describe("an ID token that is not valid", () => {
  const unknown = (tokens: OpenIdTokens) =>
    signed(decodeJwt(tokens.id_token), { kid: "retired" });
  const foreign = (tokens: OpenIdTokens) =>
    signed({ ...decodeJwt(tokens.id_token), sub: "mallory" });

  it.each<[string, (tokens: OpenIdTokens) => string | Promise<string>]>([
    ["of a key that was retired", unknown],
    ["that does not fit its login", foreign],
    ["that is malformed", () => "x"],
  ])(
    "%s, is as none beside a client_id, where the login can ask the user",
    async (_, make) => {
      const { own, alive } = await twoLogins();
      const id_token_hint = await make(own);
      const { client_id } = client;
      const request = await logoutAtLogin({ id_token_hint, client_id });
      expect(await describeLogout(request)).toEqual(unconfirmed());
      for (const response of [
        await endSession({ id_token_hint, client_id }),
        await endSession({ id_token_hint }, withLogin),
      ])
        expect([response.status, reasonOf(response)]).toEqual([
          400,
          "logout_hint_invalid",
        ]);
      expect(await alive()).toEqual([true, true]);
    },
  );

  it("leads back to a URI of the client, and to no other", async () => {
    const { client_id } = client;
    const query = { id_token_hint: "x", client_id, state: "a" };
    const request = await logoutAtLogin({
      ...query,
      post_logout_redirect_uri: SIGNED_OUT,
    });
    expect(await server.expectAdmin("POST", "/logouts", { request })).toEqual({
      redirect_to: `${SIGNED_OUT}?state=a`,
    });
    const post_logout_redirect_uri = "https://evil.example.com/";
    const response = await endSession(
      { ...query, post_logout_redirect_uri },
      withLogin,
    );
    expect(reasonOf(response)).toBe("logout_redirect_uri_unregistered");
  });
});
