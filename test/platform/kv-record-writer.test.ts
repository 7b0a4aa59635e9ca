import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { KvRecordWriter } from "../../src/index.ts";
import { keepRequestLine } from "../support/request-lines.ts";
import { refusal, server, serverWith } from "../support/server.ts";

/** All changes of one KV record go through one writer. */

describe("an admin call that loses the answer of the writer", () => {
  it("is done once, and its response has the secret that works", async () => {
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
  it("recognises its own write, also if it stopped before it could note the write", async () => {
    const key = `test:${crypto.randomUUID()}`;
    const writer = env.KV_RECORD_WRITER.get(
      env.KV_RECORD_WRITER.idFromName(key),
    );
    expect(await writer.write(key, null, '"first"')).toMatchObject({
      outcome: "written",
    });
    await runInDurableObject(writer, (_, { storage }) =>
      storage.kv.delete("recent"),
    );
    expect(await writer.write(key, null, '"first"')).toMatchObject({
      outcome: "written",
    });
    expect(await writer.write(key, null, '"second"')).toEqual({
      outcome: "conflict",
      text: '"first"',
    });
  });

  it("is read before every decision, so that the lag of KV does no harm", async () => {
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

  it("does not queue reads, because the logins of all back ends read from it", async () => {
    const writer = env.KV_RECORD_WRITER.get(env.KV_RECORD_WRITER.newUniqueId());
    const readers = 50;
    let asking = 0;
    await runInDurableObject(writer, async (_, state) => {
      // Answers only when all readers ask.
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

  it("accepts what somebody has written to KV by hand since its last write", async () => {
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

  it("leads to a 503 with the error of KV in its log line if the write fails", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(keepRequestLine);
    const writer = {
      read: () => ({
        outcome: "unavailable",
        error: "Error: 429 Too Many Requests",
      }),
    };
    const KV_RECORD_WRITER = { idFromName: () => "", get: () => writer };
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
