import { env } from "cloudflare:workers";
import { decodeJwt } from "jose";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { BUSY } from "../support/busy.ts";
import {
  storageOf,
  leagueServer,
  newTokenId,
  oldToken,
  takeOver,
  vector,
} from "../support/league.ts";
import { countRefusals, refusal, type TestClient } from "../support/server.ts";
import { loginsOf, logOut } from "../support/subjects.ts";

/** A league token becomes a login like any other. */

const server = leagueServer("defuse");
let demo: TestClient;

beforeAll(async () => {
  demo = await takeOver(server, "demo");
});

/** Makes the name of a user that no other test has. */
function newUser(): string {
  return `user-${crypto.randomUUID()}`;
}

describe("the login that a league token becomes", () => {
  it("is made once, however many exchanges of the token arrive at the same time", async () => {
    const token = await oldToken({});
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => server.refresh(demo, token)),
    );
    const lost = answers.filter(({ status }) => status !== 200);
    expect(lost).toHaveLength(49);
    expect(await countRefusals(lost)).toEqual({
      "400 invalid_grant refresh_token_reused": 1,
      "400 invalid_grant family_ended": 48,
    });
  });

  it("ends when the league token comes back, because it is a used token", async () => {
    const token = await oldToken({});
    const { refresh_token } = await server.expectRefresh(demo, token);
    expect(await refusal(await server.refresh(demo, token))).toEqual([
      400,
      "invalid_grant",
      "refresh_token_reused",
    ]);
    for (const one of [refresh_token, token]) {
      expect(await refusal(await server.refresh(demo, one))).toEqual([
        400,
        "invalid_grant",
        "family_ended",
      ]);
    }
  });

  it("can be used and ended also if the league token practically never expires", async () => {
    const refresh_token_id = newTokenId();
    const user_id = newUser();
    const expire_time = 253_402_300_799;
    const token = await oldToken({ refresh_token_id, user_id, expire_time });
    const { refresh_token } = await server.expectRefresh(demo, token);
    await server.expectRefresh(demo, refresh_token);
    expect(await logOut(user_id)).toEqual({ revoked: 1 });
    const family = env.TOKEN_FAMILY.getByName(refresh_token_id);
    await vi.waitFor(async () => {
      const { rows, alarm } = await storageOf(family);
      expect(rows).toBe(1);
      expect(new Date(alarm ?? 0).getUTCFullYear()).toBe(2150);
    }, BUSY);
    expect(await refusal(await server.refresh(demo, token))).toEqual([
      400,
      "invalid_grant",
      "league_token_logged_out",
    ]);
  });

  it("ends when the league token comes back after several rotations", async () => {
    const token = await oldToken({});
    let { refresh_token } = await server.expectRefresh(demo, token);
    for (let rotations = 0; rotations < 3; rotations++)
      ({ refresh_token } = await server.expectRefresh(demo, refresh_token));
    expect(await refusal(await server.refresh(demo, token))).toEqual([
      400,
      "invalid_grant",
      "refresh_token_reused",
    ]);
    expect(await refusal(await server.refresh(demo, refresh_token))).toEqual([
      400,
      "invalid_grant",
      "family_ended",
    ]);
  });

  it("gives the same successor to every retry inside the window, also in a race", async () => {
    const patient = await takeOver(server, "patient", {
      refresh_token_retry_window: "PT1M",
    });
    const user_id = newUser();
    const token = await oldToken({ client_id: "patient", user_id });
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => server.expectRefresh(patient, token)),
    );
    answers.push(await server.expectRefresh(patient, token));
    const successors = new Set(answers.map((one) => one.refresh_token));
    expect(successors.size).toBe(1);
    expect(await loginsOf(user_id)).toHaveLength(1);
    const other = await server.expectRefresh(patient, token, { scope: "read" });
    expect(other).toMatchObject({
      refresh_token: [...successors][0],
      scope: "read",
    });
    await server.expectRefresh(patient, [...successors][0]!);
  });

  it("is listed, introspected and revoked like any other", async () => {
    const user_id = newUser();
    const token = await oldToken({ user_id });
    const tokens = await server.expectRefresh(demo, token);
    expect(await loginsOf(user_id)).toMatchObject([
      { client_id: "demo", scope: "read write" },
    ]);
    const introspection = await server.about(
      "/introspect",
      demo,
      tokens.access_token,
    );
    expect(await introspection.json()).toMatchObject({
      active: true,
      sub: user_id,
    });
    await server.about("/revoke", demo, tokens.refresh_token);
    expect(await loginsOf(user_id)).toEqual([]);
    expect(await refusal(await server.refresh(demo, token))).toEqual([
      400,
      "invalid_grant",
      "family_ended",
    ]);
  });

  it("ends with the user's other logins when the user is logged out everywhere", async () => {
    const user_id = newUser();
    const token = await oldToken({ user_id });
    const tokens = await server.expectRefresh(demo, token);
    expect(await logOut(user_id)).toEqual({ revoked: 1 });
    for (const [one, reason] of [
      [tokens.refresh_token, "family_ended"],
      [token, "league_token_logged_out"],
    ] as const)
      expect(await refusal(await server.refresh(demo, one))).toEqual([
        400,
        "invalid_grant",
        reason,
      ]);
  });

  it("lets the client choose a resource, like a login that was granted without one", async () => {
    const client = await takeOver(server, "chooser", {
      resources: ["https://api.example.com"],
    });
    const token = await oldToken({ client_id: "chooser" });
    const { access_token } = await server.expectRefresh(client, token, {
      resource: "https://api.example.com",
    });
    expect(decodeJwt(access_token).aud).toBe("https://api.example.com");
  });

  it("belongs to the user that the token names, in any alphabet", async () => {
    const { refresh_token, payload } = vector("subject beyond ASCII", "defuse");
    const subject = encodeURIComponent(payload.user_id ?? "");
    await server.expectRefresh(demo, refresh_token);
    expect(await loginsOf(subject)).toMatchObject([{ client_id: "demo" }]);
    expect(await logOut(subject)).toEqual({ revoked: 1 });
    expect(decodeURIComponent(subject)).toBe("Zoë 用户 7");
  });
});
