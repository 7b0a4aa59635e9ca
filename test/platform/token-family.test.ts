import {
  evictDurableObject,
  runDurableObjectAlarm,
  runInDurableObject,
} from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import type {
  ExchangeAttempt,
  NewFamily,
} from "../../src/oauth/repositories.ts";

/** The rules of one family, by the door that it has: its RPC methods. */

const T0 = 1_800_000_000;
const DAY = 86_400;
const secret_hash = new Uint8Array(32).fill(7);

type Family = DurableObjectStub<import("../../src/index.ts").TokenFamily>;

async function makeFamily(fields: Partial<NewFamily> = {}): Promise<Family> {
  const family = env.TOKEN_FAMILY.get(env.TOKEN_FAMILY.newUniqueId());
  await family.create({
    client_id: "web",
    subject: "alice",
    scope: ["read", "write"],
    resource: [],
    secret_hash,
    created_at: T0,
    expires_at: T0 + DAY,
    ends_at: T0 + 3 * DAY,
    ...fields,
  });
  return family;
}

function attempt(fields: Partial<ExchangeAttempt> = {}): ExchangeAttempt {
  return {
    client_id: "web",
    generation: 1,
    secret_hash,
    scope: undefined,
    allowed_scope: ["read", "write"],
    resource: [],
    allowed_resource: [],
    now: T0 + 60,
    successor_expires_at: T0 + 60 + DAY,
    ...fields,
  };
}

interface Footprint {
  /** Rows that this object's storage has written since it was last opened. */
  rowsWritten: number;
  bytes: number;
  keys: string[];
  alarm: number | null;
}

function footprint(family: Family): Promise<Footprint> {
  return runInDurableObject(family, async (_, { storage }) => ({
    rowsWritten: Number(
      storage.sql.exec("SELECT total_changes() AS n").one()["n"],
    ),
    bytes: storage.sql.databaseSize,
    keys: [...storage.kv.list()].map(([key]) => key),
    alarm: await storage.getAlarm(),
  }));
}

/** Moves the clock that the object's alarm looks at. */
function setClock(seconds: number) {
  vi.useFakeTimers({ toFake: ["Date"], now: seconds * 1000 });
}

afterEach(() => {
  vi.useRealTimers();
});

describe("an exchange", () => {
  it("answers with the grant, the next generation and its expiry", async () => {
    const family = await makeFamily();
    const result = await family.exchange(attempt());
    expect(result).toEqual({
      outcome: "exchanged",
      subject: "alice",
      scope: ["read", "write"],
      resource: [],
      generation: 2,
      expires_at: T0 + 60 + DAY,
      ends_at: T0 + 3 * DAY,
    });
  });

  it("writes one row, and leaves the alarm as it is", async () => {
    const family = await makeFamily();
    const before = await footprint(family);
    await family.exchange(attempt());
    const after = await footprint(family);
    expect(after.rowsWritten - before.rowsWritten).toBe(1);
    expect(after.alarm).toBe(before.alarm);
    expect(after.keys).toEqual(["family"]);
  });

  it("never lets a token live beyond the family's end", async () => {
    const family = await makeFamily();
    const successor_expires_at = T0 + 4 * DAY;
    const result = await family.exchange(attempt({ successor_expires_at }));
    expect(result).toMatchObject({ expires_at: T0 + 3 * DAY });
  });

  it("is remembered when the object has been evicted from memory", async () => {
    const family = await makeFamily();
    await family.exchange(attempt());
    await evictDurableObject(family);
    const result = await family.exchange(attempt({ generation: 2 }));
    expect(result).toMatchObject({ outcome: "exchanged", generation: 3 });
  });

  it("succeeds once among fifty at once", async () => {
    const family = await makeFamily();
    const results = await Promise.all(
      Array.from({ length: 50 }, () => family.exchange(attempt())),
    );
    expect(
      results.filter(({ outcome }) => outcome === "exchanged"),
    ).toHaveLength(1);
  });

  it("takes no more storage after a thousand rotations than after one", async () => {
    const family = await makeFamily();
    await family.exchange(attempt());
    const { bytes } = await footprint(family);
    for (let generation = 2; generation <= 1000; generation++) {
      await family.exchange(attempt({ generation }));
    }
    expect((await footprint(family)).bytes).toBe(bytes);
  });
});

describe("a refused exchange", () => {
  it.each<[string, Partial<ExchangeAttempt>, string]>([
    [
      "a wrong secret",
      { secret_hash: new Uint8Array(32) },
      "refresh_token_forged",
    ],
    [
      "another client",
      { client_id: "other" },
      "refresh_token_of_another_client",
    ],
    ["a generation that is not yet", { generation: 2 }, "refresh_token_forged"],
    ["too much scope", { scope: ["admin"] }, "scope_not_granted"],
    ["a malformed scope", { scope: "malformed" }, "scope_malformed"],
    ["no scope left", { allowed_scope: [] }, "scope_all_lost"],
    ["a wrong resource", { resource: ["https://x"] }, "resource_not_allowed"],
    ["a clock past the expiry", { now: T0 + DAY }, "family_ended"],
  ])("for %s writes nothing and harms nothing", async (_, fields, reason) => {
    const family = await makeFamily();
    const before = await footprint(family);
    const result = await family.exchange(attempt(fields));
    expect(result).toEqual({ outcome: "refused", reason });
    expect(await footprint(family)).toEqual(before);
    expect(await family.exchange(attempt())).toMatchObject({
      outcome: "exchanged",
    });
  });

  it("for a used token leaves neither record nor alarm", async () => {
    const family = await makeFamily();
    await family.exchange(attempt());
    const result = await family.exchange(attempt({ scope: "malformed" }));
    expect(result).toEqual({
      outcome: "refused",
      reason: "refresh_token_reused",
    });
    expect(await footprint(family)).toMatchObject({ keys: [], alarm: null });
    expect(await family.exchange(attempt({ generation: 2 }))).toEqual({
      outcome: "refused",
      reason: "family_ended",
    });
  });

  it("of a family that never was leaves no storage behind", async () => {
    const family = env.TOKEN_FAMILY.get(env.TOKEN_FAMILY.newUniqueId());
    const untouched = await footprint(family);
    const result = await family.exchange(attempt());
    expect(result).toEqual({ outcome: "refused", reason: "family_ended" });
    expect(await footprint(family)).toEqual(untouched);
  });
});

describe("the alarm", () => {
  it("is set for the first token's expiry when the family is made", async () => {
    const family = await makeFamily();
    expect((await footprint(family)).alarm).toBe((T0 + DAY) * 1000);
  });

  it("ends a family whose newest token has expired, and leaves nothing", async () => {
    const family = await makeFamily();
    setClock(T0 + DAY);
    expect(await runDurableObjectAlarm(family)).toBe(true);
    expect(await footprint(family)).toMatchObject({ keys: [], alarm: null });
  });

  it("sleeps on until the newest token expires, if there was a rotation", async () => {
    const family = await makeFamily();
    await family.exchange(attempt());
    setClock(T0 + DAY);
    await runDurableObjectAlarm(family);
    const woken = await footprint(family);
    expect(woken).toMatchObject({
      keys: ["family"],
      alarm: (T0 + 60 + DAY) * 1000,
    });
    setClock(T0 + 60 + DAY);
    await runDurableObjectAlarm(family);
    expect(await footprint(family)).toMatchObject({ keys: [], alarm: null });
  });
});
