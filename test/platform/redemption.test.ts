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
  familyOf,
  secret_hash,
} from "../support/family.ts";
import type {
  ExchangeAttempt,
  NewFamily,
  Redemption,
} from "../../src/oauth/repositories.ts";

/** How an authorization code makes a family, once: by the door that a family has, its RPC methods. */

/** Later than any clock that runs these tests: what is set for then does not happen by itself. */
const T0 = 4_000_000_000;
const build = familyOf(T0);
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

function unmade(): Family {
  return env.TOKEN_FAMILY.get(env.TOKEN_FAMILY.newUniqueId());
}

/** A family that was made by a code and is in its subject's index, as the server leaves it. */
async function redeemed(
  fields: Partial<NewFamily> = {},
  by: Partial<Redemption> = {},
): Promise<Family> {
  const family = unmade();
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

const reused = { outcome: "refused", reason: "authorization_code_reused" };
const otherCode = {
  outcome: "refused",
  reason: "authorization_request_reused",
};
const ended = { outcome: "refused", reason: "family_ended" };

/** What is kept of a family that has ended while a code could still name it. */
function tombstone() {
  const redeemed = { code_id: "first", redeemable_until: REDEEMABLE_UNTIL };
  return [["family", { version: 1, ended: true, subject, redeemed }]];
}

async function expectNothingLeft(family: Family): Promise<void> {
  const { tables, bytes, alarm } = await footprint(unmade());
  expect(tables).toBe(0);
  expect(await footprint(family)).toMatchObject({
    tables,
    bytes,
    records: [],
    alarm,
  });
}

describe("the first redemption", () => {
  it("makes the family, as an administrator's grant does: it exchanges and is shown the same", async () => {
    const [byCode, byAdmin] = [unmade(), unmade()];
    const result = await byCode.redeem(newFamily(), redemption());
    expect(result).toEqual({ outcome: "redeemed" });
    await byAdmin.create(newFamily());
    expect(await byCode.look()).toEqual(await byAdmin.look());
    expect(await byCode.look()).toEqual({
      login: newFamily().login,
      secret_hash,
      created_at: T0,
      expires_at: T0 + DAY,
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
    const family = unmade();
    await family.redeem(newFamily(), redemption());
    const made = await footprint(family);
    expect(made.rowsWritten).toBe(2);
    expect(made.records.map(([key]) => key)).toEqual(["family"]);
    expect(made.alarm).toBe((T0 + DAY) * 1000);
  });

  it("is one of fifty at once with fifty codes of one request, and that login lives", async () => {
    const family = unmade();
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
    for (const other of others) expect(other).toEqual(otherCode);
    expect(await exchange(family, attempt())).toMatchObject({
      outcome: "exchanged",
    });
  });

  it("is one of fifty at once with the same code, and that login ends", async () => {
    const family = unmade();
    const results = await Promise.all(
      Array.from({ length: 50 }, () =>
        family.redeem(newFamily(), redemption()),
      ),
    );
    expect(
      results.filter(({ outcome }) => outcome === "redeemed"),
    ).toHaveLength(1);
    expect(await exchange(family, attempt())).toEqual(ended);
  });
});

describe("the same attempt again, because its answer was lost", () => {
  it("is answered the same and changes nothing, also after the object has left memory", async () => {
    const family = unmade();
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

  it("is refused once the family has ended", async () => {
    const family = unmade();
    const same = redemption();
    await family.redeem(newFamily(), same);
    await family.revoke();
    expect(await family.redeem(newFamily(), same)).toEqual(reused);
  });
});

describe("the same code again", () => {
  it("is refused and ends the family (RFC 6749 section 4.1.2), also after rotations", async () => {
    const family = await redeemed();
    await exchange(family, attempt());
    expect(await family.redeem(newFamily(), redemption())).toEqual(reused);
    expect(await exchange(family, attempt(2))).toEqual(ended);
    expect(await family.look()).toBeUndefined();
    expect((await footprint(family)).records).toEqual(tombstone());
  });
});

describe("another code of the same request", () => {
  it("is refused, writes nothing and does the login no harm", async () => {
    const family = await redeemed();
    const before = await footprint(family);
    for (const code_id of ["second", "third"])
      expect(await family.redeem(newFamily(), redemption({ code_id }))).toEqual(
        otherCode,
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
      "saw its code again",
      (family) => family.redeem(newFamily(), redemption()),
    ],
    [
      "saw a used token again",
      async (family) => {
        await exchange(family, attempt());
        await exchange(family, attempt());
      },
    ],
  ];

  it.each(endings)(
    "because it %s makes no second one, until no code can name it any more; then it leaves nothing",
    async (_, end) => {
      const family = await redeemed();
      await end(family);
      for (const code_id of ["first", "second"])
        expect(
          await family.redeem(newFamily(), redemption({ code_id })),
        ).toEqual(code_id === "first" ? reused : otherCode);

      expect(await runDurableObjectAlarm(family)).toBe(true);
      expect(await index().list(10)).toEqual([]);
      const forgetAt = (REDEEMABLE_UNTIL + CLOCK_SKEW) * 1000;
      expect(await footprint(family)).toMatchObject({
        records: tombstone(),
        alarm: forgetAt,
      });

      setClock(REDEEMABLE_UNTIL + CLOCK_SKEW - 1);
      for (const code_id of ["first", "second"])
        expect(
          await family.redeem(newFamily(), redemption({ code_id })),
        ).toEqual(code_id === "first" ? reused : otherCode);
      expect(await exchange(family, attempt())).toEqual(ended);
      await runDurableObjectAlarm(family);
      expect(await footprint(family)).toMatchObject({
        records: tombstone(),
        alarm: forgetAt,
      });

      setClock(REDEEMABLE_UNTIL + CLOCK_SKEW);
      expect(await runDurableObjectAlarm(family)).toBe(true);
      await expectNothingLeft(family);
    },
  );

  it("is taken out of the index once more at the end: who made it may have told the index late", async () => {
    const family = await redeemed();
    await family.revoke();
    await runDurableObjectAlarm(family);
    await index().add(family.id.toString());
    setClock(REDEEMABLE_UNTIL + CLOCK_SKEW);
    await runDurableObjectAlarm(family);
    expect(await index().list(10)).toEqual([]);
    await expectNothingLeft(family);
  });

  it("by itself, before its code has expired, stays as well until it has", async () => {
    const family = await redeemed({ expires_at: T0 + 10 });
    setClock(T0 + 10);
    expect(await runDurableObjectAlarm(family)).toBe(true);
    expect(await index().list(10)).toEqual([]);
    expect(await footprint(family)).toMatchObject({
      records: tombstone(),
      alarm: (REDEEMABLE_UNTIL + CLOCK_SKEW) * 1000,
    });
    expect(await family.redeem(newFamily(), redemption())).toEqual(reused);
    setClock(REDEEMABLE_UNTIL + CLOCK_SKEW);
    await runDurableObjectAlarm(family);
    await expectNothingLeft(family);
  });

  it("by itself, long after its code has expired, leaves nothing at once", async () => {
    const family = await redeemed();
    setClock(T0 + DAY);
    expect(await runDurableObjectAlarm(family)).toBe(true);
    expect(await index().list(10)).toEqual([]);
    await expectNothingLeft(family);
  });

  it("long after its code has expired, because it was revoked, leaves nothing at once", async () => {
    const family = await redeemed();
    setClock(REDEEMABLE_UNTIL + CLOCK_SKEW);
    await family.revoke();
    expect(await runDurableObjectAlarm(family)).toBe(true);
    expect(await index().list(10)).toEqual([]);
    await expectNothingLeft(family);
  });

  it("whose index cannot be reached tells it later, and is not forgotten before", async () => {
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
      records: tombstone(),
      alarm: (REDEEMABLE_UNTIL + CLOCK_SKEW + 60) * 1000,
    });
    expect(await family.redeem(newFamily(), redemption())).toEqual(reused);
    await runDurableObjectAlarm(family);
    expect(await index().list(10)).toEqual([]);
    await expectNothingLeft(family);
  });
});

describe("a redemption that is taken back, because its tokens were not made", () => {
  it("leaves the code good once more, and no token good until it comes", async () => {
    const family = unmade();
    const first = redemption();
    await family.redeem(newFamily(), first);
    await family.abandon(first.attempt_id);
    expect(await exchange(family, attempt())).toEqual(ended);
    expect(await family.redeem(newFamily(), redemption())).toEqual({
      outcome: "redeemed",
    });
    expect(await exchange(family, attempt())).toMatchObject({
      outcome: "exchanged",
    });
  });

  it("leaves nothing when no code can come any more, also where the index had heard of it", async () => {
    const family = await redeemed({}, { attempt_id: "attempt" });
    await family.abandon("attempt");
    // An alarm that is too early changes nothing.
    expect(await runDurableObjectAlarm(family)).toBe(true);
    const { alarm } = await footprint(family);
    expect(alarm).toBe((REDEEMABLE_UNTIL + CLOCK_SKEW) * 1000);
    setClock(REDEEMABLE_UNTIL + CLOCK_SKEW);
    expect(await runDurableObjectAlarm(family)).toBe(true);
    expect(await index().list(10)).toEqual([]);
    await expectNothingLeft(family);
  });

  it("is ended by a revocation, which counts no login for it, and then the code is used", async () => {
    const family = await redeemed({}, { attempt_id: "attempt" });
    await family.abandon("attempt");
    expect(await family.revoke()).toEqual({ outcome: "ended_before" });
    expect(await family.redeem(newFamily(), redemption())).toEqual(reused);
  });

  it("is not that of somebody else, and no family comes back by it that has ended", async () => {
    const family = unmade();
    const first = redemption();
    await family.redeem(newFamily(), first);
    const before = await footprint(family);
    await family.abandon(crypto.randomUUID());
    expect(await footprint(family)).toEqual(before);
    await family.redeem(newFamily(), redemption());
    await family.abandon(first.attempt_id);
    expect((await footprint(family)).records).toEqual(tombstone());
    expect(await family.redeem(newFamily(), redemption())).toEqual(reused);
  });
});
