import { env } from "cloudflare:workers";
import {
  listDurableObjectIds,
  runDurableObjectAlarm,
  runInDurableObject,
} from "cloudflare:test";
import { describe, expect, it, vi } from "vitest";
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

/** A logout everywhere holds for codes that are on their way; a fault uses no code up. */

const logOut = (subject: string) =>
  server.expectAdmin<{ revoked: number }>(
    "DELETE",
    `/subjects/${subject}/grants`,
  );

async function loginsOf(subject: string): Promise<object[]> {
  const path = `/subjects/${subject}/grants`;
  return (await server.expectAdmin<{ grants: object[] }>("GET", path)).grants;
}

function indexOf(subject: string) {
  return env.SUBJECT_INDEX.get(env.SUBJECT_INDEX.idFromName(subject));
}

describe("logging out everywhere", () => {
  it("also holds for a code that was made before and not redeemed yet", async () => {
    const client = await makeWebClient();
    const subject = crypto.randomUUID();
    const code = await obtainCode(client, {}, { subject });
    expect(await logOut(subject)).toEqual({ revoked: 0 });
    expect(await refusal(await redeem(client, code))).toEqual([
      400,
      "invalid_grant",
    ]);
    expect(await loginsOf(subject)).toEqual([]);
    expect(await refusal(await redeem(client, code))).toEqual([
      400,
      "invalid_grant",
    ]);
  });

  it("keeps nobody from signing in again at once, not even with the same request", async () => {
    const client = await makeWebClient();
    const subject = crypto.randomUUID();
    const request = await requestAtLogin(client);
    await logOut(subject);
    const code =
      (await decide(request, { subject })).searchParams.get("code") ?? "";
    const { refresh_token } = await expectTokens(await redeem(client, code));
    await server.expectRefresh(client, refresh_token);
  });

  it("does not touch another user's code", async () => {
    const client = await makeWebClient();
    const code = await obtainCode(client, {}, { subject: crypto.randomUUID() });
    await logOut(crypto.randomUUID());
    expect((await redeem(client, code)).status).toBe(200);
  });

  it("beats a code that is redeemed at the same moment: what is alive after it is listed nowhere", async () => {
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
      ).toEqual([400, "invalid_grant"]);
    }
    expect(await loginsOf(subject)).toEqual([]);
  });

  it("is forgotten when no code from before can be good any more: zero bytes are left", async () => {
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
    expect(await runDurableObjectAlarm(index)).toBe(true);
    expect(await keys()).toBe(0);
  });
});

describe("a fault of the storage", () => {
  it("uses no code up, whichever call it meets", async () => {
    const client = await makeWebClient();
    const subject = crypto.randomUUID();
    const unreachable = (namespace: object) =>
      new Proxy(namespace, {
        get(target, name) {
          const method: unknown = Reflect.get(target, name);
          if (typeof method !== "function") return method;
          return name === "get"
            ? () =>
                new Proxy(
                  {},
                  { get: () => () => fault("gone", { overloaded: true }) },
                )
            : method.bind(target);
        },
      });
    const code = await obtainCode(client, {}, { subject });
    const family = serverWith({ TOKEN_FAMILY: unreachable(env.TOKEN_FAMILY) });
    const index = serverWith({ SUBJECT_INDEX: unreachable(env.SUBJECT_INDEX) });
    for (const broken of [family, index, index]) {
      const response = await redeem(client, code, {}, broken);
      expect(response.headers.get("Retry-After")).toBe("1");
      expect(await refusal(response)).toEqual([503, "temporarily_unavailable"]);
    }
    const { refresh_token } = await expectTokens(await redeem(client, code));
    await server.expectRefresh(client, refresh_token);
    expect(await loginsOf(subject)).toHaveLength(1);
  });

  it("is survived where a second try helps: the same code makes one login", async () => {
    const client = await makeWebClient();
    const subject = crypto.randomUUID();
    const code = await obtainCode(client, {}, { subject });
    const calls = vi.fn<(method: string) => void>();
    const losesAnswers = new Proxy(env.TOKEN_FAMILY, {
      get(target, name) {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== "function") return method;
        if (name !== "get") return method.bind(target);
        return (id: DurableObjectId) => ({
          redeem: async (
            ...args: Parameters<
              ReturnType<typeof env.TOKEN_FAMILY.get>["redeem"]
            >
          ) => {
            const result = await target.get(id).redeem(...args);
            calls("redeem");
            if (calls.mock.calls.length === 1)
              fault("the answer was lost", { retryable: true });
            return result;
          },
        });
      },
    });
    const response = await redeem(
      client,
      code,
      {},
      serverWith({ TOKEN_FAMILY: losesAnswers }),
    );
    const { refresh_token } = await expectTokens(response);
    expect(calls).toHaveBeenCalledTimes(2);
    await server.expectRefresh(client, refresh_token);
    expect(await loginsOf(subject)).toHaveLength(1);
  });

  it("has no part in what the token endpoint refuses: nothing is made for a code of no use", async () => {
    const client = await makeWebClient();
    const code = await obtainCode(client);
    const before = (await listDurableObjectIds(env.TOKEN_FAMILY)).length;
    await redeem(client, code, { code_verifier: "x".repeat(43) });
    await redeem(client, `${code.slice(0, -1)}_`);
    await redeem(client, "garbage");
    expect(await listDurableObjectIds(env.TOKEN_FAMILY)).toHaveLength(before);
  });
});
