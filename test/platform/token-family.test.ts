import {
  evictDurableObject,
  runDurableObjectAlarm,
  runInDurableObject,
} from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { TokenFamily } from "../../src/index.ts";
import type { ExchangeAttempt } from "../../src/oauth/repositories.ts";
import { BUSY } from "../support/busy.ts";
import { DAY, exchange, familyBuilders } from "../support/family.ts";

/** The rules of one family, tested through the RPC methods of its Durable Object. */

const T0 = 1_800_000_000;
const { attempt, newFamily } = familyBuilders(T0);

type Family = DurableObjectStub<TokenFamily>;

async function makeFamily(): Promise<Family> {
  const family = env.TOKEN_FAMILY.get(env.TOKEN_FAMILY.newUniqueId());
  await family.create(newFamily());
  return family;
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

/** Notes each call of the storage from now on, and runs it. */
function noteStorageCalls(storage: DurableObjectStorage): string[] {
  const calls: string[] = [];
  const parts = { storage, kv: storage.kv, sql: storage.sql };
  for (const [part, object] of Object.entries<object>(parts)) {
    const methods = Object.getPrototypeOf(object) as Record<string, unknown>;
    for (const name of Object.getOwnPropertyNames(methods)) {
      const { value } = Object.getOwnPropertyDescriptor(methods, name) ?? {};
      if (typeof value !== "function" || name === "constructor") continue;
      const method = value as (...args: unknown[]) => unknown;
      vi.spyOn(
        methods as Record<string, typeof method>,
        name,
      ).mockImplementation(function call(this: unknown, ...args) {
        calls.push(`${part}.${name}`);
        return method.apply(this, args);
      });
    }
  }
  return calls;
}

/** Waits until an ended family is deleted. Its alarm is due immediately: it fires by itself, or here. */
async function expectNothingLeft(family: Family): Promise<void> {
  await runDurableObjectAlarm(family);
  await vi.waitFor(
    async () =>
      expect(await footprint(family)).toMatchObject({ keys: [], alarm: null }),
    BUSY,
  );
}

/** Sets the clock that the object's alarm reads. */
function setClock(seconds: number) {
  vi.useFakeTimers({ toFake: ["Date"], now: seconds * 1000 });
}

afterEach(() => {
  vi.useRealTimers();
});

/** Fields of an attempt that names a scope or a resource. */
function requesting(
  requested: Partial<ExchangeAttempt["requested"]>,
): Partial<ExchangeAttempt> {
  return { requested: { scope: undefined, resource: [], ...requested } };
}

describe("an exchange", () => {
  it("returns the login, what is granted, the next generation, its expiry and the login's end", async () => {
    const family = await makeFamily();
    const result = await exchange(family, attempt());
    expect(result).toEqual({
      outcome: "exchanged",
      retried: false,
      key_id: 1,
      login: newFamily().login,
      granted: { scope: ["read", "write"], resource: [] },
      generation: 2,
      expires_at: T0 + 60 + DAY,
      ends_at: newFamily().ends_at,
    });
  });

  it("writes one row, and does not change the alarm", async () => {
    const family = await makeFamily();
    const before = await footprint(family);
    await exchange(family, attempt());
    const after = await footprint(family);
    expect(after.rowsWritten - before.rowsWritten).toBe(1);
    expect(after.alarm).toBe(before.alarm);
    expect(after.keys).toEqual(["family"]);
  });

  it("never makes a token that expires after the family's end", async () => {
    const family = await makeFamily();
    const successor_expires_at = T0 + 4 * DAY;
    const result = await exchange(family, attempt({ successor_expires_at }));
    expect(result).toMatchObject({ expires_at: T0 + 3 * DAY });
  });

  it("is remembered after the object was evicted from memory", async () => {
    const family = await makeFamily();
    await exchange(family, attempt());
    await evictDurableObject(family);
    const result = await exchange(family, attempt({ generation: 2 }));
    expect(result).toMatchObject({ outcome: "exchanged", generation: 3 });
  });

  it("of a family that was asleep reads one value and writes one, and waking it costs nothing", async () => {
    const family = await makeFamily();
    await evictDurableObject(family);
    await runInDurableObject(family, (_, state) => {
      const calls = noteStorageCalls(state.storage);
      const woken = new TokenFamily(state, env);
      expect(calls).toEqual([]);
      expect(woken.exchange(attempt())).toContain('"generation":2,');
      expect(calls).toEqual(["kv.get", "kv.put"]);
      vi.restoreAllMocks();
    });
  });

  it("succeeds once if fifty arrive at the same time", async () => {
    const family = await makeFamily();
    const results = await Promise.all(
      Array.from({ length: 50 }, () => exchange(family, attempt())),
    );
    expect(
      results.filter(({ outcome }) => outcome === "exchanged"),
    ).toHaveLength(1);
  });

  it("needs no more storage after 10,000 rotations than after one", async () => {
    const family = await makeFamily();
    await exchange(family, attempt());
    const { bytes, keys } = await footprint(family);
    // Inside the object, because the calls to it are not tested here.
    await runInDurableObject<TokenFamily, void>(family, (object) => {
      for (let generation = 2; generation <= 10_000; generation++)
        expect(object.exchange(attempt({ generation }))).toContain(
          `"generation":${generation + 1},`,
        );
    });
    expect(await footprint(family)).toMatchObject({ bytes, keys });
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
    [
      "a later client with the same id",
      { client_issued_at: T0 - 1 },
      "refresh_token_of_another_client",
    ],
    [
      "a generation that does not exist yet",
      { generation: 2 },
      "refresh_token_forged",
    ],
    [
      "a scope that was not granted",
      requesting({ scope: ["admin"] }),
      "scope_not_granted",
    ],
    [
      "a malformed scope",
      requesting({ scope: "malformed" }),
      "scope_malformed",
    ],
    [
      "no scope left",
      { allowed: { scope: [], resource: [] } },
      "scope_all_lost",
    ],
    [
      "a wrong resource",
      requesting({ resource: ["https://x"] }),
      "resource_not_allowed",
    ],
    ["a clock past the expiry", { now: T0 + DAY }, "family_ended"],
  ])(
    "for %s writes nothing and does not harm the family",
    async (_, fields, reason) => {
      const family = await makeFamily();
      const before = await footprint(family);
      const result = await exchange(family, attempt(fields));
      expect(result).toEqual({ outcome: "refused", reason });
      expect(await footprint(family)).toEqual(before);
      expect(await exchange(family, attempt())).toMatchObject({
        outcome: "exchanged",
      });
    },
  );

  it("for a used token ends the family, and describes the reuse", async () => {
    const family = await makeFamily();
    await exchange(family, attempt());
    const result = await exchange(
      family,
      attempt({ ...requesting({ scope: "malformed" }), now: T0 + 90 }),
    );
    expect(result).toEqual({
      outcome: "refused",
      reason: "refresh_token_reused",
      subject: "alice",
      reuse: {
        generation: 1,
        newest_generation: 2,
        seconds_since_exchange: 30,
        looks_like: "late_retry",
      },
    });
    for (const generation of [1, 2, 3]) {
      expect(await exchange(family, attempt({ generation }))).toEqual({
        outcome: "refused",
        reason: "family_ended",
      });
    }
    await expectNothingLeft(family);
  });

  it("of a family that was never made leaves no storage", async () => {
    const family = env.TOKEN_FAMILY.get(env.TOKEN_FAMILY.newUniqueId());
    const untouched = await footprint(family);
    const result = await exchange(family, attempt());
    expect(result).toEqual({ outcome: "refused", reason: "family_ended" });
    expect(await footprint(family)).toEqual(untouched);
  });
});

describe("the same attempt again, after its answer was lost", () => {
  it("gets the same successor, also without a retry window, and writes nothing", async () => {
    const family = await makeFamily();
    const same = attempt();
    const first = await exchange(family, same);
    const before = await footprint(family);
    const again = await exchange(family, same);
    expect(again).toEqual({ ...first, retried: true });
    expect(await footprint(family)).toEqual(before);
  });

  it("counts as reuse after the successor was exchanged", async () => {
    const family = await makeFamily();
    const same = attempt();
    await exchange(family, same);
    await exchange(family, attempt({ generation: 2 }));
    expect(await exchange(family, same)).toMatchObject({
      reason: "refresh_token_reused",
    });
  });
});

describe("making a family again, after the answer was lost", () => {
  it("changes nothing", async () => {
    const family = await makeFamily();
    await exchange(family, attempt());
    const before = await footprint(family);
    await family.create(newFamily());
    expect(await footprint(family)).toEqual(before);
    const next = await exchange(family, attempt({ generation: 2 }));
    expect(next).toMatchObject({ outcome: "exchanged", generation: 3 });
  });
});

describe("a retry inside the retry window", () => {
  it("writes nothing", async () => {
    const family = await makeFamily();
    const retry_window = "PT30S";
    await exchange(family, attempt({ retry_window }));
    const before = await footprint(family);
    const again = await exchange(
      family,
      attempt({ retry_window, now: T0 + 89 }),
    );
    expect(again).toMatchObject({
      outcome: "exchanged",
      retried: true,
      generation: 2,
    });
    expect(await footprint(family)).toEqual(before);
  });
});

describe("an ended family", () => {
  it("leaves no more than an object that was never called, after its alarm has told the index", async () => {
    const storageLeft = (family: Family) =>
      runInDurableObject(family, (_, { storage }) => ({
        tables: [...storage.sql.exec("SELECT name FROM sqlite_master")].length,
        bytes: storage.sql.databaseSize,
      }));
    const untouched = await storageLeft(
      env.TOKEN_FAMILY.get(env.TOKEN_FAMILY.newUniqueId()),
    );
    expect(untouched.tables).toBe(0);
    const endings: ((family: Family) => Promise<void>)[] = [
      async (family) => {
        await family.revoke();
      },
      async (family) => {
        await exchange(family, attempt());
        await exchange(family, attempt());
      },
      async () => setClock(T0 + DAY),
    ];
    for (const end of endings) {
      const family = await makeFamily();
      expect(await storageLeft(family)).not.toEqual(untouched);
      await end(family);
      await runDurableObjectAlarm(family);
      await vi.waitFor(
        async () => expect(await storageLeft(family)).toEqual(untouched),
        BUSY,
      );
    }
  });

  it("tells the index again if it could not be reached, and is deleted only then", async () => {
    const family = await makeFamily();
    const SUBJECT_INDEX = {
      idFromName: () => {
        throw new Error("unreachable");
      },
    };
    // Before the end, because the runtime may let the alarm go off at once.
    await runInDurableObject<TokenFamily, void>(family, (object) => {
      Object.assign(object, { env: { ...env, SUBJECT_INDEX } });
    });
    await family.revoke();
    await runInDurableObject<TokenFamily, void>(family, async (object) => {
      await object.alarm();
    });
    const waiting = await footprint(family);
    expect(waiting.keys).toEqual(["family"]);
    expect(waiting.alarm).toBeGreaterThan(Date.now());
    expect(await exchange(family, attempt())).toMatchObject({
      reason: "family_ended",
    });
    // Not before, because the runtime's own alarm may still be on its way.
    await runInDurableObject<TokenFamily, void>(family, (object) => {
      Object.assign(object, { env });
    });
    await expectNothingLeft(family);
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

  it("is moved to an earlier time if the client's lifetimes were shortened", async () => {
    const family = await makeFamily();
    await exchange(family, attempt({ successor_expires_at: T0 + 120 }));
    expect((await footprint(family)).alarm).toBe((T0 + 120) * 1000);
    setClock(T0 + 120);
    await runDurableObjectAlarm(family);
    expect(await footprint(family)).toMatchObject({ keys: [], alarm: null });
  });

  it("is set again for the newest token's expiry if there was a rotation", async () => {
    const family = await makeFamily();
    await exchange(family, attempt());
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
