import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { Login } from "../../../src/index.ts";
import { faultOf } from "../../support/authorization.ts";
import { listenToLog, parsedLog } from "../../support/log.ts";
import { grantIdOf } from "../../support/login-object.ts";
import {
  isAlive,
  LOGOUT_URL,
  logoutAtLogin,
  makeOpenIdClient,
  openIdLogin,
  SIGNED_OUT,
} from "../../support/logout.ts";
import { reasonOf } from "../../support/request-lines.ts";
import { rewriteClient } from "../../support/records.ts";
import {
  refusal,
  server,
  serverWith,
  type TestClient,
  type TestServer,
} from "../../support/server.ts";

/** Tests how the login describes a logout request, and reports that it has ended its session. */

let client: TestClient;

beforeAll(async () => {
  client = await makeOpenIdClient({ client_name: "Photos" });
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function describeLogout(request: string): Promise<Response> {
  return server.admin("GET", `/logouts?request=${encodeURIComponent(request)}`);
}

function decideLogout(
  request: string,
  session: Record<string, unknown> = {},
): Promise<Response> {
  return server.admin("POST", "/logouts", { request, ...session });
}

/** Starts two logins of one session, and one of another session. */
async function threeLogins() {
  const sid = crypto.randomUUID();
  const subject = crypto.randomUUID();
  const [own, sibling, other] = await Promise.all([
    openIdLogin(client, { subject, sid }),
    openIdLogin(client, { subject, sid, scope: "read" }),
    openIdLogin(client, { subject, sid: "other" }),
  ]);
  const alive = async () =>
    Promise.all([own, sibling, other].map((tokens) => isAlive(tokens)));
  return { sid, subject, own, sibling, other, alive };
}

const returning = { post_logout_redirect_uri: SIGNED_OUT, state: "a b%" };

describe("a logout request with an ID token", () => {
  it("is described with its user, session and client, as confirmed", async () => {
    const { sid, subject, own } = await threeLogins();
    const request = await logoutAtLogin({
      id_token_hint: own.id_token,
      ...returning,
      ui_locales: "de en",
      logout_hint: "alice@example.com",
    });
    const response = await describeLogout(request);
    const { expires_at, ...rest } =
      await response.json<Record<string, unknown>>();
    expect(rest).toEqual({
      client_id: client.client_id,
      client_name: "Photos",
      subject,
      sid,
      post_logout_redirect_uri: SIGNED_OUT,
      ui_locales: "de en",
      logout_hint: "alice@example.com",
      is_confirmed: true,
    });
    const left = Number(expires_at) - Date.now() / 1000;
    expect(left).toBeGreaterThan(25 * 60);
    expect(left).toBeLessThanOrEqual(30 * 60);
  });

  it("has no session if the login gave none", async () => {
    const { id_token } = await openIdLogin(client);
    const request = await logoutAtLogin({ id_token_hint: id_token });
    expect(await (await describeLogout(request)).json()).toEqual({
      client_id: client.client_id,
      client_name: "Photos",
      subject: "alice",
      is_confirmed: true,
      expires_at: expect.any(Number) as number,
    });
  });

  it("ends the grants of its session, and leads back to the app with its state; a second time, too", async () => {
    const { own, alive } = await threeLogins();
    const request = await logoutAtLogin({
      id_token_hint: own.id_token,
      ...returning,
    });
    expect(await alive()).toEqual([false, true, true]);
    for (let count = 0; count < 2; count++) {
      const response = await decideLogout(request);
      expect([response.status, await response.json()]).toEqual([
        200,
        { redirect_to: `${SIGNED_OUT}?state=a+b%25` },
      ]);
      expect(await alive()).toEqual([false, false, true]);
    }
  });

  it("ends another session of the user if the login says so", async () => {
    const { own, alive } = await threeLogins();
    const request = await logoutAtLogin({ id_token_hint: own.id_token });
    const response = await decideLogout(request, { sid: "other" });
    expect(await response.json()).toEqual({});
    expect(await alive()).toEqual([false, true, false]);
  });

  it("ends nothing of another user, whose session the ID token does not name", async () => {
    const { sid, own, alive } = await threeLogins();
    const bob = await openIdLogin(client, { subject: "bob", sid });
    const request = await logoutAtLogin({ id_token_hint: own.id_token });
    await decideLogout(request, { subject: "bob" });
    expect([await isAlive(bob), ...(await alive())]).toEqual([
      true,
      false,
      true,
      true,
    ]);
    await decideLogout(request, { subject: "bob", sid });
    expect(await isAlive(bob)).toBe(false);
  });

  it("writes each end to the log, as ended by an administrator", async () => {
    const { own, sibling, subject } = await threeLogins();
    const request = await logoutAtLogin({ id_token_hint: own.id_token });
    const lines = listenToLog();
    await decideLogout(request);
    const events = parsedLog(lines).filter(
      ({ event }) => event === "family.revoked",
    );
    expect(events).toEqual([
      expect.objectContaining({
        by: "administrator",
        actor: "root",
        client_id: client.client_id,
        subject,
        grant_id: grantIdOf(sibling),
      }),
    ]);
  });
});

describe("a logout request without an ID token", () => {
  it("is described as not confirmed", async () => {
    const { client_id } = client;
    const request = await logoutAtLogin({ client_id, ...returning });
    expect(await (await describeLogout(request)).json()).toMatchObject({
      client_id,
      post_logout_redirect_uri: SIGNED_OUT,
      is_confirmed: false,
    });
    const bare = await (await describeLogout(await logoutAtLogin({}))).json();
    expect(bare).toEqual({
      is_confirmed: false,
      expires_at: expect.any(Number) as number,
    });
  });

  it("ends the session that the login names, and goes back", async () => {
    const { sid, subject, alive } = await threeLogins();
    const { client_id } = client;
    const request = await logoutAtLogin({ client_id, ...returning });
    const response = await decideLogout(request, { subject, sid });
    expect(await response.json()).toHaveProperty("redirect_to");
    expect(await alive()).toEqual([false, false, true]);
  });

  it("ends nothing if the login names no session", async () => {
    const { subject, alive } = await threeLogins();
    const request = await logoutAtLogin({});
    for (const session of [{}, { subject }])
      expect((await decideLogout(request, session)).status).toBe(200);
    expect(await alive()).toEqual([true, true, true]);
  });

  it("is refused with a session and no user", async () => {
    const request = await logoutAtLogin({});
    const response = await decideLogout(request, { sid: "x" });
    const { fields } = await response
      .clone()
      .json<{ fields: Record<string, string> }>();
    expect(fields).toHaveProperty("subject");
    expect(await refusal(response)).toEqual([
      400,
      "invalid_request",
      "admin_body_invalid",
    ]);
  });
});

describe("a request whose client has changed since", () => {
  it.each([
    ["its URI was removed", { post_logout_redirect_uris: [] }],
    ["it was disabled", { disabled_at: 1 }],
    ["its id belongs to a later client", { client_id_issued_at: 1 }],
  ])("ends the session and leads nowhere if %s", async (_, change) => {
    const changing = await makeOpenIdClient();
    const own = await openIdLogin(changing, { sid: "one" });
    const sibling = await openIdLogin(client, { sid: "one" });
    const request = await logoutAtLogin({
      id_token_hint: own.id_token,
      ...returning,
    });
    await rewriteClient(changing, change);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 120_000 });
    const described = await (await describeLogout(request)).json();
    expect(described).not.toHaveProperty("post_logout_redirect_uri");
    expect(await (await decideLogout(request)).json()).toEqual({});
    expect(await isAlive(sibling)).toBe(false);
  });
});

describe("an encrypted request", () => {
  it("that has expired is refused", async () => {
    const request = await logoutAtLogin({});
    const time = Date.now() + 30 * 60_000;
    vi.useFakeTimers({ toFake: ["Date"], now: time });
    for (const response of [
      await describeLogout(request),
      await decideLogout(request),
    ])
      expect([response.status, reasonOf(response)]).toEqual([
        400,
        "logout_request_expired",
      ]);
  });

  it("that was changed is refused", async () => {
    const request = await logoutAtLogin({});
    for (const position of [0, 30, 120, 160, request.length - 1]) {
      const character = request[position] === "A" ? "B" : "A";
      const changed =
        request.slice(0, position) + character + request.slice(position + 1);
      const response = await decideLogout(changed);
      expect([response.status, reasonOf(response)]).toEqual([
        400,
        `logout_request_${faultOf(changed)}`,
      ]);
    }
    const none = await decideLogout("x");
    expect(reasonOf(none)).toBe("logout_request_malformed");
  });

  it.each([
    ["an unknown field", { everything: true }, "everything"],
    ["a session that is too long", { sid: "x".repeat(256) }, "sid"],
    ["an empty session", { sid: "" }, "sid"],
    ["a subject that is too long", { subject: "x".repeat(256) }, "subject"],
  ])("with %s is refused", async (_, session, field) => {
    const response = await decideLogout(await logoutAtLogin({}), session);
    expect(response.status).toBe(400);
    const { fields } = await response.json<{ fields: object }>();
    expect(Object.keys(fields)).toEqual([field]);
  });
});

describe("the RPC entrypoint Login", () => {
  it("describes a logout request, and ends the session", async () => {
    const login = new Login(createExecutionContext(), env);
    const { own, sid, alive } = await threeLogins();
    const request = await logoutAtLogin({
      id_token_hint: own.id_token,
      ...returning,
    });
    expect(await login.describeLogout(request)).toMatchObject({
      sid,
      is_confirmed: true,
    });
    expect(await login.decideLogout({ request })).toEqual({
      redirect_to: `${SIGNED_OUT}?state=a+b%25`,
    });
    expect(await alive()).toEqual([false, false, true]);
    expect(await login.decideLogout({ request: "x" })).toMatchObject({
      error: "invalid_request",
      fields: { request: "was not made by this server" },
    });
  });
});

describe("a user with many logins", () => {
  /** A server whose index and families have `count` logins. `end` answers for each by its position. */
  function serverOf(count: number, end: (position: number) => string) {
    const ids = Array.from({ length: count }, (_, position) =>
      position.toString(16).padStart(64, "0"),
    );
    const list = async (limit: number, after?: string) => {
      const first = after === undefined ? 0 : ids.indexOf(after) + 1;
      return ids.slice(first, first + limit);
    };
    return serverWith({
      LOGOUT_URL,
      SUBJECT_INDEX: { idFromName: String, get: () => ({ list }) },
      TOKEN_FAMILY: {
        idFromString: String,
        get: (id: string) => ({
          revokeSession: async () => ({ outcome: end(parseInt(id, 16)) }),
        }),
      },
    });
  }

  async function report(to: TestServer): Promise<Response> {
    const request = await logoutAtLogin({});
    const session = { subject: "alice", sid: "one" };
    return to.admin("POST", "/logouts", { request, ...session });
  }

  it("loses those of the session on every page of the index", async () => {
    const lines = listenToLog();
    const ofSession = [0, 99, 100, 200, 798];
    const many = serverOf(799, (position) =>
      ofSession.includes(position) ? "revoked" : "ended_before",
    );
    expect((await report(many)).status).toBe(200);
    const ended = parsedLog(lines).filter(
      ({ event }) => event === "family.revoked",
    );
    expect(ended.map(({ grant_id }) => parseInt(String(grant_id), 16))).toEqual(
      ofSession,
    );
  });

  it("that fill their pages loses them as well", async () => {
    const full = serverOf(200, () => "revoked");
    expect((await report(full)).status).toBe(200);
  });

  it("gets 503 if they are more than a request can look at", async () => {
    const response = await report(serverOf(800, () => "ended_before"));
    expect(await refusal(response)).toEqual([
      503,
      "temporarily_unavailable",
      "logout_session_incomplete",
    ]);
  });

  it("gets 503 if one cannot be reached, and the others end", async () => {
    const lines = listenToLog();
    const response = await report(
      serverOf(150, (position) => {
        if (position === 3) throw new Error("out of reach");
        return "revoked";
      }),
    );
    expect(await refusal(response)).toEqual([
      503,
      "temporarily_unavailable",
      "storage_unavailable",
    ]);
    const ended = parsedLog(lines).filter(
      ({ event }) => event === "family.revoked",
    );
    expect(ended).toHaveLength(149);
  });
});
