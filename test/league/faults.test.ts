import { runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { LeagueLedger, TokenFamily } from "../../src/index.ts";
import { familiesWith, fault } from "../support/faults.ts";
import {
  storageOf,
  leagueServer,
  newTokenId,
  oldToken,
  takeOver,
} from "../support/league.ts";
import { listenToLog, parsedLog } from "../support/log.ts";
import { refusal, type TestClient } from "../support/server.ts";
import { loginsOf } from "../support/subjects.ts";

/** A fault of the server does not use up a league token, whichever call fails. */

const server = leagueServer("defuse");
/** Later than the clock of any machine that runs these tests, so that no alarm fires by itself. */
const T0 = 4_000_000_000;
const unavailable = [503, "temporarily_unavailable", "storage_unavailable"];
let demo: TestClient;
let clientWithWindow: TestClient;

beforeAll(async () => {
  demo = await takeOver(server, "demo");
  clientWithWindow = await takeOver(server, "patient", {
    refresh_token_retry_window: "PT1M",
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Makes a namespace with stubs that fail. @param when true for the methods that fail */
function failing(namespace: object, when: (method: string) => boolean) {
  return new Proxy(namespace, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== "function") return method;
      if (name !== "get") return method.bind(target);
      return (id: unknown) => {
        const stub = method.call(target, id) as object;
        return new Proxy(stub, {
          get(real, called) {
            if (when(String(called)))
              return () => fault("gone", { overloaded: true });
            const own: unknown = Reflect.get(real, called);
            if (typeof own !== "function") return own;
            // Not `own.apply`: the stub would call a method `apply` of the object.
            return (...args: unknown[]): unknown =>
              Reflect.apply(own, real, args);
          },
        });
      };
    },
  });
}

/** Sets the clock and lets the object's alarm fire. */
async function alarmAt(
  object: DurableObjectStub<TokenFamily>,
  milliseconds: number,
): Promise<void> {
  vi.useFakeTimers({ toFake: ["Date"], now: milliseconds });
  expect(await runDurableObjectAlarm(object)).toBe(true);
}

const places = [
  ["the ledger is read", "LEAGUE_LEDGER", "stateOf"],
  ["the subject index is read", "SUBJECT_INDEX", "isLoggedOut"],
  ["the family is made", "TOKEN_FAMILY", "adopt"],
  ["the subject index is written", "SUBJECT_INDEX", "add"],
  ["the ledger is written", "LEAGUE_LEDGER", "noteExchange"],
] as const;

describe("a fault of the storage", () => {
  it.each(places)(
    "does not use up a token when %s",
    async (_, binding, method) => {
      const user_id = crypto.randomUUID();
      const token = await oldToken({ user_id });
      const broken = leagueServer("defuse", {
        [binding]: failing(env[binding], (called) => called === method),
      });
      for (let times = 0; times < 2; times++) {
        const response = await broken.refresh(demo, token);
        expect(response.headers.get("Retry-After")).toMatch(/^[1-3]$/);
        expect(await refusal(response)).toEqual(unavailable);
      }
      const lines = listenToLog();
      const { refresh_token } = await server.expectRefresh(demo, token);
      expect(parsedLog(lines)).toMatchObject([
        { event: "league_token.exchanged" },
        { event: "request", outcome: "ok" },
      ]);
      await server.expectRefresh(demo, refresh_token);
      expect(await loginsOf(user_id)).toHaveLength(1);
    },
  );

  it("leaves the family that was taken back until the token expires, and the token good for one exchange", async () => {
    const refresh_token_id = newTokenId();
    const token = await oldToken({ refresh_token_id });
    const broken = leagueServer("defuse", {
      SUBJECT_INDEX: failing(env.SUBJECT_INDEX, (called) => called === "add"),
    });
    await broken.refresh(demo, token);
    const family = env.TOKEN_FAMILY.getByName(refresh_token_id);
    expect(await storageOf(family)).toEqual({
      rows: 1,
      alarm: (2_111_002_082 + 60) * 1000,
    });
    const { refresh_token } = await server.expectRefresh(demo, token);
    expect(await refusal(await server.refresh(demo, token))).toEqual([
      400,
      "invalid_grant",
      "refresh_token_reused",
    ]);
    const next = await server.refresh(demo, refresh_token);
    expect(await refusal(next)).toEqual([400, "invalid_grant", "family_ended"]);
  });

  it("does not show if a second try succeeds: there is one login, and one line in the log", async () => {
    const user_id = crypto.randomUUID();
    const token = await oldToken({ user_id });
    let tries = 0;
    const losingFamilies = familiesWith((_, real) => ({
      async adopt(...args: Parameters<TokenFamily["adopt"]>) {
        const result = await real().adopt(...args);
        if (tries++ === 0) fault("the answer was lost", { retryable: true });
        return result;
      },
    }));
    const losing = leagueServer("defuse", { TOKEN_FAMILY: losingFamilies });
    const lines = listenToLog();
    const { refresh_token } = await losing.expectRefresh(demo, token);
    const events = parsedLog(lines).map(({ event }) => event);
    expect(events).toEqual(["league_token.exchanged", "request"]);
    expect(tries).toBe(2);
    await server.expectRefresh(demo, refresh_token);
    expect(await loginsOf(user_id)).toHaveLength(1);
  });

  it("does not take back the login if a retry got its answer meanwhile", async () => {
    const user_id = crypto.randomUUID();
    const token = await oldToken({ client_id: "patient", user_id });
    let successor = "";
    const slow = leagueServer("defuse", {
      SUBJECT_INDEX: failing(env.SUBJECT_INDEX, (called) => called === "add"),
      // The retry succeeds after the first request has made the family and before that request fails.
      TOKEN_FAMILY: familiesWith((_, real) => ({
        async adopt(...args: Parameters<TokenFamily["adopt"]>) {
          const result = await real().adopt(...args);
          const retry = await server.expectRefresh(clientWithWindow, token);
          successor = retry.refresh_token;
          return result;
        },
        abandon: (...args: Parameters<TokenFamily["abandon"]>) =>
          real().abandon(...args),
      })),
    });
    expect(await refusal(await slow.refresh(clientWithWindow, token))).toEqual(
      unavailable,
    );
    expect(successor).not.toBe("");
    await server.expectRefresh(clientWithWindow, successor);
    expect(await loginsOf(user_id)).toHaveLength(1);
  });
});

describe("an exchange that was taken back", () => {
  const withoutIndexWrites = () =>
    leagueServer("defuse", {
      SUBJECT_INDEX: failing(env.SUBJECT_INDEX, (called) => called === "add"),
    });

  it("does not count as an exchange: the token still counts as unknown", async () => {
    const refresh_token_id = newTokenId();
    const token = await oldToken({ refresh_token_id });
    expect(
      await refusal(await withoutIndexWrites().refresh(demo, token)),
    ).toEqual(unavailable);
    const ask = () =>
      server.expectAdmin("POST", "/league/tokens", {
        refresh_token_ids: [refresh_token_id],
      });
    expect(await ask()).toMatchObject({ exchanged: 0, unknown: 1 });
    await server.expectRefresh(demo, token);
    expect(await ask()).toMatchObject({ exchanged: 1, unknown: 0 });
  });

  it("does not shorten the time in which a revocation of the token ends the later login", async () => {
    const refresh_token_id = newTokenId();
    const day = 86_400;
    const expire_time = T0 + 300 * day;
    const token = await oldToken({
      client_id: "long-lived",
      refresh_token_id,
      expire_time,
    });
    const setDay = (days: number) => {
      vi.useFakeTimers({ toFake: ["Date"], now: (T0 + days * day) * 1000 });
    };
    setDay(0);
    const client = await takeOver(server, "long-lived", {
      refresh_token_ttl: "P400D",
      refresh_token_max_age: "P400D",
    });
    // The ledger stores the note, and then the call fails.
    const broken = leagueServer("defuse", {
      LEAGUE_LEDGER: new Proxy(env.LEAGUE_LEDGER, {
        get(namespace, name) {
          const method: unknown = Reflect.get(namespace, name);
          if (typeof method !== "function") return method;
          if (name !== "get") return method.bind(namespace);
          return (id: DurableObjectId) => {
            const ledger = namespace.get(id);
            return {
              stateOf: (one: string) => ledger.stateOf(one),
              async noteExchange(
                ...args: Parameters<LeagueLedger["noteExchange"]>
              ) {
                await ledger.noteExchange(...args);
                fault("gone", { overloaded: true });
              },
            };
          };
        },
      }),
    });
    expect(await refusal(await broken.refresh(client, token))).toEqual(
      unavailable,
    );
    setDay(290);
    const { refresh_token } = await server.expectRefresh(client, token);
    setDay(450);
    expect(
      await server.expectAdmin("POST", "/league/revoked-tokens", {
        tokens: [{ refresh_token_id, expires_at: expire_time }],
      }),
    ).toMatchObject({ ended: 1 });
    expect(await refusal(await server.refresh(client, refresh_token))).toEqual([
      400,
      "invalid_grant",
      "family_ended",
    ]);
  });
});

describe("several tabs with one league token", () => {
  it("do not use it up if each of them meets a fault", async () => {
    const token = await oldToken({ client_id: "patient" });
    let waiting = 0;
    let releaseBoth = () => {};
    const bothExchanged = new Promise<void>(
      (resolve) => (releaseBoth = resolve),
    );
    const broken = leagueServer("defuse", {
      SUBJECT_INDEX: failing(env.SUBJECT_INDEX, (called) => called === "add"),
      // Neither request fails before both have been exchanged.
      TOKEN_FAMILY: familiesWith((_, real) => ({
        async adopt(...args: Parameters<TokenFamily["adopt"]>) {
          const result = await real().adopt(...args);
          waiting += 1;
          if (waiting === 2) releaseBoth();
          await bothExchanged;
          return result;
        },
        abandon: (...args: Parameters<TokenFamily["abandon"]>) =>
          real().abandon(...args),
      })),
    });
    const answers = await Promise.all([
      broken.refresh(clientWithWindow, token),
      broken.refresh(clientWithWindow, token),
    ]);
    for (const answer of answers)
      expect(await refusal(answer)).toEqual(unavailable);
    // Long after the retry window.
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_600_000 });
    const introspection = await server.about(
      "/introspect",
      clientWithWindow,
      token,
    );
    expect(await introspection.json()).toMatchObject({ active: true });
    const { refresh_token } = await server.expectRefresh(
      clientWithWindow,
      token,
    );
    await server.expectRefresh(clientWithWindow, refresh_token);
  });

  it("keep the login that one of them got, however many of the others meet a fault", async () => {
    const token = await oldToken({ client_id: "patient" });
    const answered = await server.expectRefresh(clientWithWindow, token);
    const broken = leagueServer("defuse", {
      SUBJECT_INDEX: failing(env.SUBJECT_INDEX, (called) => called === "add"),
    });
    for (let tabs = 0; tabs < 20; tabs++)
      expect(
        await refusal(await broken.refresh(clientWithWindow, token)),
      ).toEqual(unavailable);
    const again = await server.expectRefresh(clientWithWindow, token);
    expect(again.refresh_token).toBe(answered.refresh_token);
    await server.expectRefresh(clientWithWindow, answered.refresh_token);
  });
});

describe("the record of a login that began with a league token", () => {
  it("stays until the token has expired, so that the token can't begin a second login", async () => {
    const refresh_token_id = newTokenId();
    const expire_time = T0 + 7 * 86_400;
    const token = await oldToken({ refresh_token_id, expire_time });
    vi.useFakeTimers({ toFake: ["Date"], now: T0 * 1000 });
    const { refresh_token } = await server.expectRefresh(demo, token);
    await server.about("/revoke", demo, refresh_token);
    const family = env.TOKEN_FAMILY.getByName(refresh_token_id);
    await alarmAt(family, T0 * 1000);
    expect(await storageOf(family)).toEqual({
      rows: 1,
      alarm: (expire_time + 60) * 1000,
    });
    expect(await refusal(await server.refresh(demo, token))).toEqual([
      400,
      "invalid_grant",
      "family_ended",
    ]);
    await alarmAt(family, (expire_time + 60) * 1000);
    expect(await storageOf(family)).toEqual({ rows: 0, alarm: null });
  });

  it("is deleted with the login if the token has expired before", async () => {
    const refresh_token_id = newTokenId();
    const expire_time = T0 + 60;
    const token = await oldToken({ refresh_token_id, expire_time });
    vi.useFakeTimers({ toFake: ["Date"], now: T0 * 1000 });
    await server.expectRefresh(demo, token);
    const family = env.TOKEN_FAMILY.getByName(refresh_token_id);
    // The successor, which is good for a month, has expired.
    await alarmAt(family, (T0 + 32 * 86_400) * 1000);
    expect(await storageOf(family)).toEqual({ rows: 0, alarm: null });
  });
});
