import { listDurableObjectIds } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import type { TokenFamily } from "../../src/index.ts";
import {
  expectTokens,
  makeWebClient,
  obtainCode,
  redeem,
} from "../support/authorization.ts";
import { familiesWith, fault } from "../support/faults.ts";
import { refusal, server, serverWith, type Tokens } from "../support/server.ts";
import { loginsOf, logOut } from "../support/subjects.ts";

/** Tests that a fault of the server leaves the code good, whichever call it hits, and hides no login. */

/** A namespace of which no object can be reached. */
function unreachable(namespace: object) {
  return new Proxy(namespace, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== "function") return method;
      const handler = { get: () => () => fault("gone", { overloaded: true }) };
      return name === "get"
        ? () => new Proxy({}, handler)
        : method.bind(target);
    },
  });
}

const unavailable = [503, "temporarily_unavailable", "storage_unavailable"];

describe("a fault of the storage", () => {
  it("leaves the code good if the family or the index can't be reached", async () => {
    const client = await makeWebClient();
    const subject = crypto.randomUUID();
    const code = await obtainCode(client, {}, { subject });
    const family = serverWith({ TOKEN_FAMILY: unreachable(env.TOKEN_FAMILY) });
    const index = serverWith({ SUBJECT_INDEX: unreachable(env.SUBJECT_INDEX) });
    for (const broken of [family, index, index]) {
      const response = await redeem(client, code, {}, broken);
      expect(response.headers.get("Retry-After")).toMatch(/^[1-3]$/);
      expect(await refusal(response)).toEqual(unavailable);
    }
    const { refresh_token } = await expectTokens(await redeem(client, code));
    await server.expectRefresh(client, refresh_token);
    expect(await loginsOf(subject)).toHaveLength(1);
  });

  it("is invisible if the repeated call succeeds: the same attempt makes one login", async () => {
    const client = await makeWebClient();
    const subject = crypto.randomUUID();
    const code = await obtainCode(client, {}, { subject });
    let tries = 0;
    const losesFirstAnswer = familiesWith((_, real) => ({
      async redeem(...args: Parameters<TokenFamily["redeem"]>) {
        const result = await real().redeem(...args);
        if (tries++ === 0) fault("the answer was lost", { retryable: true });
        return result;
      },
    }));
    const lossy = serverWith({ TOKEN_FAMILY: losesFirstAnswer });
    const { refresh_token } = await expectTokens(
      await redeem(client, code, {}, lossy),
    );
    expect(tries).toBe(2);
    await server.expectRefresh(client, refresh_token);
    expect(await loginsOf(subject)).toHaveLength(1);
  });

  it.each([
    [
      "every answer was lost",
      [{ retryable: true }, { retryable: true }, { retryable: true }],
    ],
    [
      "one answer was lost, and then the load was too high",
      [{ retryable: true }, { overloaded: true }],
    ],
  ] as const)(
    "leaves a code that was redeemed good if %s",
    async (_, faults) => {
      const client = await makeWebClient();
      const subject = crypto.randomUUID();
      const code = await obtainCode(client, {}, { subject });
      let tries = 0;
      const losesEveryAnswer = familiesWith((_, real) => ({
        async redeem(...args: Parameters<TokenFamily["redeem"]>) {
          await real().redeem(...args);
          fault("the answer was lost", faults[tries++]);
        },
        abandon: (...args: Parameters<TokenFamily["abandon"]>) =>
          real().abandon(...args),
      }));
      const response = await redeem(
        client,
        code,
        {},
        serverWith({ TOKEN_FAMILY: losesEveryAnswer }),
      );
      expect(await refusal(response)).toEqual(unavailable);
      expect(tries).toBe(faults.length);
      const { refresh_token } = await expectTokens(await redeem(client, code));
      await server.expectRefresh(client, refresh_token);
      expect(await loginsOf(subject)).toHaveLength(1);
    },
  );

  it("hides no login from a logout if the logins are listed while the code is redeemed again", async () => {
    const client = await makeWebClient();
    const subject = crypto.randomUUID();
    const code = await obtainCode(client, {}, { subject });
    // The index stores the login, and then its answer is lost.
    const addIsLost = new Proxy(env.SUBJECT_INDEX, {
      get(namespace, name) {
        const method: unknown = Reflect.get(namespace, name);
        if (typeof method !== "function") return method;
        if (name !== "get") return method.bind(namespace);
        return (id: DurableObjectId) => ({
          async add(familyId: string, authorizedAtMs: number) {
            await namespace.get(id).add(familyId, authorizedAtMs);
            fault("the answer was lost", { overloaded: true });
          },
        });
      },
    });
    const broken = serverWith({ SUBJECT_INDEX: addIsLost });
    expect(await refusal(await redeem(client, code, {}, broken))).toEqual(
      unavailable,
    );

    // The listing reads the family. Before it continues, the code is redeemed.
    let tokens: Tokens | undefined;
    const slow = familiesWith((_, real) => ({
      async look() {
        const state = await real().look();
        tokens = await expectTokens(await redeem(client, code));
        return state;
      },
    }));
    const listing = serverWith({ TOKEN_FAMILY: slow });
    await listing.expectAdmin("GET", `/subjects/${subject}/grants`);
    expect(tokens).toBeDefined();
    expect(await logOut(subject)).toEqual({ revoked: 1 });
    const after = await server.refresh(client, tokens?.refresh_token ?? "");
    expect(await refusal(after)).toEqual([
      400,
      "invalid_grant",
      "family_ended",
    ]);
  });
});

describe("a code that the token endpoint refuses", () => {
  it("makes no object, so that a code in the wrong hands costs nothing", async () => {
    const client = await makeWebClient();
    const code = await obtainCode(client);
    const before = (await listDurableObjectIds(env.TOKEN_FAMILY)).length;
    const wrongVerifier = { code_verifier: "x".repeat(43) };
    for (const [response, reason] of [
      [await redeem(client, code, wrongVerifier), "code_verifier_wrong"],
      [
        await redeem(client, code.replace(/.$/, "")),
        "authorization_code_malformed",
      ],
      [await redeem(client, "garbage"), "authorization_code_malformed"],
    ] as const)
      expect(await refusal(response)).toEqual([400, "invalid_grant", reason]);
    expect(await listDurableObjectIds(env.TOKEN_FAMILY)).toHaveLength(before);
  });
});
