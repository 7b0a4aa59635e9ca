import {
  createExecutionContext,
  waitOnExecutionContext,
} from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import worker from "../../src/index.ts";
import { EventThrottle } from "../../src/oauth/event-throttle.ts";
import { BUSY } from "../support/busy.ts";
import { listenToLog, parsedLog } from "../support/log.ts";
import { ISSUER, server } from "../support/server.ts";

/**
 * Tests that somebody without a credential cannot fill the webhook or the queue, and no client that is late again and
 * again: the log has each of their events, and the others are sent as if there were none.
 */

const webhook = {
  EVENT_WEBHOOK_URL: "https://siem.example.com/baton",
  EVENT_WEBHOOK_SECRET: btoa("an example of a key of 32 bytes."),
};

type Event = Record<string, unknown>;

let lines: string[];
/** What the webhook got. */
let posts: Event[];

beforeEach(() => {
  lines = listenToLog();
  posts = [];
  vi.useFakeTimers({ toFake: ["Date"], now: 1_900_000_000_000 });
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Has a receiver at the webhook. @param answer when it answers */
function receiver(answer: Promise<unknown> = Promise.resolve()): void {
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const request = new Request(input, init);
    posts.push(await request.json());
    await answer;
    return new Response(null, { status: 204 });
  });
}

/** An isolate: a Worker with bindings that stay the same. */
function isolate(bindings: object = webhook) {
  const own = { ...env, ...bindings };
  /** Sends a request. @returns what it has started beside its answer */
  return async (path: string, from: string, init: RequestInit = {}) => {
    const context = createExecutionContext();
    const request = new Request(ISSUER + path, init);
    request.headers.set("CF-Connecting-IP", from);
    await worker.fetch(request, own, context);
    return { sent: waitOnExecutionContext(context) };
  };
}

type Isolate = ReturnType<typeof isolate>;

/** A request of a client that does not exist, or without a secret. */
function failToAuthenticate(at: Isolate, from: string, client_id = "nobody") {
  const body = new URLSearchParams({
    grant_type: "refresh_token",
    client_id,
    ...(client_id === "nobody" && { client_secret: "x" }),
  });
  return at("/access_token", from, { method: "POST", body });
}

function ask(at: Isolate, token: string, method = "GET") {
  const headers = { Authorization: `Bearer ${token}` };
  const path = method === "GET" ? "/admin/clients" : "/admin/scopes/x";
  return at(path, "192.0.2.1", { method, headers });
}

const logged = (name: string) =>
  parsedLog(lines).filter(({ event }) => event === name);

async function repeat(times: number, act: () => Promise<{ sent: unknown }>) {
  for (let time = 0; time < times; time++) await (await act()).sent;
}

const failed = "client_authentication.failed";

describe("a client that does not authenticate", () => {
  it("is sent once per minute and network, with the number of those before it, and is in the log each time", async () => {
    receiver();
    const at = isolate();
    const fail = () => failToAuthenticate(at, "192.0.2.1");
    await repeat(20, fail);
    expect(posts).toHaveLength(1);
    expect(posts[0]).not.toHaveProperty("repeated");
    expect(logged(failed)).toHaveLength(20);
    vi.setSystemTime(Date.now() + 61_000);
    await repeat(3, fail);
    expect(posts).toHaveLength(2);
    expect(posts[1]).toMatchObject({ event: failed, repeated: 19 });
    vi.setSystemTime(Date.now() + 61_000);
    await repeat(1, fail);
    expect(posts[2]).toMatchObject({ event: failed, repeated: 2 });
  });

  it("is sent for each network and each reason", async () => {
    receiver();
    const at = isolate();
    const { client_id } = await server.makeClient();
    for (const from of ["192.0.2.1", "192.0.2.2"])
      for (const id of ["nobody", client_id])
        await repeat(2, () => failToAuthenticate(at, from, id));
    expect(posts.map(({ reason }) => reason)).toEqual([
      "client_unknown",
      "client_authentication_method_wrong",
      "client_unknown",
      "client_authentication_method_wrong",
    ]);
    expect(new Set(posts.map(({ network }) => network)).size).toBe(2);
  });

  it("is sent once for all networks of an IPv6 site, because a stranger may have 65,536 of them", async () => {
    receiver();
    const at = isolate();
    for (const from of ["2001:db8:1:2::3", "2001:db8:1:3::3", "2001:db8:2::3"])
      await repeat(1, () => failToAuthenticate(at, from));
    expect(posts).toHaveLength(2);
  });

  it("goes to the queue once per minute and network, too, and no batch is empty", async () => {
    const sendBatch = vi.fn(async () => undefined);
    const at = isolate({ EVENTS: { sendBatch } });
    await repeat(20, () => failToAuthenticate(at, "192.0.2.1"));
    expect(sendBatch.mock.calls).toMatchObject([
      [[{ body: { event: failed } }]],
    ]);
  });
});

describe("a thief with tokens that are bound to a key", () => {
  const stolen = "refresh_token.stolen";
  let app: { client_id: string };

  beforeEach(async () => {
    app = await server.makeClient({ token_endpoint_auth_method: "none" });
  });

  /** Starts a bound login. @returns what sends its token without a proof */
  async function boundLogin(at: Isolate) {
    const dpop_jkt = "A".repeat(43);
    const { refresh_token } = await server.login(app, { dpop_jkt });
    const body = new URLSearchParams({
      grant_type: "refresh_token",
      client_id: app.client_id,
      refresh_token,
    });
    return () => at("/access_token", "192.0.2.1", { method: "POST", body });
  }

  it("is an alarm for each login, once per minute and network", async () => {
    receiver();
    const at = isolate();
    const [one, other] = [await boundLogin(at), await boundLogin(at)];
    await repeat(3, one);
    await repeat(3, other);
    expect(posts).toMatchObject([{ event: stolen }, { event: stolen }]);
    expect(new Set(posts.map(({ grant_id }) => grant_id)).size).toBe(2);
    expect(logged(stolen)).toHaveLength(6);
    vi.setSystemTime(Date.now() + 61_000);
    await repeat(1, one);
    expect(posts[2]).toMatchObject({
      grant_id: posts[0]?.["grant_id"],
      repeated: 2,
    });
  });

  it("with tokens of very many logins is sent for a hundred of them per minute and network", () => {
    const throttle = new EventThrottle();
    const alarms = Array.from({ length: 300 }, (_, login) =>
      throttle.pass(
        {
          event: stolen,
          event_id: `${login}.1`,
          time: 0,
          request_id: `${login}`,
          grant_id: `login ${login}`,
          reason: "proof_missing",
        },
        "192.0.2.1",
      ),
    );
    expect(alarms.filter((alarm) => alarm)).toHaveLength(101);
  });
});

describe("a client that is late with a used token", () => {
  const caughtUp = "refresh_token.caught_up";

  it("is sent for each login, once per minute and network, because several processes may share a login", async () => {
    receiver();
    const at = isolate();
    const client = await server.makeClient({ refresh_token_catch_up: "PT1H" });
    /** Starts a login, and uses its token. @returns what sends it again */
    const lateLogin = async () => {
      const { refresh_token } = await server.login(client);
      await server.expectRefresh(client, refresh_token);
      const form = { grant_type: "refresh_token", ...client, refresh_token };
      return (from = "192.0.2.1") => {
        const body = new URLSearchParams(form);
        return at("/access_token", from, { method: "POST", body });
      };
    };
    const [one, other] = [await lateLogin(), await lateLogin()];
    await repeat(3, one);
    await repeat(3, other);
    await repeat(3, () => one("192.0.2.2"));
    expect(posts.map(({ event }) => event)).toEqual(Array(3).fill(caughtUp));
    expect(new Set(posts.map(({ grant_id }) => grant_id)).size).toBe(2);
    expect(logged(caughtUp)).toHaveLength(9);
    vi.setSystemTime(Date.now() + 61_000);
    await repeat(1, one);
    expect(posts[3]).toMatchObject({
      grant_id: posts[0]?.["grant_id"],
      repeated: 2,
    });
  });

  it("is sent for each login of a client that has very many", () => {
    const throttle = new EventThrottle();
    for (let login = 0; login < 300; login += 1) {
      const grant_id = `login ${login}`;
      const known = { event_id: grant_id, time: 0, request_id: grant_id };
      const event = { event: caughtUp, grant_id, ...known } as const;
      expect(throttle.pass(event, "192.0.2.1")).toBe(event);
    }
  });
});

describe("a limit on guesses that a stranger has reached", () => {
  it("goes to no queue while the configuration cannot be read, because nothing counts them then", async () => {
    const sendBatch = vi.fn(async () => undefined);
    const at = isolate({ EVENTS: { sendBatch }, ENCRYPTION_KEY: "short" });
    const headers = { Authorization: "Bearer wrong" };
    await repeat(125, () => at("/health", "192.0.2.1", { headers }));
    expect(logged("limit.reached")).toHaveLength(1);
    expect(sendBatch).not.toHaveBeenCalled();
  });
});

describe("a request for the admin API that is refused", () => {
  it("is sent once per minute and network if nobody knows who sends it", async () => {
    receiver();
    const at = isolate();
    await repeat(5, () => ask(at, "wrong"));
    expect(posts).toMatchObject([
      { event: "admin.denied", reason: "admin_token_wrong" },
    ]);
    expect(logged("admin.denied")).toHaveLength(5);
  });

  it("is sent each time if an administrator has sent it", async () => {
    const name = `reader-${crypto.randomUUID()}`;
    const { token } = await server.expectAdmin<{ token: string }>(
      "POST",
      "/tokens",
      { name, role: "read" },
    );
    receiver();
    const at = isolate();
    await repeat(3, () => ask(at, token, "DELETE"));
    expect(posts).toHaveLength(3);
    for (const post of posts)
      expect(post).toMatchObject({
        event: "admin.denied",
        reason: "admin_role_insufficient",
        actor: `token:${name}`,
      });
  });
});

describe("the posts that are under way", () => {
  it("have room for other events, however many networks a stranger has", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    receiver(promise);
    const at = isolate();
    const started = await Promise.all(
      Array.from({ length: 120 }, (_, host) =>
        failToAuthenticate(at, `192.0.2.${host}`),
      ),
    );
    const body = JSON.stringify({ description: "Read notes" });
    const headers = {
      Authorization: `Bearer ${env.ADMIN_TOKEN}`,
      "Content-Type": "application/json",
    };
    const change = { method: "PUT", headers, body };
    started.push(await at("/admin/scopes/crowded", "192.0.2.1", change));
    await vi.waitFor(
      () => expect(posts.at(-1)).toMatchObject({ event: "scope.changed" }),
      BUSY,
    );
    expect(posts).toHaveLength(51);
    resolve();
    await Promise.all(started.map(({ sent }) => sent));
    expect(logged(failed)).toHaveLength(120);
    expect(logged("event_delivery.failed")).toHaveLength(70);
  });
});
