import { decodeJwt } from "jose";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { grantIdOf } from "../support/login-object.ts";
import {
  endSession,
  isAlive,
  logoutAtLogin,
  LOGOUT_URL,
  makeOpenIdClient,
  openIdLogin,
  postEndSession,
  signed,
  SIGNED_OUT,
  withLogin,
} from "../support/logout.ts";
import { listenToLog, parsedLog } from "../support/log.ts";
import { ISSUER, server, type TestClient } from "../support/server.ts";

/** Tests the end session endpoint (OpenID Connect RP-Initiated Logout 1.0) as apps use it. */

let client: TestClient;

beforeAll(async () => {
  client = await makeOpenIdClient({ client_name: "Photos <b>&</b> more" });
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("a sign-out with an ID token, without LOGOUT_URL", () => {
  it.each([
    ["GET", endSession],
    ["POST", postEndSession],
  ])("by %s ends the login and goes back to the app", async (_, send) => {
    const tokens = await openIdLogin(client);
    const response = await send({
      id_token_hint: tokens.id_token,
      post_logout_redirect_uri: SIGNED_OUT,
      state: "a b/ä",
    });
    expect(response.status).toBe(303);
    expect(response.headers.get("Location")).toBe(
      `${SIGNED_OUT}?state=a+b%2F%C3%A4`,
    );
    expect(response.headers.get("Referrer-Policy")).toBe("no-referrer");
    const refreshed = await server.refresh(client, tokens.refresh_token);
    expect(refreshed.status).toBe(400);
    expect(await isAlive(tokens)).toBe(false);
  });

  it.each(["%7E~%2f+x", "a%20b", "%", "ä"])(
    "gives back the state %s byte for byte, in both methods",
    async (state) => {
      const { id_token } = await openIdLogin(client);
      const uri = encodeURIComponent(SIGNED_OUT);
      const query = `id_token_hint=${id_token}&post_logout_redirect_uri=${uri}&state=${state}`;
      const sent = state === "ä" ? "%C3%A4" : state;
      for (const send of [endSession, postEndSession])
        expect((await send(query)).headers.get("Location")).toBe(
          `${SIGNED_OUT}?state=${sent}`,
        );
    },
  );

  it("of a form keeps a number sign in the state inside of it", async () => {
    const { id_token } = await openIdLogin(client);
    const uri = encodeURIComponent(SIGNED_OUT);
    const response = await postEndSession(
      `id_token_hint=${id_token}&post_logout_redirect_uri=${uri}&state=a#b`,
    );
    expect(response.headers.get("Location")).toBe(`${SIGNED_OUT}?state=a%23b`);
  });

  it("works again for a login that has ended", async () => {
    const { id_token } = await openIdLogin(client);
    const query = {
      id_token_hint: id_token,
      post_logout_redirect_uri: SIGNED_OUT,
    };
    for (let count = 0; count < 2; count++)
      expect((await endSession(query)).headers.get("Location")).toBe(
        SIGNED_OUT,
      );
  });

  it("works with an ID token that has expired", async () => {
    const tokens = await openIdLogin(client);
    const claims = decodeJwt(tokens.id_token);
    const old = await signed({ ...claims, exp: 2000 });
    const response = await endSession({
      id_token_hint: old,
      client_id: client.client_id,
      post_logout_redirect_uri: SIGNED_OUT,
    });
    expect(response.headers.get("Location")).toBe(SIGNED_OUT);
    expect(await isAlive(tokens)).toBe(false);
  });

  it("ends every login of the user with the same session, of any client, and no other", async () => {
    const other = await makeOpenIdClient();
    const sid = crypto.randomUUID();
    const [own, ofOther, otherSession, otherUser, without] = await Promise.all([
      openIdLogin(client, { sid }),
      openIdLogin(other, { sid, scope: "read" }),
      openIdLogin(client, { sid: crypto.randomUUID() }),
      openIdLogin(client, { sid, subject: "bob" }),
      openIdLogin(client),
    ]);
    await endSession({ id_token_hint: own.id_token });
    const alive = [own, ofOther, otherSession, otherUser, without].map(isAlive);
    expect(await Promise.all(alive)).toEqual([false, false, true, true, true]);
  });

  it("ends the app's own login alone if the login gave no session", async () => {
    const [own, sibling] = [
      await openIdLogin(client),
      await openIdLogin(client),
    ];
    await endSession({ id_token_hint: own.id_token });
    expect([await isAlive(own), await isAlive(sibling)]).toEqual([false, true]);
  });

  it("without a post-logout redirect URI shows that the user is signed out, with the client's name as text", async () => {
    const { id_token } = await openIdLogin(client);
    const response = await endSession({ id_token_hint: id_token, state: "x" });
    const page = await response.text();
    expect(response.status).toBe(200);
    expect(response.headers.get("Content-Type")).toMatch(/^text\/html/);
    expect(response.headers.get("Cache-Control")).toBe("no-store");
    expect(response.headers.get("X-Frame-Options")).toBe("DENY");
    expect(response.headers.get("Content-Security-Policy")).toMatch(
      /default-src 'none'.*frame-ancestors 'none'/,
    );
    expect(page).toContain("<h1>You are signed out</h1>");
    expect(page).toContain("Photos &lt;b&gt;&amp;&lt;/b&gt; more");
  });

  it("lets the port of a loopback address differ, and nothing else", async () => {
    const native = await makeOpenIdClient({
      post_logout_redirect_uris: ["http://127.0.0.1/out"],
    });
    const { id_token } = await openIdLogin(native);
    const uri = "http://127.0.0.1:50123/out";
    const response = await endSession({
      id_token_hint: id_token,
      post_logout_redirect_uri: uri,
    });
    expect(response.headers.get("Location")).toBe(uri);
  });

  it("writes the end of each login to the log, as ended by the client", async () => {
    const sid = crypto.randomUUID();
    const own = await openIdLogin(client, { sid });
    const sibling = await openIdLogin(client, { sid });
    const lines = listenToLog();
    await endSession({ id_token_hint: own.id_token });
    const events = parsedLog(lines).filter(
      ({ event }) => event === "family.revoked",
    );
    expect(events).toEqual(
      // The app's own login ends last, so that the request can be repeated after a fault.
      [sibling, own].map((tokens) =>
        expect.objectContaining({
          by: "client",
          client_id: client.client_id,
          subject: "alice",
          grant_id: grantIdOf(tokens),
        }),
      ),
    );
    expect(lines.join("\n")).not.toContain(own.id_token);
  });
});

describe("a sign-out with LOGOUT_URL", () => {
  it("ends the app's own login at once, and sends the browser to the login", async () => {
    const sid = crypto.randomUUID();
    const own = await openIdLogin(client, { sid });
    const sibling = await openIdLogin(client, { sid });
    const encrypted = await logoutAtLogin({ id_token_hint: own.id_token });
    expect([await isAlive(own), await isAlive(sibling)]).toEqual([false, true]);
    expect(encrypted).not.toContain(sid);
    expect(encrypted.split(".")).toHaveLength(5);
  });

  it("by POST goes there as well", async () => {
    const { id_token } = await openIdLogin(client);
    const response = await postEndSession(
      { id_token_hint: id_token },
      withLogin,
    );
    expect(response.status).toBe(303);
    expect(response.headers.get("Location")).toMatch(`${LOGOUT_URL}?request=`);
  });

  it("by the client's id alone ends nothing, because any site may have sent the browser", async () => {
    const tokens = await openIdLogin(client);
    await logoutAtLogin({
      client_id: client.client_id,
      post_logout_redirect_uri: SIGNED_OUT,
      logout_hint: "alice",
    });
    expect(await isAlive(tokens)).toBe(true);
  });

  it("needs no parameter at all", async () => {
    expect(await logoutAtLogin({})).not.toBe("");
  });
});

describe("the metadata", () => {
  it.each(["oauth-authorization-server", "openid-configuration"])(
    "of %s names the endpoint and back-channel logout",
    async (name) => {
      const response = await server.http(`/.well-known/${name}`);
      expect(await response.json()).toMatchObject({
        end_session_endpoint: `${ISSUER}/end_session`,
        backchannel_logout_supported: true,
        backchannel_logout_session_supported: true,
      });
    },
  );
});
