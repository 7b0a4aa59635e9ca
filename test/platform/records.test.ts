import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { countingBindings } from "../support/counting.ts";
import { keepRequestLine } from "../support/request-lines.ts";
import { refusal, server, serverWith } from "../support/server.ts";

/** Records in KV are checked when they are read. A malformed one is named. */

interface Health {
  status: string;
  problems?: { name: string; problem: string }[];
}

const malformed = [500, "server_error", "record_malformed"];

/** Makes a server that has not read any record yet. */
function freshServer() {
  return serverWith({});
}

let errors: string[];

beforeEach(() => {
  errors = [];
  vi.spyOn(console, "error").mockImplementation((line) => {
    keepRequestLine(line);
    errors.push(String(line));
  });
});

afterEach(async () => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  await env.KV.delete("scopes");
});

async function goodRecord(client_id: string) {
  await server.makeClient({ client_id });
  const record = await env.KV.get<Record<string, unknown>>(
    `client:${client_id}`,
    "json",
  );
  return { ...record, client_id };
}

describe("a client record", () => {
  it.each<[string, (record: object) => string]>([
    ["is not JSON", () => "{secret-text"],
    ["is not an object", () => '"secret-text"'],
    ["is null", () => "null"],
    ["is empty", () => "{}"],
    [
      "lacks its secrets",
      (record) => JSON.stringify({ ...record, secrets: undefined }),
    ],
    [
      "has a secret that is not hashed",
      (record) =>
        JSON.stringify({
          ...record,
          secrets: [{ hash: "secret-text", created_at: 1 }],
        }),
    ],
    [
      "has the id of another client",
      (record) => JSON.stringify({ ...record, client_id: "secret-text" }),
    ],
    [
      "has a malformed scope",
      (record) => JSON.stringify({ ...record, scope: "a\tb" }),
    ],
    [
      "has a malformed lifetime",
      (record) => JSON.stringify({ ...record, access_token_ttl: "1h" }),
    ],
    [
      "has a malformed list",
      (record) => JSON.stringify({ ...record, grant_types: "refresh_token" }),
    ],
  ])(
    "that is malformed because it %s gets 500, and is named in the log and in /health",
    async (_, spoil) => {
      const client_id = crypto.randomUUID();
      const record = await goodRecord(client_id);
      const client = { client_id, client_secret: "x" };
      await env.KV.put(`client:${client_id}`, spoil(record));
      const fresh = freshServer();

      const response = await fresh.refresh(client, "x");
      expect(await refusal(response)).toEqual(malformed);
      const named = {
        name: `client:${client_id}`,
        problem: expect.any(String),
      };
      expect(JSON.parse(errors.at(-1) ?? "")).toMatchObject({
        reason: "record_malformed",
        problems: [named],
      });
      const health = await fresh.health();
      const body = await health.json<Health>();
      expect([health.status, body.status]).toEqual([200, "degraded"]);
      expect(body.problems).toEqual([named]);
      expect(errors.join() + JSON.stringify(body)).not.toContain("secret-text");
      const list = await fresh.expectAdmin<{ malformed: object[] }>(
        "GET",
        "/clients",
      );
      expect(list.malformed).toEqual([named]);
      const shown = await fresh.admin("GET", `/clients/${client_id}`);
      expect(await refusal(shown)).toEqual(malformed);
      await env.KV.delete(`client:${client_id}`);
    },
  );

  it("that is malformed does not affect other clients", async () => {
    await env.KV.put("client:broken", "{}");
    const client = await server.makeClient();
    const fresh = freshServer();
    const { refresh_token } = await fresh.login(client);
    await fresh.expectRefresh(client, refresh_token);
    await env.KV.delete("client:broken");
  });

  it("with a field that this version does not know is not malformed", async () => {
    const client_id = crypto.randomUUID();
    const record = await goodRecord(client_id);
    await env.KV.put(
      `client:${client_id}`,
      JSON.stringify({ ...record, from_the_future: [1] }),
    );
    const response = await freshServer().refresh(
      { client_id, client_secret: "x" },
      "x",
    );
    expect(await refusal(response)).toEqual([
      401,
      "invalid_client",
      "client_secret_wrong",
    ]);
  });
});

describe("a client record that can't be read", () => {
  it("can be deleted, keeps its id taken, and can't be changed or made again", async () => {
    const client_id = crypto.randomUUID();
    await env.KV.put(`client:${client_id}`, "not json");
    const fresh = freshServer();
    const path = `/clients/${client_id}`;
    const patch = { client_name: "x" };
    expect(await refusal(await fresh.admin("PATCH", path, patch))).toEqual(
      malformed,
    );
    const make = () => fresh.admin("POST", "/clients", { client_id });
    expect(await refusal(await make())).toEqual(malformed);
    expect((await fresh.admin("DELETE", path)).status).toBe(204);
    expect(await refusal(await fresh.admin("GET", path))).toEqual([
      404,
      "not_found",
      "admin_target_unknown",
    ]);
    expect(await refusal(await make())).toEqual([
      409,
      "conflict",
      "client_id_taken",
    ]);
    expect(await (await fresh.health()).json()).toEqual({
      status: "ok",
    });
  });
});

describe("a scope record that is malformed", () => {
  it.each([
    "{",
    "[]",
    '"read"',
    '{"read":"Read"}',
    '{"two words":{"description":"x"}}',
  ])(
    "(%s) gets 500, uses up no token, and is named in the log and in /health",
    async (text) => {
      const client = await server.makeClient();
      const { refresh_token } = await server.login(client);
      await env.KV.put("scopes", text);
      const fresh = freshServer();
      const response = await fresh.refresh(client, refresh_token);
      expect(await refusal(response)).toEqual(malformed);
      const problems = [{ name: "scopes", problem: expect.any(String) }];
      expect(JSON.parse(errors.at(-1) ?? "")).toMatchObject({
        reason: "record_malformed",
        problems,
      });
      const health = await fresh.health();
      expect([health.status, await health.json()]).toEqual([
        503,
        { status: "failing", problems },
      ]);
      await env.KV.delete("scopes");
      await freshServer().expectRefresh(client, refresh_token);
    },
  );
});

describe("/health", () => {
  it("names the problems that it finds in its log line", async () => {
    await env.KV.put("scopes", "{");
    await freshServer().health();
    expect(JSON.parse(errors.at(-1) ?? "")).toMatchObject({
      endpoint: "/health",
      outcome: "failing",
      problems: [{ name: "scopes" }],
    });
  });

  it("reads KV once in ten seconds, however often it is called", async () => {
    const { calls, bindings } = countingBindings();
    const counted = serverWith(bindings);
    await counted.health();
    const first = calls.kvRead;
    for (let n = 0; n < 20; n++) await counted.health();
    expect(calls.kvRead).toBe(first);
  });

  it("sees within ten seconds that a malformed client record is gone", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const fresh = freshServer();
    await env.KV.put("client:broken", "{}");
    expect(await (await fresh.health()).json()).toMatchObject({
      status: "degraded",
    });
    await env.KV.delete("client:broken");
    vi.advanceTimersByTime(10_000);
    expect(await (await fresh.health()).json()).toEqual({
      status: "ok",
    });
  });
});
