import { createHmac, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestHarness } from "wrangler";
import { freshSecrets } from "../../src/cli/local/dev-vars.ts";

/** Baton with a queue in the local runtime, which posts the events to a program on this machine. */

const key = randomBytes(32);
const secrets = freshSecrets();

interface Post {
  headers: IncomingHttpHeaders;
  body: string;
}

const posts: Post[] = [];
/** The receiver refuses the first post. */
const receiver = createServer((request, response) => {
  void receive(request, response);
});

async function receive(request: IncomingMessage, response: ServerResponse) {
  posts.push({ headers: request.headers, body: await text(request) });
  response.writeHead(posts.length === 1 ? 503 : 204).end();
  receiver.emit("post");
}

let harness: ReturnType<typeof createTestHarness>;
let url: URL;

beforeAll(async () => {
  await once(receiver.listen(0, "127.0.0.1"), "listening");
  const { port } = receiver.address() as AddressInfo;
  harness = createTestHarness({
    workers: [
      {
        configPath: join(import.meta.dirname, "wrangler.toml"),
        vars: { EVENT_WEBHOOK_URL: `http://127.0.0.1:${port}/events` },
        secrets: { ...secrets, EVENT_WEBHOOK_SECRET: key.toString("base64") },
      },
    ],
  });
  ({ url } = await harness.listen());
});

afterAll(async () => {
  await harness.close();
  receiver.close();
});

async function admin(method: string, path: string, body?: object) {
  const response = await fetch(new URL(`/admin${path}`, url), {
    method,
    headers: {
      Authorization: `Bearer ${secrets.ADMIN_TOKEN}`,
      "Content-Type": "application/json",
    },
    ...(body && { body: JSON.stringify(body) }),
  });
  expect(response.ok, await response.clone().text()).toBe(true);
  return (await response.json()) as Record<string, string>;
}

/** Waits until the receiver has had this number of posts. */
async function received(count: number): Promise<void> {
  while (posts.length < count) await once(receiver, "post");
}

describe("an event, by a queue", () => {
  it("reaches the webhook, signed, also if the webhook was away for a moment", async () => {
    const description = "Read your notes";
    await admin("PUT", "/scopes/read", { description });
    // The first post was refused, and the queue brings the event again.
    await received(2);
    const [first, second] = posts as [Post, Post];
    expect(second.body).toBe(first.body);
    expect(second.headers["webhook-id"]).toBe(first.headers["webhook-id"]);
    const event = JSON.parse(second.body) as Record<string, unknown>;
    expect(event).toMatchObject({
      event: "scope.changed",
      event_id: second.headers["webhook-id"],
      action: "created",
      scope: "read",
      changes: [{ field: "description", to: description }],
    });
    const { "webhook-id": id, "webhook-timestamp": time } = second.headers;
    const signature = createHmac("sha256", key)
      .update(`${String(id)}.${String(time)}.${second.body}`)
      .digest("base64");
    expect(second.headers["webhook-signature"]).toBe(`v1,${signature}`);
  });
});

describe("the bindings of this test", () => {
  it("are those that wrangler.toml has in comments", () => {
    const read = (path: string) =>
      readFileSync(join(import.meta.dirname, path), "utf8");
    const commented = read("../../wrangler.toml")
      .split("\n")
      .filter((line) => line.startsWith("# "))
      .map((line) => line.slice(2));
    const [, bindings = ""] = read("wrangler.toml").split(
      /(?=\[\[queues\.producers\]\])/,
    );
    const lines = bindings
      .split("\n")
      .filter((line) => line !== "" && !/^#|max_batch_timeout/.test(line));
    const own = lines.slice(0, lines.indexOf("[dev]"));
    expect(own.length).toBeGreaterThan(10);
    for (const line of own) expect(commented).toContain(line);
  });
});
