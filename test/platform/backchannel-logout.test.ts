import {
  base64url,
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  type JSONWebKeySet,
  jwtVerify,
} from "jose";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { listenToLog, parsedLog } from "../support/log.ts";
import { grantIdOf } from "../support/login-object.ts";
import {
  alarmOf,
  end,
  endSession,
  kept,
  makeOpenIdClient,
  openIdLogin,
} from "../support/logout.ts";
import type { OpenIdTokens } from "../support/openid.ts";
import { rewriteClient } from "../support/records.ts";
import { ISSUER, server, type TestClient } from "../support/server.ts";

/** Tests OpenID Connect Back-Channel Logout 1.0: how clients are told that a login has ended, and how often. */

const ADDRESS = "https://rp.example.com/logout/path-that-is-secret";
const EVENT = "http://schemas.openid.net/event/backchannel-logout";

/** What the client got. */
let posts: {
  request: Request;
  signal: unknown;
  form: URLSearchParams;
}[];
/** The answers of the client, the last one again and again. */
let answers: (() => Response)[];
let lines: string[];

beforeEach(() => {
  posts = [];
  answers = [() => new Response(null, { status: 200 })];
  lines = listenToLog();
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const request = new Request(input, init);
    const body = await request.clone().arrayBuffer();
    const form = new URLSearchParams(new TextDecoder().decode(body));
    posts.push({ request, signal: init?.signal, form });
    return answers[Math.min(posts.length, answers.length) - 1]!();
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function makeClient(metadata: Record<string, unknown> = {}) {
  return makeOpenIdClient({ backchannel_logout_uri: ADDRESS, ...metadata });
}

function logged(name: string) {
  return parsedLog(lines).filter(({ event }) => event === name);
}

/** Verifies a logout token as section 2.6 asks a client to. */
async function verify(
  logoutToken: string | null,
  { client_id }: { client_id: string },
) {
  const keys = await (
    await server.http("/.well-known/jwks.json")
  ).json<JSONWebKeySet>();
  const { payload } = await jwtVerify(
    logoutToken ?? "",
    createLocalJWKSet(keys),
    {
      issuer: ISSUER,
      audience: client_id,
      algorithms: ["ES256"],
      typ: "logout+jwt",
      maxTokenAge: "1 minute",
      requiredClaims: ["iss", "aud", "iat", "exp", "jti", "events"],
    },
  );
  expect(payload["events"]).toEqual({ [EVENT]: {} });
  expect(payload).not.toHaveProperty("nonce");
  expect(payload.exp! - payload.iat!).toBe(120);
  return payload;
}

async function expectNothingKept(tokens: OpenIdTokens): Promise<void> {
  expect(await kept(tokens)).toEqual({
    record: undefined,
    alarm: null,
    keys: 0,
  });
}

describe("a client with an address", () => {
  it("gets a logout token by a form when a login ends, which every check of the specification accepts", async () => {
    const client = await makeClient();
    const tokens = await openIdLogin(client, { sid: "session at the login" });
    await end(tokens);
    await alarmOf(tokens);
    expect(posts).toHaveLength(1);
    const [{ request, form }] = posts as [(typeof posts)[0]];
    expect([request.method, request.url, request.redirect]).toEqual([
      "POST",
      ADDRESS,
      "manual",
    ]);
    expect(request.headers.get("Content-Type")).toMatch(
      /^application\/x-www-form-urlencoded/,
    );
    expect([...form.keys()]).toEqual(["logout_token"]);
    const logoutToken = form.get("logout_token");
    expect(await verify(logoutToken, client)).toMatchObject({
      sub: "alice",
      sid: "session at the login",
    });
    expect(decodeProtectedHeader(logoutToken!)).toEqual({
      alg: "ES256",
      typ: "logout+jwt",
      kid: decodeProtectedHeader(tokens.access_token).kid,
    });
    await expectNothingKept(tokens);
  });

  it("gets the session that its ID token has, also if the login gave none", async () => {
    const client = await makeClient();
    const tokens = await openIdLogin(client);
    await end(tokens);
    await alarmOf(tokens);
    const { sid } = await verify(posts[0]!.form.get("logout_token"), client);
    expect(sid).toBe(decodeJwt(tokens.id_token)["sid"]);
    expect(sid).toBe(base64url.encode(Uint8Array.fromHex(grantIdOf(tokens))));
  });

  it("is in the log, without the user, the session and the token", async () => {
    const client = await makeClient();
    const tokens = await openIdLogin(client, {
      subject: "somebody@example.com",
      sid: "session-7",
    });
    await end(tokens);
    const before = lines.length;
    await alarmOf(tokens);
    expect(logged("backchannel_logout.sent")).toEqual([
      {
        event: "backchannel_logout.sent",
        time: expect.any(Number) as number,
        client_id: client.client_id,
        grant_id: grantIdOf(tokens),
        attempts: 1,
      },
    ]);
    const written = lines
      .slice(before)
      .filter((line) => line.includes("backchannel_logout"));
    expect(written.join("\n")).not.toMatch(/somebody|session-7|secret|eyJ/);
  });

  it.each<
    [string, (client: TestClient, tokens: OpenIdTokens) => Promise<unknown>]
  >([
    [
      "all logins of the user end",
      () => server.expectAdmin("DELETE", "/subjects/alice/grants"),
    ],
    [
      "a used refresh token comes back",
      async (client, { refresh_token }) => {
        await server.refresh(client, refresh_token);
        await server.refresh(client, refresh_token);
      },
    ],
    [
      "the client's record ends its logins, and one is refreshed",
      async (client, { refresh_token }) => {
        await rewriteClient(client, { tokens_not_before: 4_000_000_000 });
        vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 120_000 });
        await server.refresh(client, refresh_token);
      },
    ],
    [
      "the client's longest life is cut, and a login is refreshed",
      async (client, { refresh_token }) => {
        await rewriteClient(client, { refresh_token_max_age: "PT1S" });
        vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 120_000 });
        await server.refresh(client, refresh_token);
      },
    ],
    [
      "a browser brings the ID token to the end session endpoint",
      (_, { id_token }) => endSession({ id_token_hint: id_token }),
    ],
  ])("is told when %s", async (_, act) => {
    const client = await makeClient();
    const tokens = await openIdLogin(client);
    await act(client, tokens);
    await alarmOf(tokens);
    const told = posts.map(({ form }) => decodeJwt(form.get("logout_token")!));
    expect(told.map(({ aud }) => aud)).toContain(client.client_id);
    await expectNothingKept(tokens);
  });

  it.each<
    [string, (client: TestClient, tokens: OpenIdTokens) => Promise<unknown>]
  >([
    [
      "it has revoked the login itself",
      (client, { refresh_token }) =>
        server.about("/revoke", client, refresh_token),
    ],
    [
      "the login has expired",
      async (_, tokens) => {
        const { alarm } = await kept(tokens);
        vi.useFakeTimers({ toFake: ["Date"], now: alarm! + 1000 });
      },
    ],
    [
      "the client is deleted",
      async (client, tokens) => {
        await server.expectAdmin("DELETE", `/clients/${client.client_id}`);
        await end(tokens);
      },
    ],
    [
      "its id belongs to a later client",
      async (client, tokens) => {
        await rewriteClient(client, { client_id_issued_at: 1 });
        vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 120_000 });
        await end(tokens);
      },
    ],
    [
      "it has removed its address",
      async (client, tokens) => {
        const path = `/clients/${client.client_id}`;
        const patch = { backchannel_logout_uri: null };
        await server.expectAdmin("PATCH", path, patch);
        await end(tokens);
      },
    ],
  ])("is not told if %s", async (_, act) => {
    const client = await makeClient();
    const tokens = await openIdLogin(client);
    await act(client, tokens);
    await alarmOf(tokens);
    expect(posts).toEqual([]);
    await expectNothingKept(tokens);
  });

  it("is not told of a login without the scope openid, whose object is as without all of this", async () => {
    const client = await makeClient();
    const tokens = await openIdLogin(client, { scope: "read" });
    await end(tokens);
    await alarmOf(tokens);
    expect(posts).toEqual([]);
    await expectNothingKept(tokens);
  });
});

describe("a client that does not answer", () => {
  /** The delays between the attempts, in seconds. */
  const delays = [60, 300, 1_800, 7_200, 43_200];

  it("is told again after growing delays, with the same jti, and then not any more", async () => {
    const client = await makeClient();
    answers = [
      () => new Response("broken", { status: 500 }),
      () => {
        throw new TypeError(`cannot reach ${ADDRESS}`);
      },
      () => Response.redirect("https://127.0.0.1/", 302),
      () => new Response(null, { status: 404 }),
      () => new Response(null, { status: 201 }),
      () => new Response(null, { status: 503 }),
    ];
    const tokens = await openIdLogin(client);
    const start = Date.now();
    vi.useFakeTimers({ toFake: ["Date"], now: start });
    await end(tokens);
    await alarmOf(tokens);
    let time = start;
    for (const [position, delay] of delays.entries()) {
      const { record, alarm } = await kept(tokens);
      expect(posts).toHaveLength(position + 1);
      expect(record!.logout).toMatchObject({ failed: position + 1 });
      // The record has whole seconds.
      expect(Math.abs(alarm! - (time + delay * 1000))).toBeLessThan(1000);
      // Too early: nothing happens.
      vi.setSystemTime(alarm! - 2_000);
      await alarmOf(tokens);
      expect(posts).toHaveLength(position + 1);
      time = alarm!;
      vi.setSystemTime(time);
      await alarmOf(tokens);
    }
    await expectNothingKept(tokens);
    const sent = posts.map(({ form }) => decodeJwt(form.get("logout_token")!));
    expect(sent).toHaveLength(6);
    expect(new Set(sent.map(({ jti }) => jti)).size).toBe(1);
    expect(new Set(sent.map(({ iat }) => iat)).size).toBe(6);
    const failures = logged("backchannel_logout.failed");
    expect(
      failures.map(({ attempts, retry_after }) => [attempts, retry_after]),
    ).toEqual([
      [1, 60],
      [2, 300],
      [3, 1_800],
      [4, 7_200],
      [5, 43_200],
      [6, undefined],
    ]);
    expect(failures.map(({ error }) => error)).toEqual([
      "the answer was 500",
      "the request failed: TypeError",
      "the answer was 302",
      "the answer was 404",
      "the answer was 201",
      "the answer was 503",
    ]);
  });

  it("keeps the login ended, and is told when it answers", async () => {
    const client = await makeClient();
    answers = [
      () => new Response(null, { status: 500 }),
      () => new Response(null, { status: 204 }),
    ];
    const tokens = await openIdLogin(client);
    await end(tokens);
    await alarmOf(tokens);
    const refreshed = await server.refresh(client, tokens.refresh_token);
    expect(refreshed.status).toBe(400);
    const grants = await server.expectAdmin<{ grants: object[] }>(
      "GET",
      "/subjects/alice/grants",
    );
    expect(JSON.stringify(grants)).not.toContain(grantIdOf(tokens));
    vi.useFakeTimers({
      toFake: ["Date"],
      now: (await kept(tokens)).alarm!,
    });
    await alarmOf(tokens);
    expect(logged("backchannel_logout.sent")).toMatchObject([{ attempts: 2 }]);
    await expectNothingKept(tokens);
  });

  it("is not told again if it has refused the token", async () => {
    const client = await makeClient();
    answers = [() => new Response("{}", { status: 400 })];
    const tokens = await openIdLogin(client);
    await end(tokens);
    await alarmOf(tokens);
    await expectNothingKept(tokens);
    expect(posts).toHaveLength(1);
    const [failure] = logged("backchannel_logout.failed");
    expect(failure).toMatchObject({ attempts: 1, error: "the answer was 400" });
    expect(failure).not.toHaveProperty("retry_after");
  });

  it("gets five seconds", async () => {
    const client = await makeClient();
    const timeout = vi.spyOn(AbortSignal, "timeout");
    const tokens = await openIdLogin(client);
    await end(tokens);
    await alarmOf(tokens);
    expect(timeout).toHaveBeenCalledWith(5_000);
    expect(posts[0]!.signal).toBe(timeout.mock.results[0]!.value);
  });
});

describe("an address that has become private since its registration", () => {
  it.each([
    "https://127.0.0.1/",
    "https://[::1]/",
    "http://rp.example.com/",
    "https://router.local/",
  ])("such as %s gets nothing", async (uri) => {
    const client = await makeClient();
    await rewriteClient(client, { backchannel_logout_uri: uri });
    const tokens = await openIdLogin(client);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 120_000 });
    await end(tokens);
    await alarmOf(tokens);
    expect(posts).toEqual([]);
    const [failure] = logged("backchannel_logout.failed");
    expect(failure?.["error"]).toMatch(/^backchannel_logout_uri must /);
    await expectNothingKept(tokens);
  });
});

describe("a family of a code", () => {
  it("whose client was told stays until no code can begin it again", async () => {
    const { expectTokens, obtainCode, redeem, REDIRECT_URI } =
      await import("../support/authorization.ts");
    const client = await makeClient({ redirect_uris: [REDIRECT_URI] });
    const code = await obtainCode(client, { scope: "openid" });
    const tokens = (await expectTokens(
      await redeem(client, code),
    )) as OpenIdTokens;
    await end(tokens);
    await alarmOf(tokens);
    expect(posts).toHaveLength(1);
    const { record, alarm } = await kept(tokens);
    expect(record).not.toHaveProperty("logout");
    vi.useFakeTimers({ toFake: ["Date"], now: alarm! });
    await alarmOf(tokens);
    expect(posts).toHaveLength(1);
    await expectNothingKept(tokens);
  });
});
