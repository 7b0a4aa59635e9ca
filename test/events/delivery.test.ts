import {
  createExecutionContext,
  createMessageBatch,
  getQueueResult,
  waitOnExecutionContext,
} from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import worker, { Admin, Tokens } from "../../src/index.ts";
import { BUSY } from "../support/busy.ts";
import { listenToLog, parsedLog } from "../support/log.ts";
import { ISSUER, serverWith } from "../support/server.ts";

/** Tests where events go beside the log: to the webhook, or to the queue and from there to the webhook. */

const SECRET = btoa("an example of a key of 32 bytes.");
const url = "https://siem.example.com/baton/path-that-is-secret";
const webhook = { EVENT_WEBHOOK_URL: url, EVENT_WEBHOOK_SECRET: SECRET };

let lines: string[];
/** What the receiver got. */
let posts: { request: Request; body: string }[];
/** The delays before further tries, in milliseconds. */
let delays: number[];

beforeEach(() => {
  lines = listenToLog();
  posts = [];
  delays = [];
  vi.spyOn(scheduler, "wait").mockImplementation(async (ms) => {
    if (ms > 0) delays.push(ms);
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Has a receiver at the webhook that answers with these, and with the last one from then on. */
function receiver(...answers: (() => Response | Promise<Response>)[]): void {
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const request = new Request(input, init);
    posts.push({ request, body: await request.clone().text() });
    request.signal.throwIfAborted();
    const answer = answers[Math.min(posts.length, answers.length) - 1];
    return answer!();
  });
}

const accepted = () => new Response(null, { status: 204 });
const broken = () => new Response("broken", { status: 500 });

/** A request that makes one event, and what it has started beside its answer. */
async function refusedRequest(bindings: object) {
  const context = createExecutionContext();
  const request = new Request(`${ISSUER}/access_token`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "refresh_token",
      client_id: "nobody",
      client_secret: "wrong",
    }),
  });
  const response = await worker.fetch(
    request,
    { ...env, ...bindings },
    context,
  );
  expect(response.status).toBe(401);
  const [event] = logged("client_authentication.failed");
  return { event, sent: waitOnExecutionContext(context) };
}

/** Makes a function that sends a request of a known administrator, which makes one event. */
async function deniedAdministrator() {
  const { token } = await serverWith({}).expectAdmin<{ token: string }>(
    "POST",
    "/tokens",
    { name: `reader-${crypto.randomUUID()}`, role: "read" },
  );
  const bindings = { ...env, ...webhook };
  return async () => {
    const context = createExecutionContext();
    const request = new Request(`${ISSUER}/admin/scopes/x`, {
      method: "DELETE",
      headers: { Authorization: `Bearer ${token}` },
    });
    const response = await worker.fetch(request, bindings, context);
    expect(response.status).toBe(403);
    return { sent: waitOnExecutionContext(context) };
  };
}

function logged(name: string) {
  return parsedLog(lines).filter(({ event }) => event === name);
}

/** Makes the signature of a post, by the text of the specification. */
async function signatureOf({
  request: { headers },
  body,
}: {
  request: Request;
  body: string;
}) {
  const text = ["webhook-id", "webhook-timestamp"].map((name) =>
    headers.get(name),
  );
  const key = await crypto.subtle.importKey(
    "raw",
    new TextEncoder().encode("an example of a key of 32 bytes."),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign"],
  );
  const signed = new TextEncoder().encode([...text, body].join("."));
  const mac = await crypto.subtle.sign("HMAC", key, signed);
  return `v1,${btoa(String.fromCharCode(...new Uint8Array(mac)))}`;
}

describe("the webhook", () => {
  it("gets the event as the log has it, signed", async () => {
    receiver(accepted);
    const before = Math.floor(Date.now() / 1000);
    const { event, sent } = await refusedRequest(webhook);
    await sent;
    expect(posts).toHaveLength(1);
    const { request, body } = posts[0]!;
    expect([request.method, request.url, request.redirect]).toEqual([
      "POST",
      url,
      "manual",
    ]);
    expect(JSON.parse(body)).toEqual(event);
    expect(request.headers.get("Content-Type")).toBe("application/json");
    expect(request.headers.get("webhook-id")).toBe(event!["event_id"]);
    const time = Number(request.headers.get("webhook-timestamp"));
    expect(time).toBeGreaterThanOrEqual(before);
    expect(time).toBeLessThanOrEqual(Math.floor(Date.now() / 1000));
    expect(request.headers.get("webhook-signature")).toBe(
      await signatureOf(posts[0]!),
    );
  });

  it("may have its secret with the prefix of the specification", async () => {
    receiver(accepted);
    const EVENT_WEBHOOK_SECRET = `whsec_${SECRET}`;
    const { sent } = await refusedRequest({ ...webhook, EVENT_WEBHOOK_SECRET });
    await sent;
    expect(posts[0]!.request.headers.get("webhook-signature")).toBe(
      await signatureOf(posts[0]!),
    );
  });

  it.each([
    ["a failure", broken],
    [
      "a redirect",
      () => Response.redirect("https://elsewhere.example.com", 307),
    ],
    [
      "no connection",
      () => Promise.reject(new TypeError(`cannot reach ${url}`)),
    ],
  ])(
    "is tried three times after %s, by the same id, and then the log says what is missing",
    async (_, answer) => {
      receiver(answer);
      const { event, sent } = await refusedRequest(webhook);
      await sent;
      const ids = posts.map(({ request }) => request.headers.get("webhook-id"));
      expect(ids).toEqual(Array(3).fill(event!["event_id"]));
      expect(delays).toEqual([1_000, 4_000]);
      expect(logged("event_delivery.failed")).toEqual([
        {
          event: "event_delivery.failed",
          time: expect.any(Number) as number,
          to: "webhook",
          error: expect.any(String) as string,
          failed_event: "client_authentication.failed",
          event_id: event!["event_id"],
        },
      ]);
      expect(lines.join()).not.toContain("path-that-is-secret");
    },
  );

  it("is not tried again once it has the event", async () => {
    receiver(broken, accepted);
    const { sent } = await refusedRequest(webhook);
    await sent;
    expect(posts).toHaveLength(2);
    expect(logged("event_delivery.failed")).toEqual([]);
  });

  it("keeps nobody waiting: the answer is there before it has answered", async () => {
    const { promise, resolve } = Promise.withResolvers<Response>();
    receiver(() => promise);
    const { sent } = await refusedRequest(webhook);
    resolve(accepted());
    await sent;
    expect(posts).toHaveLength(1);
  });

  it("has five seconds for its answer", async () => {
    const timeout = vi
      .spyOn(AbortSignal, "timeout")
      .mockImplementation(() => AbortSignal.abort());
    receiver(accepted);
    const { sent } = await refusedRequest(webhook);
    await sent;
    expect(timeout.mock.calls).toEqual([[5_000], [5_000], [5_000]]);
    expect(logged("event_delivery.failed")).toHaveLength(1);
  });

  it("gets at most a hundred events at a time from an isolate, so that a flood does not become two", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    receiver(() => promise.then(accepted));
    const ask = await deniedAdministrator();
    lines.length = 0;
    const requests = await Promise.all(Array.from({ length: 103 }, ask));
    await vi.waitFor(() => expect(posts).toHaveLength(100), BUSY);
    resolve();
    await Promise.all(requests.map(({ sent }) => sent));
    expect(logged("event_delivery.failed")).toHaveLength(3);
    expect(logged("admin.denied")).toHaveLength(103);
  });

  it("gets nothing while it is not configured", async () => {
    receiver(accepted);
    const { sent } = await refusedRequest({});
    await sent;
    expect(posts).toEqual([]);
  });
});

describe("the queue", () => {
  it("gets the event as the log has it, in place of the webhook", async () => {
    receiver(accepted);
    const sendBatch = vi.fn(async () => undefined);
    const { event, sent } = await refusedRequest({
      ...webhook,
      EVENTS: { sendBatch },
    });
    await sent;
    expect(posts).toEqual([]);
    expect(sendBatch.mock.calls).toMatchObject([[[{ body: event }]]]);
  });

  it("gets the events of a call by RPC, too", async () => {
    const sendBatch = vi.fn(async () => undefined);
    const server = serverWith({});
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    const context = createExecutionContext();
    const bindings = { ...env, EVENTS: { sendBatch } };
    await new Tokens(context, bindings).revoke(refresh_token);
    await waitOnExecutionContext(context);
    const actor = "rpc:Tokens";
    expect(sendBatch.mock.calls).toMatchObject([
      [[{ body: { event: "family.revoked", actor, by: "administrator" } }]],
    ]);
  });

  it("gets the events of an administrator by RPC, too", async () => {
    const sendBatch = vi.fn(async () => undefined);
    const context = Object.assign(createExecutionContext(), {
      props: { role: "operator" },
    });
    const bindings = { ...env, EVENTS: { sendBatch } };
    const admin = new Admin(context, bindings);
    const body = { description: "Read your notes" };
    await admin.request({ method: "PUT", path: "/scopes/by-rpc", body });
    await waitOnExecutionContext(context);
    expect(sendBatch.mock.calls).toMatchObject([
      [[{ body: { event: "scope.changed", actor: "rpc:Admin" } }]],
    ]);
  });

  it("that fails harms no request, and the log says what is missing", async () => {
    const sendBatch = () => Promise.reject(new Error("overloaded"));
    const { sent } = await refusedRequest({ EVENTS: { sendBatch } });
    await sent;
    expect(logged("event_delivery.failed")).toMatchObject([
      {
        to: "queue",
        error: "Error: overloaded",
        failed_event: "client_authentication.failed",
      },
    ]);
  });
});

describe("the consumer of the queue", () => {
  /** Has the Worker consume messages. @returns which were accepted, and the delays of the others, in seconds */
  async function consume(bindings: object, attempts: number[]) {
    const messages = attempts.map((attempt, position) => ({
      id: String(position),
      timestamp: new Date(),
      attempts: attempt,
      body: {
        event: "family.revoked" as const,
        event_id: `e${position}`,
        time: 1,
        request_id: "r",
      },
    }));
    const batch = createMessageBatch<(typeof messages)[0]["body"]>(
      "baton-events",
      messages,
    );
    // The result says which messages come again, but not when.
    const retries = batch.messages.map((message) => vi.spyOn(message, "retry"));
    const context = createExecutionContext();
    await worker.queue(batch, { ...env, ...bindings });
    const { explicitAcks, retryMessages } = await getQueueResult(
      batch,
      context,
    );
    const delays = retries.flatMap(({ mock }) =>
      mock.calls.map(([options]) => options?.delaySeconds),
    );
    expect(retryMessages).toHaveLength(delays.length);
    return { explicitAcks, delays };
  }

  it("posts each event to the webhook", async () => {
    receiver(accepted);
    const seven = Array<number>(7).fill(1);
    const { explicitAcks } = await consume(webhook, seven);
    expect(explicitAcks).toHaveLength(7);
    const bodies = posts.map(
      ({ body }) => JSON.parse(body) as { event_id: string },
    );
    expect(bodies.map(({ event_id }) => event_id).toSorted()).toEqual([
      "e0",
      "e1",
      "e2",
      "e3",
      "e4",
      "e5",
      "e6",
    ]);
    for (const post of posts)
      expect(post.request.headers.get("webhook-signature")).toBe(
        await signatureOf(post),
      );
  });

  it("leaves what the webhook does not take in the queue, for longer each time and at most an hour", async () => {
    receiver(broken);
    const result = await consume(webhook, [1, 2, 3, 9, 50]);
    expect(result).toEqual({
      explicitAcks: [],
      delays: [15, 30, 60, 3_600, 3_600],
    });
    expect(logged("event_delivery.failed")).toHaveLength(5);
  });

  it("leaves everything in the queue while there is no webhook, or the configuration cannot be read", async () => {
    receiver(accepted);
    for (const bindings of [{}, { ...webhook, ISSUER: "" }])
      expect(await consume(bindings, [1, 1])).toEqual({
        explicitAcks: [],
        delays: [15, 15],
      });
    expect(posts).toEqual([]);
    expect(logged("event_delivery.failed")).toHaveLength(2);
  });
});

describe("EVENT_WEBHOOK_URL and EVENT_WEBHOOK_SECRET", () => {
  async function problems(bindings: object): Promise<unknown> {
    const health = await serverWith({ ...webhook, ...bindings }).health();
    return (await health.json<{ problems?: unknown }>()).problems;
  }

  it.each([
    "siem.example.com",
    "http://siem.example.com",
    "http://localhost:9000",
    "https://user:secret@siem.example.com",
    "https://localhost",
    "https://siem.local.",
    "https://10.0.0.1",
    "https://127.0.0.1",
    "https://2130706433",
    "https://0x7f.1",
    "https://100.64.0.1",
    "https://169.254.169.254/latest",
    "https://172.31.255.255",
    "https://192.168.1.1:8443",
    "https://[::1]",
    "https://[::ffff:10.0.0.1]",
    "https://[fd12:3456::1]",
    "https://[fe80::1]",
  ])("refuse %s", async (EVENT_WEBHOOK_URL) => {
    expect(await problems({ EVENT_WEBHOOK_URL })).toEqual([
      {
        name: "EVENT_WEBHOOK_URL",
        problem: expect.stringMatching(/^must /) as string,
      },
    ]);
  });

  it.each([
    "https://172.32.0.1",
    "https://100.128.0.1",
    "https://[2001:db8::1]",
    "https://10.example.com/x?y",
    "",
  ])("accept %j", async (EVENT_WEBHOOK_URL) => {
    expect(await problems({ EVENT_WEBHOOK_URL })).toBeUndefined();
  });

  it("accept plain http to a loopback address on a local server", async () => {
    const local = {
      ISSUER: "http://localhost:8787",
      EVENT_WEBHOOK_URL: "http://localhost:9000/events",
    };
    expect(await problems(local)).toBeUndefined();
  });

  it.each([
    "",
    "short",
    btoa("23 bytes are too few...".slice(0, 23)),
    btoa("x".repeat(65)),
    btoa("y".repeat(32)),
  ])(
    "refuse the secret %j, and never show it",
    async (EVENT_WEBHOOK_SECRET) => {
      const found = await problems({ EVENT_WEBHOOK_SECRET });
      expect(found).toMatchObject([{ name: "EVENT_WEBHOOK_SECRET" }]);
      if (EVENT_WEBHOOK_SECRET !== "")
        expect(JSON.stringify(found)).not.toContain(EVENT_WEBHOOK_SECRET);
    },
  );

  it("may have the secret alone, so that it can be set first", async () => {
    expect(await problems({ EVENT_WEBHOOK_URL: "" })).toBeUndefined();
  });
});
