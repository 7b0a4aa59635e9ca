import { env } from "cloudflare:workers";
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  decide,
  expectTokens,
  makeWebClient,
  obtainCode,
  redeem,
  requestAtLogin,
} from "../support/authorization.ts";
import { fault } from "../support/faults.ts";
import { refusal, server, serverWith } from "../support/server.ts";
import { loginsOf, logOut } from "../support/subjects.ts";

/** Tests that logging out everywhere includes codes that have not been redeemed yet. */

afterEach(() => {
  vi.useRealTimers();
});

function indexOf(subject: string) {
  return env.SUBJECT_INDEX.get(env.SUBJECT_INDEX.idFromName(subject));
}

describe("logging out everywhere", () => {
  it("revokes a code that was made before and has not been redeemed yet", async () => {
    const client = await makeWebClient();
    const subject = crypto.randomUUID();
    const code = await obtainCode(client, {}, { subject });
    expect(await logOut(subject)).toEqual({ revoked: 0 });
    expect(await refusal(await redeem(client, code))).toEqual([
      400,
      "invalid_grant",
      "authorization_code_revoked",
    ]);
    expect(await loginsOf(subject)).toEqual([]);
    expect(await refusal(await redeem(client, code))).toEqual([
      400,
      "invalid_grant",
      "authorization_code_revoked",
    ]);
  });

  it("revokes such a code even if it also ended a login, which has left the index", async () => {
    const client = await makeWebClient();
    const subject = crypto.randomUUID();
    const first = await obtainCode(client, {}, { subject });
    await expectTokens(await redeem(client, first));
    const code = await obtainCode(client, {}, { subject });
    expect(await logOut(subject)).toEqual({ revoked: 1 });
    expect(await refusal(await redeem(client, code))).toEqual([
      400,
      "invalid_grant",
      "authorization_code_revoked",
    ]);
  });

  it("lets a user sign in again at once, even with the same request", async () => {
    const client = await makeWebClient();
    const subject = crypto.randomUUID();
    const request = await requestAtLogin(client);
    await logOut(subject);
    const code =
      (await decide(request, { subject })).searchParams.get("code") ?? "";
    const { refresh_token } = await expectTokens(await redeem(client, code));
    await server.expectRefresh(client, refresh_token);
  });

  it("does not revoke another user's code", async () => {
    const client = await makeWebClient();
    const code = await obtainCode(client, {}, { subject: crypto.randomUUID() });
    await logOut(crypto.randomUUID());
    expect((await redeem(client, code)).status).toBe(200);
  });

  it("ends the logins of codes that are redeemed at the same moment", async () => {
    const client = await makeWebClient();
    const subject = crypto.randomUUID();
    const codes = await Promise.all(
      Array.from({ length: 10 }, () => obtainCode(client, {}, { subject })),
    );
    const [, ...redeemed] = await Promise.all([
      logOut(subject),
      ...codes.map((code) => redeem(client, code)),
    ]);
    for (const response of redeemed) {
      if (response.status !== 200) continue;
      const { refresh_token } = await expectTokens(response);
      expect(
        await refusal(await server.refresh(client, refresh_token)),
      ).toEqual([400, "invalid_grant", "family_ended"]);
    }
    expect(await loginsOf(subject)).toEqual([]);
  });

  it("leaves zero bytes once every code from before has expired", async () => {
    const subject = crypto.randomUUID();
    await logOut(subject);
    const index = indexOf(subject);
    const keys = () =>
      runInDurableObject(
        index,
        (_, { storage }) => [...storage.kv.list()].length,
      );
    expect(await keys()).toBe(1);
    const alarm = await runInDurableObject(index, (_, { storage }) =>
      storage.getAlarm(),
    );
    expect((alarm ?? 0) - Date.now()).toBeGreaterThan(60_000);
    // An alarm that fires too early only sets itself again.
    expect(await runDurableObjectAlarm(index)).toBe(true);
    expect(await keys()).toBe(1);
    vi.useFakeTimers({ toFake: ["Date"], now: alarm ?? 0 });
    expect(await runDurableObjectAlarm(index)).toBe(true);
    expect(await keys()).toBe(0);
  });

  it("does not harm a later sign-in with the same request if the code from before is redeemed first", async () => {
    const client = await makeWebClient();
    const subject = crypto.randomUUID();
    const request = await requestAtLogin(client);
    const makeCode = async () =>
      (await decide(request, { subject })).searchParams.get("code") ?? "";
    const before = await makeCode();
    await logOut(subject);
    const later = await makeCode();
    expect(await refusal(await redeem(client, before))).toEqual([
      400,
      "invalid_grant",
      "authorization_code_revoked",
    ]);
    const { refresh_token } = await expectTokens(await redeem(client, later));
    await server.expectRefresh(client, refresh_token);
    expect(await logOut(subject)).toEqual({ revoked: 1 });
  });

  it("ends the listed logins even if the index can't store the logout, and answers 503", async () => {
    const client = await makeWebClient();
    const subject = crypto.randomUUID();
    const code = await obtainCode(client, {}, { subject });
    const { refresh_token } = await expectTokens(await redeem(client, code));
    const faulty = serverWith({
      SUBJECT_INDEX: indexesThatCannotStoreLogouts(),
    });
    const path = `/subjects/${subject}/grants`;
    const response = await faulty.admin("DELETE", path);
    expect(await refusal(response)).toEqual([
      503,
      "temporarily_unavailable",
      "storage_unavailable",
    ]);
    expect(await refusal(await server.refresh(client, refresh_token))).toEqual([
      400,
      "invalid_grant",
      "family_ended",
    ]);
  });
});

/** Indexes that can't store a logout, and can do everything else. */
function indexesThatCannotStoreLogouts() {
  return new Proxy(env.SUBJECT_INDEX, {
    get(namespace, name) {
      const method: unknown = Reflect.get(namespace, name);
      if (typeof method !== "function") return method;
      if (name !== "get") return method.bind(namespace);
      return (id: DurableObjectId) => {
        const index = namespace.get(id);
        return {
          remove: (familyIds: string[]) => index.remove(familyIds),
          list: (limit: number, after?: string) => index.list(limit, after),
          logOut: () => fault("unreachable"),
        };
      };
    },
  });
}
