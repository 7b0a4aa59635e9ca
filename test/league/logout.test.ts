import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import {
  expectRefused,
  storageOf,
  keys,
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

/** A logout holds on every device, also on one that has a league token. */

const server = leagueServer("defuse");
const YEAR = 365 * 86_400;
let demo: TestClient;

beforeAll(async () => {
  demo = await takeOver(server, "demo");
});

afterEach(() => {
  vi.useRealTimers();
});

function now(): number {
  return Math.floor(Date.now() / 1000);
}

describe("a client that revokes a league token", () => {
  it("can't use it any more, whether it was exchanged or not", async () => {
    const unused = await oldToken({});
    expect((await server.about("/revoke", demo, unused)).status).toBe(200);
    await expectRefused(server, demo, unused, "league_token_revoked");

    const used = await oldToken({});
    const { refresh_token } = await server.expectRefresh(demo, used);
    expect((await server.about("/revoke", demo, used)).status).toBe(200);
    expect(await refusal(await server.refresh(demo, refresh_token))).toEqual([
      400,
      "invalid_grant",
      "family_ended",
    ]);
    // The token can be revoked again, and so can its successor.
    expect((await server.about("/revoke", demo, used)).status).toBe(200);
    expect((await server.about("/revoke", demo, refresh_token)).status).toBe(
      200,
    );
  });

  it("ends the login that the token became, also if the token has expired since", async () => {
    const expire_time = now() + 60;
    const token = await oldToken({ expire_time });
    const { refresh_token } = await server.expectRefresh(demo, token);
    vi.useFakeTimers({ toFake: ["Date"], now: (expire_time + 1) * 1000 });
    expect((await server.about("/revoke", demo, token)).status).toBe(200);
    expect(await refusal(await server.refresh(demo, refresh_token))).toEqual([
      400,
      "invalid_grant",
      "family_ended",
    ]);
  });

  it("must be the client in the token: otherwise it is refused, and the token stays good", async () => {
    const other = await takeOver(server, "other");
    const token = await oldToken({});
    expect(await refusal(await server.about("/revoke", other, token))).toEqual([
      400,
      "invalid_grant",
      "token_of_another_client",
    ]);
    await server.expectRefresh(demo, token);
  });

  it("does not end the login of another token with the same id", async () => {
    const refresh_token_id = newTokenId();
    const token = await oldToken({ refresh_token_id });
    const { refresh_token } = await server.expectRefresh(demo, token);
    const twin = await oldToken({ refresh_token_id });
    const other = await takeOver(server, "twin");
    const foreign = await oldToken({ refresh_token_id, client_id: "twin" });
    for (const [client, one] of [
      [demo, twin],
      [other, foreign],
    ] as const) {
      const response = await server.about("/revoke", client, one);
      expect(await refusal(response)).toEqual([
        400,
        "invalid_grant",
        "refresh_token_forged",
      ]);
      expect(await refusal(await server.refresh(client, one))).toEqual([
        400,
        "invalid_grant",
        "refresh_token_forged",
      ]);
    }
    await server.expectRefresh(demo, refresh_token);
  });

  it("gets 200 for a text that is not a token, and nothing is written", async () => {
    const token = await oldToken({});
    const forged = token.slice(0, -2) + (token.endsWith("00") ? "01" : "00");
    const before = await objectIds();
    for (const invalid of [forged, "def50200", token.toUpperCase()])
      expect((await server.about("/revoke", demo, invalid)).status).toBe(200);
    // A good token gets 200 too while the old server's key is not set.
    expect((await ordinary.about("/revoke", demo, token)).status).toBe(200);
    expect(await objectIds()).toEqual(before);
    await server.expectRefresh(demo, token);
  });
});

describe("introspection of a league token", () => {
  async function introspect(client: TestClient, token: string) {
    const response = await server.about("/introspect", client, token);
    expect(response.status).toBe(200);
    return response.json<{ active: boolean }>();
  }

  it("tells its client that it is active until it is exchanged", async () => {
    const user_id = crypto.randomUUID();
    const token = await oldToken({ user_id });
    expect(await introspect(demo, token)).toEqual({
      active: true,
      client_id: "demo",
      sub: user_id,
      scope: "read write",
      exp: 2_111_002_082,
    });
    const other = await takeOver(server, "curious");
    expect(await introspect(other, token)).toEqual({ active: false });
    await server.expectRefresh(demo, token);
    expect(await introspect(demo, token)).toEqual({ active: false });
  });

  it("tells its client that it is not active if it is revoked, logged out, expired or forged", async () => {
    const revoked = await oldToken({});
    await server.about("/revoke", demo, revoked);
    const user_id = crypto.randomUUID();
    const loggedOut = await oldToken({ user_id });
    await logOut(user_id);
    const expired = await oldToken({ expire_time: now() - 1 });
    const forged = `${await oldToken({})}00`;
    for (const token of [revoked, loggedOut, expired, forged])
      expect(await introspect(demo, token)).toEqual({ active: false });
  });
});

describe("a user who is logged out everywhere", () => {
  it("is logged out also on devices that have a league token", async () => {
    const user_id = crypto.randomUUID();
    const [first, second] = [
      await oldToken({ user_id }),
      await oldToken({ user_id }),
    ];
    await server.expectRefresh(demo, first);
    expect(await logOut(user_id)).toEqual({ revoked: 1 });
    await expectRefused(server, demo, second, "league_token_logged_out");
    expect(await loginsOf(user_id)).toEqual([]);
    // The user may sign in again.
    const { refresh_token } = await server.login(demo, { subject: user_id });
    await server.expectRefresh(demo, refresh_token);
    await expectRefused(server, demo, second, "league_token_logged_out");
  });

  it("is logged out also if a league token is exchanged at the same time", async () => {
    const rounds = Array.from({ length: 20 }, async () => {
      const user_id = crypto.randomUUID();
      const token = await oldToken({ user_id });
      const [response] = await Promise.all([
        server.refresh(demo, token),
        logOut(user_id),
      ]);
      if (response.status === 200) {
        const { refresh_token } = await response.json<{
          refresh_token: string;
        }>();
        const next = await server.refresh(demo, refresh_token);
        expect(await refusal(next)).toEqual([
          400,
          "invalid_grant",
          "family_ended",
        ]);
      } else {
        expect(await refusal(response)).toEqual([
          400,
          "invalid_grant",
          "league_token_logged_out",
        ]);
      }
      expect(await loginsOf(user_id)).toEqual([]);
    });
    await Promise.all(rounds);
    expect(rounds).toHaveLength(20);
  });

  it("stays logged out while league tokens are accepted, and leaves no record afterwards", async () => {
    const user_id = crypto.randomUUID();
    await logOut(user_id);
    const index = env.SUBJECT_INDEX.getByName(user_id);
    const setKey = (key: string) =>
      runInDurableObject(index, (object) => {
        const own = { ...env, LEAGUE_ENCRYPTION_KEY: key };
        Object.assign(object, { env: own });
      });
    await setKey(keys.defuse.value);
    await logOut(user_id);
    // The key may be unset for a while, and the user may be logged out again meanwhile.
    await setKey("");
    await logOut(user_id);
    vi.useFakeTimers({
      toFake: ["Date"],
      now: Date.now() + 300 * 86_400_000,
    });
    expect(await runDurableObjectAlarm(index)).toBe(true);
    vi.useRealTimers();
    await setKey(keys.defuse.value);
    for (const months of [1, 2, 30]) {
      vi.useFakeTimers({
        toFake: ["Date"],
        now: Date.now() + months * 31 * 86_400_000,
      });
      expect(await runDurableObjectAlarm(index)).toBe(true);
      vi.useRealTimers();
    }
    await expectRefused(
      server,
      demo,
      await oldToken({ user_id }),
      "league_token_logged_out",
    );

    await setKey("");
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + YEAR * 10_000 });
    expect(await runDurableObjectAlarm(index)).toBe(true);
    expect(await storageOf(index)).toEqual({ rows: 0, alarm: null });
  });
});
