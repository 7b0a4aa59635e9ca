import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { countingBindings } from "../support/counting.ts";
import { refusal, server, serverWith } from "../support/server.ts";

/** Records in KV are checked as they are read; one that is malformed names itself. */

interface Health {
  status: string;
  problems?: { name: string; problem: string }[];
}

/** A server of its own: it has read nothing yet. */
function freshServer() {
  return serverWith({});
}

let errors: string[];

beforeEach(() => {
  errors = [];
  vi.spyOn(console, "error").mockImplementation((line) => {
    errors.push(String(line));
  });
});

afterEach(async () => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  await env.KV.delete("scopes");
});

async function goodRecord(client_id: string) {
  if (!(await env.KV.get(`client:${client_id}`)))
    await server.makeClient({ client_id });
  const record = await env.KV.get<Record<string, unknown>>(
    `client:${client_id}`,
    "json",
  );
  return { ...record, client_id };
}

describe("a client record that is malformed", () => {
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
      "has a plain secret",
      (record) =>
        JSON.stringify({
          ...record,
          secrets: [{ hash: "secret-text", created_at: 1 }],
        }),
    ],
    [
      "has the id of another",
      (record) => JSON.stringify({ ...record, client_id: "secret-text" }),
    ],
    [
      "has a malformed scope",
      (record) => JSON.stringify({ ...record, scope: "a  b" }),
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
    "because it %s gets 500, and is named in the log and in /health",
    async (_, spoil) => {
      const client_id = crypto.randomUUID();
      const record = await goodRecord(client_id);
      const client = { client_id, client_secret: "x" };
      await env.KV.put(`client:${client_id}`, spoil(record));
      const fresh = freshServer();

      const response = await fresh.refresh(client, "x");
      expect(await refusal(response)).toEqual([500, "server_error"]);
      const named = {
        name: `client:${client_id}`,
        problem: expect.any(String),
      };
      expect(JSON.parse(errors.at(-1) ?? "")).toMatchObject({
        reason: "record_malformed",
        problems: [named],
      });
      const health = await fresh.http("/health");
      const body = await health.json<Health>();
      expect([health.status, body.status]).toEqual([200, "degraded"]);
      expect(body.problems).toEqual([named]);
      expect(errors.join() + JSON.stringify(body)).not.toContain("secret-text");
      const list = await fresh.expectAdmin<{ malformed: object[] }>(
        "GET",
        "/clients",
      );
      expect(list.malformed).toEqual([named]);
      expect((await fresh.admin("GET", `/clients/${client_id}`)).status).toBe(
        500,
      );
      await env.KV.delete(`client:${client_id}`);
    },
  );

  it("leaves the other clients alone", async () => {
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
    expect(await refusal(response)).toEqual([401, "invalid_client"]);
  });
});

describe("a client record that can't be read", () => {
  it("can be deleted, keeps its id taken, and can't be changed or made anew", async () => {
    const client_id = crypto.randomUUID();
    await env.KV.put(`client:${client_id}`, "not json");
    const fresh = freshServer();
    const path = `/clients/${client_id}`;
    expect(
      (await fresh.admin("PATCH", path, { client_name: "x" })).status,
    ).toBe(500);
    expect((await fresh.admin("POST", "/clients", { client_id })).status).toBe(
      500,
    );
    expect((await fresh.admin("DELETE", path)).status).toBe(204);
    expect((await fresh.admin("GET", path)).status).toBe(404);
    expect((await fresh.admin("POST", "/clients", { client_id })).status).toBe(
      409,
    );
    expect(await (await fresh.http("/health")).json()).toEqual({
      status: "ok",
    });
  });
});

describe("an admin call whose answer is lost inside", () => {
  it("is done once, and its caller learns the secret that works", async () => {
    let lost = 0;
    const RECORD_KEEPER = {
      idFromName: (name: string) => env.RECORD_KEEPER.idFromName(name),
      get: (id: DurableObjectId) => ({
        read: (key: string) => env.RECORD_KEEPER.get(id).read(key),
        async write(key: string, expected: string | null, text: string) {
          const result = await env.RECORD_KEEPER.get(id).write(
            key,
            expected,
            text,
          );
          lost += 1;
          if (lost % 3 !== 0)
            throw Object.assign(new Error("lost"), { retryable: true });
          return result;
        },
      }),
    };
    const lossy = serverWith({ RECORD_KEEPER });
    const client = await lossy.makeClient();
    const rotated = await lossy.expectAdmin<{
      client_secret: string;
      credentials: object[];
    }>("POST", `/clients/${client.client_id}/secrets`);
    expect(lost).toBe(6);
    expect(rotated.credentials).toHaveLength(2);
    const { client_secret } = rotated;
    const { refresh_token } = await server.login(client);
    await server.expectRefresh({ ...client, client_secret }, refresh_token);
  });
});

describe("the one writer of a record", () => {
  it("knows what it has written, also when it died before it could note so", async () => {
    const key = `test:${crypto.randomUUID()}`;
    const keeper = env.RECORD_KEEPER.get(env.RECORD_KEEPER.idFromName(key));
    expect(await keeper.write(key, null, '"first"')).toMatchObject({
      outcome: "written",
    });
    await runInDurableObject(keeper, (_, { storage }) =>
      storage.kv.delete("recent"),
    );
    expect(await keeper.write(key, null, '"first"')).toMatchObject({
      outcome: "written",
    });
    expect(await keeper.write(key, null, '"second"')).toEqual({
      outcome: "overtaken",
      text: '"first"',
    });
  });

  it("is asked by those who decide something, so that a KV that lags misleads nobody", async () => {
    const { client_id } = await server.makeClient();
    await server.makeScopes("fresh");
    const KV = new Proxy(env.KV, {
      get(kv, name) {
        const method: unknown = Reflect.get(kv, name);
        if (name === "getWithMetadata")
          return async () => ({ value: null, metadata: null });
        return typeof method === "function" ? method.bind(kv) : method;
      },
    });
    const lagging = serverWith({ KV });
    await lagging.expectAdmin("PATCH", `/clients/${client_id}`, {
      scope: "fresh",
    });
    expect((await lagging.login({ client_id })).scope).toBe("fresh");
  });

  it("gives way to what somebody has put there by hand since", async () => {
    const client = await server.makeClient();
    const path = `/clients/${client.client_id}`;
    const record = await goodRecord(client.client_id);
    await server.expectAdmin("PATCH", path, { client_name: "By the API" });
    const byHand = JSON.stringify({ ...record, client_name: "By hand" });
    await env.KV.put(`client:${client.client_id}`, byHand);
    expect(await server.expectAdmin("GET", path)).toMatchObject({
      client_name: "By hand",
    });
    const patched = await server.expectAdmin("PATCH", path, {
      access_token_ttl: "PT5M",
    });
    expect(patched).toMatchObject({
      client_name: "By hand",
      access_token_ttl: "PT5M",
    });
  });

  it("has the fault of a write in the log line of its 503", async () => {
    const keeper = {
      read: () => ({
        outcome: "unavailable",
        error: "Error: 429 Too Many Requests",
      }),
    };
    const RECORD_KEEPER = { idFromName: () => "", get: () => keeper };
    expect(
      (await serverWith({ RECORD_KEEPER }).admin("POST", "/clients", {}))
        .status,
    ).toBe(503);
    expect(errors.at(-1)).toContain("429 Too Many Requests");
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
    "(%s) gets 500, nothing is consumed, and it is named in the log and in /health",
    async (text) => {
      const client = await server.makeClient();
      const { refresh_token } = await server.login(client);
      await env.KV.put("scopes", text);
      const fresh = freshServer();
      const response = await fresh.refresh(client, refresh_token);
      expect(await refusal(response)).toEqual([500, "server_error"]);
      const problems = [{ name: "scopes", problem: expect.any(String) }];
      expect(JSON.parse(errors.at(-1) ?? "")).toMatchObject({
        reason: "record_malformed",
        problems,
      });
      const health = await fresh.http("/health");
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
  it("says in its log line what it has found", async () => {
    await env.KV.put("scopes", "{");
    await freshServer().http("/health");
    expect(JSON.parse(errors.at(-1) ?? "")).toMatchObject({
      endpoint: "/health",
      outcome: "failing",
      problems: [{ name: "scopes" }],
    });
  });

  it("costs one look in ten seconds, however often it is asked", async () => {
    const { calls, bindings } = countingBindings();
    const counted = serverWith(bindings);
    await counted.http("/health");
    const first = calls.kvRead;
    for (let n = 0; n < 20; n++) await counted.http("/health");
    expect(calls.kvRead).toBe(first);
  });

  it("sees within ten seconds that a client record was mended", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const fresh = freshServer();
    await env.KV.put("client:broken", "{}");
    expect(await (await fresh.http("/health")).json()).toMatchObject({
      status: "degraded",
    });
    await env.KV.delete("client:broken");
    vi.advanceTimersByTime(10_000);
    expect(await (await fresh.http("/health")).json()).toEqual({
      status: "ok",
    });
  });
});

interface KvAnswer {
  value: string | null;
  metadata: unknown;
}

/** Records over a KV of our own making. */
async function recordsOf(
  answer: () => { value: string | null; metadata: unknown },
) {
  const { KvRecords } = await import("../../src/platform/kv-records.ts");
  const { z } = await import("zod");
  const get = vi.fn(async () => answer());
  const kv = { getWithMetadata: get } as unknown as KVNamespace;
  return {
    get,
    records: new KvRecords(kv, env.RECORD_KEEPER, () => z.string()),
  };
}

describe("what an isolate keeps", () => {
  it("never goes back in time: its own write stays, though KV may still show what stood before", async () => {
    const key = `test:${crypto.randomUUID()}`;
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const old = { value: '"old"', metadata: { revision: 1 } };
    const slow = Promise.withResolvers<KvAnswer>();
    const { records, get } = await recordsOf(() => old);
    expect(await records.find(key)).toBe("old");
    get.mockReturnValueOnce(slow.promise);
    const reading = records.read(key);
    await records.update(key, () => ({ record: "new" }));
    slow.resolve(old);
    expect(await reading).toBe("new");
    const written = Date.now();
    for (const seconds of [0, 1, 30, 59, 61, 90, 119]) {
      vi.setSystemTime(written + seconds * 1000);
      expect(await records.find(key)).toBe("new");
      expect(await records.findAgain(key)).toBe("new");
      expect(await records.read(key)).toBe("new");
    }
  });

  it("is not older than what was asked for later: a slow answer does not replace a newer one", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const slow = Promise.withResolvers<KvAnswer>();
    const { records, get } = await recordsOf(() => ({
      value: '"new"',
      metadata: null,
    }));
    get.mockReturnValueOnce(slow.promise);
    const early = records.read("key");
    vi.advanceTimersByTime(10);
    expect(await records.read("key")).toBe("new");
    slow.resolve({ value: '"old"', metadata: null });
    await early;
    expect(await records.find("key")).toBe("new");
  });

  it("is no answer once it is old and KV does not answer: 503, for everybody who asks", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const { records, get } = await recordsOf(() => ({
      value: '"good"',
      metadata: null,
    }));
    expect(await records.find("key")).toBe("good");
    get.mockRejectedValue(new Error("KV is down"));
    vi.advanceTimersByTime(59_000);
    expect(await records.find("key")).toBe("good");
    for (let n = 0; n < 3; n++) {
      vi.advanceTimersByTime(3000);
      await expect(records.find("key")).rejects.toThrow("storage_unavailable");
      await expect(records.findAgain("key")).rejects.toThrow(
        "storage_unavailable",
      );
    }
  });

  it("gives way to what another location has written since", async () => {
    const key = `test:${crypto.randomUUID()}`;
    const { records } = await recordsOf(() => ({
      value: '"newer"',
      metadata: { revision: Date.now() + 1000 },
    }));
    await records.update(key, () => ({ record: "own" }));
    expect(await records.read(key)).toBe("newer");
  });

  it("is looked past once a second, also by two hundred at once, also where it is malformed", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    for (const value of ['"good"', "malformed"]) {
      const { records, get } = await recordsOf(() => ({
        value,
        metadata: null,
      }));
      await records.find("key").catch(() => "malformed");
      vi.advanceTimersByTime(1000);
      const many = Array.from({ length: 200 }, () => records.findAgain("key"));
      await Promise.allSettled(many);
      for (let n = 0; n < 20; n++)
        await Promise.allSettled([records.find("key")]);
      expect(get).toHaveBeenCalledTimes(2);
    }
  });

  it("is bounded: a flood of client ids does not grow it for ever", async () => {
    const { records, get } = await recordsOf(() => ({
      value: null,
      metadata: null,
    }));
    for (let n = 0; n < 1500; n++) await records.find(`client:${n}`);
    expect(get).toHaveBeenCalledTimes(1500);
    await records.find("client:1499");
    await records.find("client:501");
    expect(get).toHaveBeenCalledTimes(1500);
    await records.find("client:0");
    expect(get).toHaveBeenCalledTimes(1501);
  });
});
