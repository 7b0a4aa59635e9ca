import {
  evictDurableObject,
  runDurableObjectAlarm,
  runInDurableObject,
} from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { TokenFamily } from "../../src/index.ts";
import {
  CLOCK_SKEW,
  DAY,
  exchange,
  familyBuilders,
  secret_hash,
} from "../support/family.ts";
import type {
  ExchangeAttempt,
  NewFamily,
  Redemption,
} from "../../src/oauth/repositories.ts";

/** An authorization code makes a family once. Tested through the RPC methods of the family's object. */

/** Later than the clock of any machine that runs these tests, so that no alarm fires by itself. */
const T0 = 4_000_000_000;
const build = familyBuilders(T0);
const { redeemable_until: REDEEMABLE_UNTIL, redemption } = build;

type Family = DurableObjectStub<TokenFamily>;

let subject: string;

beforeEach(() => {
  subject = crypto.randomUUID();
  setClock(T0);
});

afterEach(() => {
  vi.useRealTimers();
});

function setClock(seconds: number) {
  vi.useFakeTimers({ toFake: ["Date"], now: seconds * 1000 });
}

function newFamily(fields: Partial<NewFamily> = {}): NewFamily {
  return { ...build.newFamily({ login: { subject } }), ...fields };
}

function newObject(): Family {
  return env.TOKEN_FAMILY.get(env.TOKEN_FAMILY.newUniqueId());
}

/** Makes a family with a code and adds it to its subject's index, as the server does. */
async function redeemed(
  fields: Partial<NewFamily> = {},
  by: Partial<Redemption> = {},
): Promise<Family> {
  const family = newObject();
  await family.redeem(newFamily(fields), redemption(by));
  await index().add(family.id.toString());
  return family;
}

function index() {
  return env.SUBJECT_INDEX.get(env.SUBJECT_INDEX.idFromName(subject));
}

function attempt(generation = 1): ExchangeAttempt {
  return build.attempt({ generation, now: T0 + 1 });
}

function footprint(family: Family) {
  return runInDurableObject(family, async (_, { storage }) => ({
    rowsWritten: storage.sql.exec("SELECT total_changes() AS n").one()["n"],
    tables: [...storage.sql.exec("SELECT name FROM sqlite_master")].length,
    bytes: storage.sql.databaseSize,
    records: [...storage.kv.list()],
    alarm: await storage.getAlarm(),
  }));
}

const codeRepeated = {
  outcome: "refused",
  reason: "authorization_code_repeated",
};
const codeReused = { outcome: "refused", reason: "authorization_code_reused" };
const requestReused = {
  outcome: "refused",
  reason: "authorization_request_reused",
};
const ended = { outcome: "refused", reason: "family_ended" };

/** The record that is kept of an ended family while a code could still name it. */
function endedRecord() {
  const redeemed = { code_id: "first", redeemable_until: REDEEMABLE_UNTIL };
  return [["family", { version: 1, ended: true, subject, redeemed }]];
}

async function expectNothingLeft(family: Family): Promise<void> {
  const { tables, bytes, alarm } = await footprint(newObject());
  expect(tables).toBe(0);
  expect(await footprint(family)).toMatchObject({
    tables,
    bytes,
    records: [],
    alarm,
  });
}

describe("the first redemption", () => {
  it("makes the same family as POST /admin/grants does", async () => {
    const [byCode, byAdmin] = [newObject(), newObject()];
    const result = await byCode.redeem(newFamily(), redemption());
    expect(result).toEqual({ outcome: "redeemed" });
    await byAdmin.create(newFamily());
    expect(await byCode.look()).toEqual(await byAdmin.look());
    expect(await byCode.look()).toEqual({
      login: newFamily().login,
      secret_hash,
      authorized_at: T0,
      created_at: T0,
      expires_at: T0 + DAY,
      ends_at: newFamily().ends_at,
      generation: 1,
      last_used_at: T0,
    });
    const exchanges = [
      await exchange(byCode, attempt()),
      await exchange(byAdmin, attempt()),
    ];
    expect(exchanges[0]).toMatchObject({ outcome: "exchanged", generation: 2 });
    expect(exchanges[0]).toEqual(exchanges[1]);
  });

  it("writes two rows: the record, and the alarm for the first token's expiry", async () => {
    const family = newObject();
    await family.redeem(newFamily(), redemption());
    const made = await footprint(family);
    expect(made.rowsWritten).toBe(2);
    expect(made.records.map(([key]) => key)).toEqual(["family"]);
    expect(made.alarm).toBe((T0 + DAY) * 1000);
  });

  it("succeeds for one of fifty codes of one request at the same time, and that login stays good", async () => {
    const family = newObject();
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, which) =>
        family.redeem(newFamily(), redemption({ code_id: String(which) })),
      ),
    );
    const [first, ...others] = results.toSorted((one, other) =>
      one.outcome < other.outcome ? -1 : 1,
    );
    expect(first).toEqual({ outcome: "redeemed" });
    expect(others).toHaveLength(49);
    for (const other of others) expect(other).toEqual(requestReused);
    expect(await exchange(family, attempt())).toMatchObject({
      outcome: "exchanged",
    });
  });

  it("succeeds once if the same code arrives fifty times at the same time, and that login stays good", async () => {
    const family = newObject();
    const results = await Promise.all(
      Array.from({ length: 50 }, () =>
        family.redeem(newFamily(), redemption()),
      ),
    );
    const [first, ...others] = results.toSorted((one, other) =>
      one.outcome < other.outcome ? -1 : 1,
    );
    expect(first).toEqual({ outcome: "redeemed" });
    for (const other of others) expect(other).toEqual(codeRepeated);
    expect(await exchange(family, attempt())).toMatchObject({
      outcome: "exchanged",
    });
  });
});

describe("the same attempt again, after its answer was lost", () => {
  it("gets the same answer and changes nothing, also after the object was evicted from memory", async () => {
    const family = newObject();
    const same = redemption();
    await family.redeem(newFamily(), same);
    const before = await footprint(family);
    const later = newFamily({ created_at: T0 + 5, expires_at: T0 + 2 * DAY });
    expect(await family.redeem(later, same)).toEqual({ outcome: "redeemed" });
    expect(await footprint(family)).toEqual(before);
    await evictDurableObject(family);
    expect(await family.redeem(later, same)).toEqual({ outcome: "redeemed" });
    const { records, alarm } = await footprint(family);
    expect({ records, alarm }).toEqual({
      records: before.records,
      alarm: before.alarm,
    });
  });

  it("is refused after the family has ended", async () => {
    const family = newObject();
    const same = redemption();
    await family.redeem(newFamily(), same);
    await family.revoke();
    expect(await family.redeem(newFamily(), same)).toEqual(codeReused);
  });
});

describe("the same code again", () => {
  it("within ten seconds of the redemption is refused, writes nothing and does not harm the login", async () => {
    const family = await redeemed();
    await exchange(family, attempt());
    const before = await footprint(family);
    for (const seconds of [0, 9, 10]) {
      setClock(T0 + seconds);
      expect(await family.redeem(newFamily(), redemption())).toEqual(
        codeRepeated,
      );
    }
    expect(await footprint(family)).toEqual(before);
    expect(await exchange(family, attempt(2))).toMatchObject({
      outcome: "exchanged",
    });
  });

  it("is measured by the object's clock, whatever the clock of the location that asks", async () => {
    const family = await redeemed({ created_at: T0 - 45 });
    const early = newFamily({ created_at: T0 - 45 });
    const late = newFamily({ created_at: T0 + 45 });
    expect(await family.redeem(late, redemption())).toEqual(codeRepeated);
    setClock(T0 + 10.001);
    expect(await family.redeem(early, redemption())).toEqual(codeReused);
    expect(await exchange(family, attempt())).toEqual(ended);
  });

  it("is measured from the last redemption if an earlier one was taken back", async () => {
    const family = newObject();
    const first = redemption();
    await family.redeem(newFamily(), first);
    await family.abandon(newFamily(), first);
    setClock(T0 + 30);
    await family.redeem(newFamily(), redemption());
    setClock(T0 + 40);
    expect(await family.redeem(newFamily(), redemption())).toEqual(
      codeRepeated,
    );
    expect(await exchange(family, attempt())).toMatchObject({
      outcome: "exchanged",
    });
    setClock(T0 + 40.001);
    expect(await family.redeem(newFamily(), redemption())).toEqual(codeReused);
  });

  it("within ten seconds, after the family has ended, is refused and brings nothing back", async () => {
    const family = await redeemed();
    await family.revoke();
    expect(await family.redeem(newFamily(), redemption())).toEqual(codeReused);
    expect(await family.look()).toBeUndefined();
    expect((await footprint(family)).records).toEqual(endedRecord());
  });

  it("ends a family that an older version made, which did not note the time", async () => {
    const family = await redeemed();
    await runInDurableObject(family, async (_, { storage }) => {
      const record = storage.kv.get<Record<string, unknown>>("family");
      expect(record).toHaveProperty("redeemed_at_ms", T0 * 1000);
      delete record?.["redeemed_at_ms"];
      storage.kv.put("family", record);
    });
    expect(await family.redeem(newFamily(), redemption())).toEqual(codeReused);
    expect(await exchange(family, attempt())).toEqual(ended);
  });

  it("later than that is refused and ends the family (RFC 6749 section 4.1.2), also after rotations", async () => {
    const family = await redeemed();
    await exchange(family, attempt());
    setClock(T0 + 10.001);
    expect(await family.redeem(newFamily(), redemption())).toEqual(codeReused);
    expect(await exchange(family, attempt(2))).toEqual(ended);
    expect(await family.look()).toBeUndefined();
    expect((await footprint(family)).records).toEqual(endedRecord());
  });
});

describe("another code of the same request", () => {
  it("is refused, writes nothing and does not harm the login", async () => {
    const family = await redeemed();
    const before = await footprint(family);
    for (const code_id of ["second", "third"])
      expect(await family.redeem(newFamily(), redemption({ code_id }))).toEqual(
        requestReused,
      );
    expect(await footprint(family)).toEqual(before);
    expect(await exchange(family, attempt())).toMatchObject({
      outcome: "exchanged",
    });
  });
});

describe("a family that has ended", () => {
  const endings: [string, (family: Family) => Promise<unknown>][] = [
    ["was revoked", (family) => family.revoke()],
    [
      "got its code again late",
      (family) => {
        setClock(T0 + 11);
        return family.redeem(newFamily(), redemption());
      },
    ],
    [
      "got a used token again",
      async (family) => {
        await exchange(family, attempt());
        await exchange(family, attempt());
      },
    ],
  ];

  it.each(endings)(
    "because it %s can't be made again while a code can name it, and then leaves nothing",
    async (_, end) => {
      const family = await redeemed();
      await end(family);
      for (const code_id of ["first", "second"])
        expect(
          await family.redeem(newFamily(), redemption({ code_id })),
        ).toEqual(code_id === "first" ? codeReused : requestReused);

      expect(await runDurableObjectAlarm(family)).toBe(true);
      expect(await index().list(10)).toEqual([]);
      const forgetAt = (REDEEMABLE_UNTIL + CLOCK_SKEW) * 1000;
      expect(await footprint(family)).toMatchObject({
        records: endedRecord(),
        alarm: forgetAt,
      });

      setClock(REDEEMABLE_UNTIL + CLOCK_SKEW - 1);
      for (const code_id of ["first", "second"])
        expect(
          await family.redeem(newFamily(), redemption({ code_id })),
        ).toEqual(code_id === "first" ? codeReused : requestReused);
      expect(await exchange(family, attempt())).toEqual(ended);
      await runDurableObjectAlarm(family);
      expect(await footprint(family)).toMatchObject({
        records: endedRecord(),
        alarm: forgetAt,
      });

      setClock(REDEEMABLE_UNTIL + CLOCK_SKEW);
      expect(await runDurableObjectAlarm(family)).toBe(true);
      await expectNothingLeft(family);
    },
  );

  it("is removed from the index again at the end, because the index may have been told late", async () => {
    const family = await redeemed();
    await family.revoke();
    await runDurableObjectAlarm(family);
    await index().add(family.id.toString());
    setClock(REDEEMABLE_UNTIL + CLOCK_SKEW);
    await runDurableObjectAlarm(family);
    expect(await index().list(10)).toEqual([]);
    await expectNothingLeft(family);
  });

  it("by expiry, before its code has expired, is kept until the code has expired", async () => {
    const family = await redeemed({ expires_at: T0 + 10 });
    setClock(T0 + 10);
    expect(await runDurableObjectAlarm(family)).toBe(true);
    expect(await index().list(10)).toEqual([]);
    expect(await footprint(family)).toMatchObject({
      records: endedRecord(),
      alarm: (REDEEMABLE_UNTIL + CLOCK_SKEW) * 1000,
    });
    expect(await family.redeem(newFamily(), redemption())).toEqual(codeReused);
    setClock(REDEEMABLE_UNTIL + CLOCK_SKEW);
    await runDurableObjectAlarm(family);
    await expectNothingLeft(family);
  });

  it("by expiry, long after its code has expired, is deleted completely by its first alarm", async () => {
    const family = await redeemed();
    setClock(T0 + DAY);
    expect(await runDurableObjectAlarm(family)).toBe(true);
    expect(await index().list(10)).toEqual([]);
    await expectNothingLeft(family);
  });

  it("by revocation, long after its code has expired, is deleted completely by its first alarm", async () => {
    const family = await redeemed();
    setClock(REDEEMABLE_UNTIL + CLOCK_SKEW);
    await family.revoke();
    expect(await runDurableObjectAlarm(family)).toBe(true);
    expect(await index().list(10)).toEqual([]);
    await expectNothingLeft(family);
  });

  it("and can't reach its index tells the index later, and is kept until then", async () => {
    const family = await redeemed();
    setClock(REDEEMABLE_UNTIL + CLOCK_SKEW);
    await family.revoke();
    await runInDurableObject<TokenFamily, void>(family, async (object) => {
      const SUBJECT_INDEX = {
        idFromName: () => {
          throw new Error("unreachable");
        },
      };
      Object.assign(object, { env: { ...env, SUBJECT_INDEX } });
      await object.alarm();
      Object.assign(object, { env });
    });
    expect(await footprint(family)).toMatchObject({
      records: endedRecord(),
      alarm: (REDEEMABLE_UNTIL + CLOCK_SKEW + 60) * 1000,
    });
    expect(await family.redeem(newFamily(), redemption())).toEqual(codeReused);
    await runDurableObjectAlarm(family);
    expect(await index().list(10)).toEqual([]);
    await expectNothingLeft(family);
  });
});

describe("a redemption that is taken back, because its tokens were not made", () => {
  it("leaves the code good, and no token is good until the code is redeemed again", async () => {
    const family = newObject();
    const first = redemption();
    await family.redeem(newFamily(), first);
    await family.abandon(newFamily(), first);
    expect(await exchange(family, attempt())).toEqual(ended);
    expect(await family.redeem(newFamily(), redemption())).toEqual({
      outcome: "redeemed",
    });
    expect(await exchange(family, attempt())).toMatchObject({
      outcome: "exchanged",
    });
  });

  it("leaves nothing after its code has expired, also if the index was told of it", async () => {
    const family = await redeemed({}, { attempt_id: "attempt" });
    await family.abandon(newFamily(), redemption({ attempt_id: "attempt" }));
    // An alarm that fires too early changes nothing.
    expect(await runDurableObjectAlarm(family)).toBe(true);
    const { alarm } = await footprint(family);
    expect(alarm).toBe((REDEEMABLE_UNTIL + CLOCK_SKEW) * 1000);
    setClock(REDEEMABLE_UNTIL + CLOCK_SKEW);
    expect(await runDurableObjectAlarm(family)).toBe(true);
    expect(await index().list(10)).toEqual([]);
    await expectNothingLeft(family);
  });

  it("can be ended by a revocation, which ends no login and uses up the code", async () => {
    const family = await redeemed({}, { attempt_id: "attempt" });
    await family.abandon(newFamily(), redemption({ attempt_id: "attempt" }));
    expect(await family.revoke()).toEqual({ outcome: "ended_before" });
    expect(await family.redeem(newFamily(), redemption())).toEqual(codeReused);
  });

  it("affects no other attempt, and does not make an ended family good again", async () => {
    const family = newObject();
    const first = redemption();
    await family.redeem(newFamily(), first);
    const before = await family.look();
    await family.abandon(newFamily(), redemption());
    expect(await family.look()).toEqual(before);
    setClock(T0 + 11);
    await family.redeem(newFamily(), redemption());
    await family.abandon(newFamily(), first);
    expect((await footprint(family)).records).toEqual(endedRecord());
    expect(await family.redeem(newFamily(), redemption())).toEqual(codeReused);
  });

  it.each([
    ["before it arrives", false],
    ["after it has arrived", true],
  ])(
    "begins and ends nothing if its call arrives late, taken back %s",
    async (_, hasArrived) => {
      const family = newObject();
      const late = redemption();
      if (hasArrived) await family.redeem(newFamily(), late);
      await family.abandon(newFamily(), late);
      const taken = {
        outcome: "refused",
        reason: "authorization_code_revoked",
      };
      expect(await family.redeem(newFamily(), late)).toEqual(taken);
      expect(await exchange(family, attempt())).toEqual(ended);
      // The client tries again, and its code is good.
      expect(await family.redeem(newFamily(), redemption())).toEqual({
        outcome: "redeemed",
      });
      expect(await family.redeem(newFamily(), late)).toEqual(taken);
      expect(await exchange(family, attempt())).toMatchObject({
        outcome: "exchanged",
      });
    },
  );

  it("leaves nothing after its code has expired, if its call never arrives", async () => {
    const family = newObject();
    await family.abandon(newFamily(), redemption());
    setClock(REDEEMABLE_UNTIL + CLOCK_SKEW);
    expect(await runDurableObjectAlarm(family)).toBe(true);
    await expectNothingLeft(family);
  });
});
