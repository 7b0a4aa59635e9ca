import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { TokenFamily } from "../../src/index.ts";
import { fieldErrors } from "../support/admin.ts";
import { familiesWith } from "../support/faults.ts";
import { listenToLog, parsedLog } from "../support/log.ts";
import {
  expectRefused,
  storageOf,
  leagueServer,
  newTokenId,
  objectIds,
  oldToken,
  takeOver,
} from "../support/league.ts";
import {
  refusal,
  server as ordinary,
  type TestClient,
} from "../support/server.ts";
import { loginsOf, logOut } from "../support/subjects.ts";

/** A revoked league token stays revoked, however and whenever it was revoked. */

const server = leagueServer("defuse");
const YEAR = 365 * 86_400;
let demo: TestClient;

beforeAll(async () => {
  demo = await takeOver(server, "demo");
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

interface Revoked {
  in_force: number;
  expired: number;
  ended: number;
}

function revoke(
  tokens: { refresh_token_id: string; expires_at?: number }[],
  more: object = {},
): Promise<Revoked> {
  const body = { tokens, ...more };
  return server.expectAdmin("POST", "/league/revoked-tokens", body);
}

function counts(): Promise<{
  accepts_tokens: boolean;
  exchanged: number;
  revoked: number;
}> {
  return server.expectAdmin("GET", "/league");
}

function now(): number {
  return Math.floor(Date.now() / 1000);
}

/** Finds the ledgers that store anything. There are few ledgers, so all of them are read. */
async function ledgersInUse(): Promise<DurableObjectId[]> {
  const { ledgers } = await objectIds();
  const ids = (ledgers ?? []).map((id) => env.LEAGUE_LEDGER.idFromString(id));
  const full = await Promise.all(
    ids.map((id) =>
      runInDurableObject(
        env.LEAGUE_LEDGER.get(id),
        async (_, { storage }) =>
          [...storage.sql.exec("SELECT name FROM sqlite_master")].length > 0 ||
          (await storage.getAlarm()) !== null,
      ),
    ),
  );
  return ids.filter((_, position) => full[position]);
}

describe("POST /admin/league/revoked-tokens", () => {
  it("is an event with the numbers, and never a token's id", async () => {
    const lines = listenToLog();
    const [refresh_token_id, expired] = [newTokenId(), newTokenId()];
    const token = await oldToken({ refresh_token_id });
    await server.expectRefresh(demo, token);
    const tokens = [
      { refresh_token_id },
      { refresh_token_id: newTokenId() },
      { refresh_token_id: expired, expires_at: now() - 1 },
    ];
    const answer = await revoke(tokens);
    expect(answer).toEqual({ in_force: 2, expired: 1, ended: 1 });
    const events = parsedLog(lines).filter(
      ({ event }) => event === "league_tokens.revoked",
    );
    expect(events).toMatchObject([
      { actor: "root", in_force: 2, ended: 1, request_id: expect.any(String) },
    ]);
    expect(JSON.stringify(events)).not.toContain(refresh_token_id);
  });
});

describe("a league token that the old server revoked", () => {
  it("is refused, and makes no family", async () => {
    const refresh_token_id = newTokenId();
    const token = await oldToken({ refresh_token_id });
    expect(await revoke([{ refresh_token_id }])).toEqual({
      in_force: 1,
      expired: 0,
      ended: 0,
    });
    await expectRefused(server, demo, token, "league_token_revoked");
    await expectRefused(server, demo, token, "league_token_revoked");
    const family = env.TOKEN_FAMILY.getByName(refresh_token_id);
    expect(await storageOf(family)).toEqual({ rows: 0, alarm: null });
  });

  it("does not affect other tokens", async () => {
    const [dead, alive] = [newTokenId(), newTokenId()];
    await revoke([{ refresh_token_id: dead }]);
    const token = await oldToken({ refresh_token_id: alive });
    await server.expectRefresh(demo, token);
  });

  it("may be reported before the old server's key is set", async () => {
    const refresh_token_id = newTokenId();
    const tokens = [{ refresh_token_id }];
    const answer = await ordinary.expectAdmin(
      "POST",
      "/league/revoked-tokens",
      { tokens },
    );
    expect(answer).toMatchObject({ in_force: 1 });
    expect(await ordinary.expectAdmin("GET", "/league")).toMatchObject({
      accepts_tokens: false,
    });
    await expectRefused(
      server,
      demo,
      await oldToken({ refresh_token_id }),
      "league_token_revoked",
    );
  });

  it("may be reported again: it is counted once, and an expired one is not counted", async () => {
    const tokens = Array.from({ length: 40 }, () => ({
      refresh_token_id: newTokenId(),
      expires_at: now() + YEAR,
    }));
    const over = { refresh_token_id: newTokenId(), expires_at: now() - 1 };
    const before = await counts();
    for (let times = 0; times < 3; times++) {
      expect(await revoke([...tokens, over])).toEqual({
        in_force: 40,
        expired: 1,
        ended: 0,
      });
    }
    expect(await counts()).toEqual({
      ...before,
      revoked: before.revoked + 40,
    });
  });

  it("ends the login that it became if it is reported after its exchange", async () => {
    const refresh_token_id = newTokenId();
    const user_id = crypto.randomUUID();
    const token = await oldToken({ refresh_token_id, user_id });
    const { refresh_token } = await server.expectRefresh(demo, token);
    const sibling = await server.login(demo, { subject: user_id });
    expect(await revoke([{ refresh_token_id }])).toEqual({
      in_force: 1,
      expired: 0,
      ended: 1,
    });
    expect(await refusal(await server.refresh(demo, refresh_token))).toEqual([
      400,
      "invalid_grant",
      "family_ended",
    ]);
    await expectRefused(server, demo, token, "league_token_revoked");
    expect(await loginsOf(user_id)).toHaveLength(1);
    await server.expectRefresh(demo, sibling.refresh_token);
    // Reported again: the login has already ended.
    expect(await revoke([{ refresh_token_id }])).toMatchObject({
      in_force: 1,
      ended: 0,
    });
  });

  it.each([
    ["with its expiry", true],
    ["without its expiry", false],
  ])(
    "ends that login also if the token has expired since and is reported %s",
    async (_, withEnd) => {
      const refresh_token_id = newTokenId();
      const expires_at = now() + 100;
      const token = await oldToken({
        refresh_token_id,
        expire_time: expires_at,
      });
      const { refresh_token } = await server.expectRefresh(demo, token);
      const days = 86_400_000 * 20;
      vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + days });
      for (const id of await ledgersInUse())
        await runDurableObjectAlarm(env.LEAGUE_LEDGER.get(id));
      const told = withEnd
        ? { refresh_token_id, expires_at }
        : { refresh_token_id };
      expect(await revoke([told])).toMatchObject({ ended: 1 });
      expect(await refusal(await server.refresh(demo, refresh_token))).toEqual([
        400,
        "invalid_grant",
        "family_ended",
      ]);
    },
  );

  it("is refused also if the clock at its exchange is behind", async () => {
    const refresh_token_id = newTokenId();
    const expire_time = now() + 1_000;
    const token = await oldToken({ refresh_token_id, expire_time });
    vi.useFakeTimers({ toFake: ["Date"], now: (expire_time + 1) * 1000 });
    expect(
      await revoke([{ refresh_token_id, expires_at: expire_time }]),
    ).toEqual({ in_force: 0, expired: 1, ended: 0 });
    vi.setSystemTime((expire_time - 5) * 1000);
    await expectRefused(server, demo, token, "league_token_revoked");
  });

  it("makes no lasting login if it is exchanged and revoked at the same time", async () => {
    const rounds = Array.from({ length: 20 }, async () => {
      const refresh_token_id = newTokenId();
      const token = await oldToken({ refresh_token_id });
      const [response] = await Promise.all([
        server.refresh(demo, token),
        revoke([{ refresh_token_id }]),
      ]);
      if (response.status !== 200) {
        expect(await refusal(response)).toEqual([
          400,
          "invalid_grant",
          "league_token_revoked",
        ]);
        return;
      }
      const { refresh_token } = await response.json<{
        refresh_token: string;
      }>();
      expect(await refusal(await server.refresh(demo, refresh_token))).toEqual([
        400,
        "invalid_grant",
        "family_ended",
      ]);
    });
    await Promise.all(rounds);
    expect(rounds).toHaveLength(20);
  });
});

describe("a league token that is revoked, or whose user is logged out, during its exchange", () => {
  it.each(["before", "after"])(
    "is refused if that happens just %s its family is made",
    async (when) => {
      for (const kind of ["revoked", "logged_out"]) {
        const expectedRefusal = [400, "invalid_grant", `league_token_${kind}`];
        const refresh_token_id = newTokenId();
        const user_id = crypto.randomUUID();
        const token = await oldToken({ refresh_token_id, user_id });
        const revokeOrLogOut = () =>
          kind === "revoked" ? revoke([{ refresh_token_id }]) : logOut(user_id);
        const slow = leagueServer("defuse", {
          TOKEN_FAMILY: familiesWith((_, real) => ({
            async adopt(...args: Parameters<TokenFamily["adopt"]>) {
              if (when === "before") await revokeOrLogOut();
              const result = await real().adopt(...args);
              if (when === "after") await revokeOrLogOut();
              return result;
            },
            revoke: () => real().revoke(),
          })),
        });
        const response = await slow.refresh(demo, token);
        expect(await refusal(response)).toEqual(expectedRefusal);
        expect(await loginsOf(user_id)).toEqual([]);
        expect(await refusal(await server.refresh(demo, token))).toEqual(
          expectedRefusal,
        );
      }
    },
  );
});

describe("the ledger of league tokens", () => {
  it("counts each exchanged token once", async () => {
    const before = await counts();
    const token = await oldToken({});
    const { refresh_token } = await server.expectRefresh(demo, token);
    await server.expectRefresh(demo, refresh_token);
    await server.refresh(demo, token);
    expect(await counts()).toEqual({
      accepts_tokens: true,
      exchanged: before.exchanged + 1,
      revoked: before.revoked,
    });
  });

  it("counts the tokens of a request by their state, and counting writes nothing", async () => {
    const used = newTokenId();
    const token = await oldToken({ refresh_token_id: used });
    await server.expectRefresh(demo, token);
    const dead = [newTokenId(), newTokenId()];
    await revoke(dead.map((refresh_token_id) => ({ refresh_token_id })));
    const late = newTokenId();
    const lateToken = await oldToken({ refresh_token_id: late });
    await server.expectRefresh(demo, lateToken);
    await revoke([{ refresh_token_id: late }]);
    const unknown = Array.from({ length: 40 }, newTokenId);
    const before = await counts();
    const ask = (refresh_token_ids: string[]) =>
      server.admin("POST", "/league/tokens", { refresh_token_ids });
    const response = await ask([used, ...dead, late, ...unknown]);
    expect(await response.json()).toEqual({
      exchanged: 1,
      revoked: 3,
      unknown: 40,
    });
    expect(await counts()).toEqual(before);
    for (const ids of [[], ["a b"], Array.from({ length: 101 }, newTokenId)])
      expect(await refusal(await ask(ids))).toEqual([
        400,
        "invalid_request",
        "admin_body_invalid",
      ]);
  });

  it("keeps a revocation until the token has expired, and then leaves nothing", async () => {
    for (const id of await ledgersInUse()) {
      vi.useFakeTimers({ toFake: ["Date"], now: 3_000_000_000_000 });
      await runDurableObjectAlarm(env.LEAGUE_LEDGER.get(id));
    }
    vi.useRealTimers();
    const soon = now() + 3600;
    const refresh_token_id = newTokenId();
    await revoke([
      { refresh_token_id, expires_at: soon },
      { refresh_token_id: newTokenId(), expires_at: soon },
    ]);
    const token = await oldToken({ refresh_token_id, expire_time: soon });
    await expectRefused(server, demo, token, "league_token_revoked");

    vi.useFakeTimers({ toFake: ["Date"], now: (soon + 1) * 1000 });
    expect(await counts()).toMatchObject({ revoked: 0 });
    await expectRefused(server, demo, token, "refresh_token_expired");
    // It stays for another minute, because clocks differ.
    vi.setSystemTime((soon + 30) * 1000);
    const full = await ledgersInUse();
    for (const id of full)
      await runDurableObjectAlarm(env.LEAGUE_LEDGER.get(id));
    expect(full).not.toEqual([]);
    expect(await ledgersInUse()).toEqual(full);
    vi.setSystemTime((soon + 61) * 1000);
    for (const id of await ledgersInUse())
      expect(await runDurableObjectAlarm(env.LEAGUE_LEDGER.get(id))).toBe(true);
    expect(await ledgersInUse()).toEqual([]);
  });

  it("keeps what has not expired when its alarm fires, and sets the alarm again", async () => {
    const refresh_token_id = newTokenId();
    await revoke([{ refresh_token_id, expires_at: now() + YEAR }]);
    const ids = await ledgersInUse();
    for (const id of ids)
      expect(await runDurableObjectAlarm(env.LEAGUE_LEDGER.get(id))).toBe(true);
    expect(await ledgersInUse()).toEqual(ids);
    await expectRefused(
      server,
      demo,
      await oldToken({ refresh_token_id }),
      "league_token_revoked",
    );
  });

  it("keeps a revocation for the longest life of a token if it is reported without an expiry", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const [month, year] = [newTokenId(), newTokenId()];
    await revoke([{ refresh_token_id: month }], { refresh_token_ttl: "P1M" });
    await revoke([{ refresh_token_id: year }]);
    vi.setSystemTime(Date.now() + 40 * 86_400_000);
    const client = await takeOver(server, "later");
    const own = { client_id: "later" };
    const free = await oldToken({ ...own, refresh_token_id: month });
    await server.expectRefresh(client, free);
    const dead = await oldToken({ ...own, refresh_token_id: year });
    expect(await refusal(await server.refresh(client, dead))).toEqual([
      400,
      "invalid_grant",
      "league_token_revoked",
    ]);
  });

  it.each([
    ["no tokens", { tokens: [] }, "tokens"],
    [
      "more than a hundred tokens",
      {
        tokens: Array.from({ length: 101 }, () => ({ refresh_token_id: "a" })),
      },
      "tokens",
    ],
    [
      "an id with spaces",
      { tokens: [{ refresh_token_id: "a b" }] },
      "tokens.0.refresh_token_id",
    ],
    [
      "a time in words",
      { tokens: [{ refresh_token_id: "a", expires_at: "2027-01-01" }] },
      "tokens.0.expires_at",
    ],
    [
      "a malformed lifetime",
      { tokens: [{ refresh_token_id: "a" }], refresh_token_ttl: "1 year" },
      "refresh_token_ttl",
    ],
  ])("refuses a request with %s", async (_, body, field) => {
    const response = await server.admin("POST", "/league/revoked-tokens", body);
    expect(Object.keys(await fieldErrors(response))).toEqual([field]);
  });
});
