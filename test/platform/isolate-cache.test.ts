import { env } from "cloudflare:workers";
import * as v from "valibot";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";

/** The isolate's copies of KV records: limited in number and age, and never replaced by older ones. */

/**
 * Loads the Worker. Its first object in a test file needs seconds for that on a busy machine, because it gets the modules
 * one by one from vitest, and `update` waits for an object for five seconds.
 */
beforeAll(async () => {
  await import("../../src/index.ts");
});

afterEach(() => {
  vi.useRealTimers();
});

interface KvAnswer {
  value: string | null;
  metadata: unknown;
}

/** Makes records over a KV that gives the test's answers. */
async function recordsOf(
  answer: () => { value: string | null; metadata: unknown },
) {
  const { KvRecords } = await import("../../src/platform/kv-records.ts");
  const { parse } = await import("../../src/oauth/schema.ts");
  const get = vi.fn(async () => answer());
  const kv = { getWithMetadata: get } as unknown as KVNamespace;
  return {
    get,
    records: new KvRecords(kv, env.KV_RECORD_WRITER, (_key, record) =>
      parse(v.string(), record),
    ),
  };
}

describe("the isolate's copy of a record", () => {
  it("stays the isolate's own write, although KV may still show the record before it", async () => {
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
      expect(await records.findFresh(key)).toBe("new");
      expect(await records.read(key)).toBe("new");
    }
  });

  it("is not replaced by the slow answer to an earlier read", async () => {
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

  it("is not used when it is old and KV does not answer: every read fails", async () => {
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
      await expect(records.findFresh("key")).rejects.toThrow(
        "storage_unavailable",
      );
    }
  });

  it("is replaced by what another location has written since", async () => {
    const key = `test:${crypto.randomUUID()}`;
    const { records } = await recordsOf(() => ({
      value: '"newer"',
      metadata: { revision: Date.now() + 1000 },
    }));
    await records.update(key, () => ({ record: "own" }));
    expect(await records.read(key)).toBe("newer");
  });

  it("is bypassed at most once per second, also by 200 reads at the same time and if it is malformed", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    for (const value of ['"good"', "malformed"]) {
      const { records, get } = await recordsOf(() => ({
        value,
        metadata: null,
      }));
      await records.find("key").catch(() => "malformed");
      vi.advanceTimersByTime(1000);
      const many = Array.from({ length: 200 }, () => records.findFresh("key"));
      await Promise.allSettled(many);
      for (let n = 0; n < 20; n++)
        await Promise.allSettled([records.find("key")]);
      expect(get).toHaveBeenCalledTimes(2);
    }
  });

  it("is one of a limited number, so that a flood of client ids does not fill the memory", async () => {
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
