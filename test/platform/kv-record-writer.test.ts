import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { KvRecordWriter } from "../../src/index.ts";
import { keepRequestLine } from "../support/request-lines.ts";
import { refusal, server, serverWith } from "../support/server.ts";

/** Changes of records in KV go through one writer each. */

describe("an admin call whose answer is lost inside", () => {
  it("is done once, and its caller learns the secret that works", async () => {
    let lost = 0;
    const KV_RECORD_WRITER = {
      idFromName: (name: string) => env.KV_RECORD_WRITER.idFromName(name),
      get: (id: DurableObjectId) => ({
        read: (key: string) => env.KV_RECORD_WRITER.get(id).read(key),
        async write(key: string, expected: string | null, text: string) {
          const result = await env.KV_RECORD_WRITER.get(id).write(
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
    const lossy = serverWith({ KV_RECORD_WRITER });
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
    const keeper = env.KV_RECORD_WRITER.get(
      env.KV_RECORD_WRITER.idFromName(key),
    );
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
      outcome: "conflict",
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

  it("lets no reader wait for another: the logins of every back end come by", async () => {
    const keeper = env.KV_RECORD_WRITER.get(env.KV_RECORD_WRITER.newUniqueId());
    const readers = 50;
    let asking = 0;
    await runInDurableObject(keeper, async (_, state) => {
      // Answers when all of them ask.
      const all = Promise.withResolvers<void>();
      const getWithMetadata = async () => {
        asking += 1;
        if (asking === readers) all.resolve();
        await all.promise;
        return { value: '"it"', metadata: null };
      };
      const KV = { getWithMetadata } as unknown as KVNamespace;
      const slow = new KvRecordWriter(state, { ...env, KV });
      const reads = Array.from({ length: readers }, () => slow.read("key"));
      const found = await Promise.all(reads);
      expect(new Set(found.map((read) => JSON.stringify(read)))).toEqual(
        new Set(['{"text":"\\"it\\""}']),
      );
    });
    expect(asking).toBe(readers);
  }, 5_000);

  it("gives way to what somebody has put there by hand since", async () => {
    const client = await server.makeClient();
    const path = `/clients/${client.client_id}`;
    const key = `client:${client.client_id}`;
    const record = await env.KV.get<Record<string, unknown>>(key, "json");
    await server.expectAdmin("PATCH", path, { client_name: "By the API" });
    const byHand = JSON.stringify({ ...record, client_name: "By hand" });
    await env.KV.put(key, byHand);
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
    const log = vi.spyOn(console, "error").mockImplementation(keepRequestLine);
    const keeper = {
      read: () => ({
        outcome: "unavailable",
        error: "Error: 429 Too Many Requests",
      }),
    };
    const KV_RECORD_WRITER = { idFromName: () => "", get: () => keeper };
    const failing = serverWith({ KV_RECORD_WRITER });
    expect(await refusal(await failing.admin("POST", "/clients", {}))).toEqual([
      503,
      "temporarily_unavailable",
      "storage_unavailable",
    ]);
    expect(String(log.mock.calls.at(-1)?.[0])).toContain(
      "429 Too Many Requests",
    );
    log.mockRestore();
  });
});
