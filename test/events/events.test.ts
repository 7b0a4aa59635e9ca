import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ExchangeAttempt } from "../../src/oauth/repositories.ts";
import { makeWebClient, obtainCode, redeem } from "../support/authorization.ts";
import { familiesWith, fault } from "../support/faults.ts";
import { listenToLog, parsedLog } from "../support/log.ts";
import {
  refusal,
  server,
  serverWith,
  type TestClient,
  type TestServer,
} from "../support/server.ts";

/** Tests that what an operator must know of is an event: who did it, to whom, at which login, and from where. */

let lines: string[];

beforeEach(() => {
  lines = listenToLog();
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** The events since the last call, without the lines of requests. */
function takeEvents(): Record<string, unknown>[] {
  const events = parsedLog(lines).filter(({ event }) => event !== "request");
  lines.length = 0;
  return events;
}

function requestId(response: Response): string {
  return response.headers.get("X-Request-Id") ?? "none";
}

const app = { "CF-Connecting-IP": "192.0.2.1", "User-Agent": "notes/1.0" };
const thief = { "CF-Connecting-IP": "198.51.100.7", "User-Agent": "curl/8" };

function refreshFrom(
  headers: Record<string, string>,
  { client_id, client_secret }: TestClient,
  refresh_token: string,
  to: TestServer = server,
): Promise<Response> {
  const grant_type = "refresh_token";
  return to.token(
    { grant_type, refresh_token, client_id, client_secret },
    headers,
  );
}

/** Returns the id of the one login of a user. */
async function grantOf(subject: string): Promise<string> {
  const { grants } = await server.expectAdmin<{
    grants: { grant_id: string }[];
  }>("GET", `/subjects/${subject}/grants`);
  expect(grants).toHaveLength(1);
  return grants[0]!.grant_id;
}

/** Makes a login whose first token is used. @returns its client, its user and that token */
async function usedToken(to: TestServer = server) {
  const client = await to.makeClient();
  const subject = crypto.randomUUID();
  const { refresh_token } = await to.login(client, { subject });
  await to.expectRefresh(client, refresh_token);
  const grant_id = await grantOf(subject);
  takeEvents();
  return { client, subject, refresh_token, grant_id };
}

describe("a used refresh token that comes back", () => {
  it("is an event that names the user and the login, so that one command shows it", async () => {
    const { client, subject, refresh_token, grant_id } = await usedToken();
    const before = Math.floor(Date.now() / 1000);
    const response = await refreshFrom(thief, client, refresh_token);
    expect(await refusal(response)).toEqual([
      400,
      "invalid_grant",
      "refresh_token_reused",
    ]);
    const [event, ...others] = takeEvents();
    expect(others).toEqual([]);
    expect(event).toEqual({
      event: "refresh_token.reused",
      event_id: `${requestId(response)}.1`,
      request_id: requestId(response),
      time: expect.any(Number) as number,
      client_id: client.client_id,
      subject,
      grant_id,
      network: expect.stringMatching(/^[\w-]{12}$/) as string,
      user_agent: expect.stringMatching(/^[\w-]{12}$/) as string,
      generation: 1,
      newest_generation: 2,
      seconds_since_exchange: expect.any(Number) as number,
      looks_like: "late_retry",
    });
    expect(event?.["time"]).toBeGreaterThanOrEqual(before);
  });

  it("costs no call beside the exchange", async () => {
    const { client, refresh_token } = await usedToken();
    const calls: string[] = [];
    const TOKEN_FAMILY = familiesWith((_, real) => ({
      exchange(attempt: ExchangeAttempt) {
        calls.push("exchange");
        return real().exchange(attempt);
      },
    }));
    const counted = serverWith({ TOKEN_FAMILY });
    const response = await refreshFrom(app, client, refresh_token, counted);
    expect(response.status).toBe(400);
    expect(calls).toEqual(["exchange"]);
    expect(takeEvents()).toMatchObject([{ event: "refresh_token.reused" }]);
  });

  it("is an event without its user if the family's object runs the version before", async () => {
    const { client, refresh_token, grant_id } = await usedToken();
    const TOKEN_FAMILY = familiesWith((_, real) => ({
      async exchange(attempt: ExchangeAttempt) {
        const result = await real().exchange(attempt);
        const { subject: _subject, ...older } = JSON.parse(result) as Record<
          string,
          unknown
        >;
        return JSON.stringify(older);
      },
    }));
    const older = serverWith({ TOKEN_FAMILY });
    const response = await refreshFrom(app, client, refresh_token, older);
    expect(response.status).toBe(400);
    const [event] = takeEvents();
    expect(event).toMatchObject({ event: "refresh_token.reused", grant_id });
    expect(event).not.toHaveProperty("subject");
  });
});

describe("network and user agent of an event", () => {
  /** Has a used token come back. @returns both hashes */
  async function hashes(
    headers: Record<string, string>,
    to: TestServer = server,
  ) {
    const { client, refresh_token } = await usedToken(to);
    await refreshFrom(headers, client, refresh_token, to);
    const [{ network, user_agent } = {}] = takeEvents();
    return { network, user_agent };
  }

  it("can be compared: equal from the same place, and different from another", async () => {
    const one = await hashes(app);
    expect(await hashes(app)).toEqual(one);
    const other = await hashes(thief);
    expect(other.network).not.toBe(one.network);
    expect(other.user_agent).not.toBe(one.user_agent);
  });

  it("compare the network and not the address of IPv6", async () => {
    const from = (address: string) =>
      hashes({ "CF-Connecting-IP": address }).then(({ network }) => network);
    const network = await from("2001:db8:1:2::3");
    expect(await from("2001:db8:1:2:ffff::1")).toBe(network);
    expect(await from("2001:db8:1:3::3")).not.toBe(network);
  });

  it("are not kept: neither is in the log", async () => {
    const { client, refresh_token } = await usedToken();
    await refreshFrom(thief, client, refresh_token);
    expect(lines.join()).not.toMatch(/198\.51\.100\.7|curl/);
  });

  it("are left out if they are unknown", async () => {
    const unknown = { "CF-Connecting-IP": "127.0.0.1", "User-Agent": "" };
    expect(await hashes(unknown)).toEqual({});
  });

  it("are hashed with a key that follows from ENCRYPTION_KEY", async () => {
    const ENCRYPTION_KEY = btoa(
      String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))),
    );
    const { network, user_agent } = await hashes(app);
    const other = await hashes(app, serverWith({ ENCRYPTION_KEY }));
    expect(other.network).not.toBe(network);
    expect(other.user_agent).not.toBe(user_agent);
  });

  it("have a key that an isolate derives once, and only when it writes an event", async () => {
    const { client, subject } = await usedToken();
    const { refresh_token } = await server.login(client, { subject });
    const derive = vi.spyOn(crypto.subtle, "deriveKey");
    const isolate = serverWith({});
    const next = await isolate.expectRefresh(client, refresh_token);
    const forTokens = derive.mock.calls.length;
    await isolate.expectRefresh(client, next.refresh_token);
    expect(derive.mock.calls.length).toBe(forTokens);
    await refreshFrom(app, client, refresh_token, isolate);
    expect(derive.mock.calls.length).toBe(forTokens + 1);
    await refreshFrom(app, client, "x", isolate);
    await refreshFrom(app, { ...client, client_secret: "x" }, "x", isolate);
    expect(derive.mock.calls.length).toBe(forTokens + 1);
  });
});

describe("an authorization code that comes back late", () => {
  it("is an event that names the user and the login", async () => {
    const client = await makeWebClient();
    const subject = crypto.randomUUID();
    const T0 = 1_900_000_000_000;
    vi.useFakeTimers({ toFake: ["Date"], now: T0 });
    const code = await obtainCode(client, {}, { subject });
    await redeem(client, code);
    const grant_id = await grantOf(subject);
    takeEvents();
    await redeem(client, code);
    expect(takeEvents()).toEqual([]);
    vi.setSystemTime(T0 + 20_000);
    const response = await redeem(client, code);
    expect((await refusal(response))[2]).toBe("authorization_code_reused");
    expect(takeEvents()).toMatchObject([
      {
        event: "authorization_code.reused",
        client_id: client.client_id,
        subject,
        grant_id,
      },
    ]);
  });
});

describe("a login that is ended", () => {
  it("by its client is an event, once", async () => {
    const { client, subject, refresh_token, grant_id } = await usedToken();
    await server.about("/revoke", client, refresh_token);
    expect(takeEvents()).toMatchObject([
      {
        event: "family.revoked",
        client_id: client.client_id,
        subject,
        grant_id,
        by: "client",
      },
    ]);
    await server.about("/revoke", client, refresh_token);
    expect(takeEvents()).toEqual([]);
  });

  it("by an administrator is an event, once", async () => {
    const { subject, grant_id } = await usedToken();
    const end = () => server.expectAdmin("DELETE", `/grants/${grant_id}`);
    await end();
    expect(takeEvents()).toMatchObject([
      { event: "family.revoked", subject, grant_id, by: "administrator" },
    ]);
    await end();
    expect(takeEvents()).toEqual([]);
  });

  it("with all others of its user is one event", async () => {
    const { subject, client } = await usedToken();
    await server.login(client, { subject });
    takeEvents();
    const path = `/subjects/${subject}/grants`;
    await server.expectAdmin("DELETE", path);
    expect(takeEvents()).toMatchObject([
      { event: "subject.logged_out", subject, revoked: 2, complete: true },
    ]);
  });

  it("with some others of its user, because a fault kept the rest, is an event that says so", async () => {
    const { subject } = await usedToken();
    const SUBJECT_INDEX = {
      idFromName: () => "",
      get: () => fault("gone", { overloaded: true }),
    };
    const failing = serverWith({ SUBJECT_INDEX });
    const path = `/subjects/${subject}/grants`;
    expect((await failing.admin("DELETE", path)).status).toBe(503);
    const [event] = takeEvents();
    expect(event).toMatchObject({
      event: "subject.logged_out",
      subject,
      complete: false,
    });
  });
});

describe("a change of the scope catalogue", () => {
  it("is an event with the description from and to", async () => {
    const name = `notes:${crypto.randomUUID()}`;
    const path = `/scopes/${name}`;
    for (const description of ["Read notes", "Read your notes"])
      await server.expectAdmin("PUT", path, { description });
    await server.expectAdmin("DELETE", path);
    const scope = { event: "scope.changed", scope: name };
    const field = "description";
    const [first, second] = ["Read notes", "Read your notes"];
    expect(takeEvents()).toMatchObject([
      { ...scope, action: "created", changes: [{ field, to: first }] },
      {
        ...scope,
        action: "changed",
        changes: [{ field, from: first, to: second }],
      },
      { ...scope, action: "deleted", changes: [{ field, from: second }] },
    ]);
  });

  it("that changes nothing is not an event", async () => {
    const path = `/scopes/notes:${crypto.randomUUID()}`;
    for (const description of ["Read notes", "Read notes", undefined])
      await server.expectAdmin("PUT", path, { description });
    expect(takeEvents()).toMatchObject([{ action: "created" }]);
  });

  it("that is refused is none", async () => {
    await server.admin("DELETE", "/scopes/never-made");
    expect(takeEvents()).toEqual([]);
  });
});

describe("a client that does not authenticate", () => {
  it("is an event with the precise reason, and the client if it exists", async () => {
    const { client } = await usedToken();
    await refreshFrom(thief, { ...client, client_secret: "wrong" }, "x");
    await refreshFrom(thief, { client_id: "none", client_secret: "x" }, "x");
    await server.about("/introspect", { ...client, client_secret: "x" }, "x");
    const failed = "client_authentication.failed";
    const [wrong, unknown, introspecting] = takeEvents();
    const { client_id } = client;
    const reason = "client_secret_wrong";
    expect(wrong).toMatchObject({ event: failed, client_id, reason });
    expect(introspecting).toMatchObject({ event: failed, client_id, reason });
    expect(unknown).toMatchObject({ event: failed, reason: "client_unknown" });
    expect(unknown).not.toHaveProperty("client_id");
    expect(unknown?.["network"]).toBe(wrong?.["network"]);
  });
});

describe("a limit on guesses", () => {
  it("that is reached is one event per minute, and not one for each refusal", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const own = { GUESSES_PER_NETWORK: undefined, GUESSES_PER_SITE: undefined };
    const isolate = serverWith(own);
    const guess = () =>
      isolate.http("/admin/clients", {
        headers: { ...thief, Authorization: "Bearer wrong" },
      });
    const reached = async () => {
      for (let times = 0; times < 125; times++) await guess();
      const events = takeEvents();
      return events.filter(({ event }) => event === "limit.reached");
    };
    const once = [
      {
        event: "limit.reached",
        limit: "admin_token",
        retry_after: 60,
        network: expect.any(String) as string,
      },
    ];
    expect(await reached()).toMatchObject(once);
    expect(await reached()).toEqual([]);
    vi.setSystemTime(Date.now() + 61_000);
    expect(await reached()).toMatchObject(once);
  });
});

describe("the line of a request", () => {
  it("has neither a user nor an address, whatever its events name", async () => {
    const { client, subject, refresh_token } = await usedToken();
    lines.length = 0;
    await refreshFrom(thief, client, refresh_token);
    await server.expectAdmin("GET", `/subjects/${subject}/grants`);
    await server.expectAdmin("DELETE", `/subjects/${subject}/grants`);
    const requests = parsedLog(lines).filter(
      ({ event }) => event === "request",
    );
    expect(requests).toHaveLength(3);
    expect(JSON.stringify(requests)).not.toContain(subject);
  });
});
