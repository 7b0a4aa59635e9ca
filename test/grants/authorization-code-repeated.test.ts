import { listDurableObjectIds, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  expectTokens,
  makeWebClient,
  obtainCode,
  redeem,
} from "../support/authorization.ts";
import { listenToLog, parsedLog } from "../support/log.ts";
import {
  countRefusals,
  refusal,
  server,
  type TestClient,
  type Tokens,
} from "../support/server.ts";
import { loginsOf, logOut } from "../support/subjects.ts";

/**
 * Tests that a code that its client sends twice at once, as an app in React's strict mode does, is refused
 * without ending the login, and that a later repeat ends it.
 */

const T0_MS = 1_900_000_000_250;
/** The time in which a repeated code does not end the login. */
const WINDOW_MS = 10_000;
const CODE_LIFE_MS = 60_000;

const repeated = [400, "invalid_grant", "authorization_code_repeated"];
const reused = [400, "invalid_grant", "authorization_code_reused"];
const familyEnded = [400, "invalid_grant", "family_ended"];

let client: TestClient;
let subject: string;

function setClock(ms: number) {
  vi.useFakeTimers({ toFake: ["Date"], now: ms });
}

beforeEach(async () => {
  setClock(T0_MS);
  client = await makeWebClient();
  subject = crypto.randomUUID();
});

afterEach(() => {
  vi.useRealTimers();
});

/** Redeems a new code, whose life begins now. */
async function redeemedCode(
  of: TestClient = client,
): Promise<{ code: string; tokens: Tokens }> {
  const code = await obtainCode(of, {}, { subject });
  return { code, tokens: await expectTokens(await redeem(of, code)) };
}

async function isActive(token: string): Promise<boolean> {
  const response = await server.about("/introspect", client, token);
  return (await response.json<{ active: boolean }>()).active;
}

describe("a code that its client sends again with its verifier", () => {
  it.each([0, 1, 9_999, WINDOW_MS])(
    "is refused %i ms after its redemption, and the login goes on",
    async (ms) => {
      const { code, tokens } = await redeemedCode();
      setClock(T0_MS + ms);
      expect(await refusal(await redeem(client, code))).toEqual(repeated);
      expect(await isActive(tokens.access_token)).toBe(true);
      await server.expectRefresh(client, tokens.refresh_token);
      expect(await loginsOf(subject)).toHaveLength(1);
    },
  );

  it.each([WINDOW_MS + 1, 11_000, CODE_LIFE_MS - 251])(
    "ends the login %i ms after its redemption",
    async (ms) => {
      const { code, tokens } = await redeemedCode();
      setClock(T0_MS + ms);
      expect(await refusal(await redeem(client, code))).toEqual(reused);
      expect(await isActive(tokens.access_token)).toBe(false);
      expect(
        await refusal(await server.refresh(client, tokens.refresh_token)),
      ).toEqual(familyEnded);
      expect(await loginsOf(subject)).toEqual([]);
    },
  );

  it("is told whether its login goes on, and what to do", async () => {
    const { code } = await redeemedCode();
    const described = async () => {
      const response = await redeem(client, code);
      return (await response.json<Record<string, string>>())[
        "error_description"
      ];
    };
    expect(await described()).toBe(
      "The authorization code was used a moment ago. The login goes on with the tokens of the first answer and their successors. Send a code only once.",
    );
    setClock(T0_MS + WINDOW_MS + 1);
    // The first of these ends the login, and the second finds it ended.
    for (let times = 0; times < 2; times++)
      expect(await described()).toBe(
        "The authorization code was already used, and its login has ended. The user must sign in again.",
      );
  });

  it("changes nothing after the life of the code", async () => {
    const { code, tokens } = await redeemedCode();
    setClock(T0_MS + CODE_LIFE_MS);
    expect(await refusal(await redeem(client, code))).toEqual([
      400,
      "invalid_grant",
      "authorization_code_expired",
    ]);
    await server.expectRefresh(client, tokens.refresh_token);
  });

  it("is measured from its redemption, and not from when the user signed in", async () => {
    const code = await obtainCode(client, {}, { subject });
    setClock(T0_MS + 40_000);
    await expectTokens(await redeem(client, code));
    setClock(T0_MS + 40_000 + WINDOW_MS);
    expect(await refusal(await redeem(client, code))).toEqual(repeated);
    setClock(T0_MS + 40_000 + WINDOW_MS + 1);
    expect(await refusal(await redeem(client, code))).toEqual(reused);
  });

  it("does not lengthen its ten seconds by a repeat", async () => {
    const { code, tokens } = await redeemedCode();
    for (const ms of [4_000, 8_000, WINDOW_MS]) {
      setClock(T0_MS + ms);
      expect(await refusal(await redeem(client, code))).toEqual(repeated);
    }
    setClock(T0_MS + WINDOW_MS + 1);
    expect(await refusal(await redeem(client, code))).toEqual(reused);
    expect(
      await refusal(await server.refresh(client, tokens.refresh_token)),
    ).toEqual(familyEnded);
  });

  it("is measured from its redemption also after refreshes, which do not restart the ten seconds", async () => {
    const { code, tokens } = await redeemedCode();
    setClock(T0_MS + 9_000);
    const next = await server.expectRefresh(client, tokens.refresh_token);
    expect(await refusal(await redeem(client, code))).toEqual(repeated);
    setClock(T0_MS + WINDOW_MS + 1);
    expect(await refusal(await redeem(client, code))).toEqual(reused);
    expect(
      await refusal(await server.refresh(client, next.refresh_token)),
    ).toEqual(familyEnded);
  });

  it("writes nothing within ten seconds", async () => {
    const before = new Set(
      (await listDurableObjectIds(env.TOKEN_FAMILY)).map(String),
    );
    const { code } = await redeemedCode();
    const ids = await listDurableObjectIds(env.TOKEN_FAMILY);
    const id = ids.find((one) => !before.has(String(one)));
    const footprint = () =>
      runInDurableObject(env.TOKEN_FAMILY.get(id!), async (_, { storage }) => ({
        rowsWritten: storage.sql.exec("SELECT total_changes() AS n").one(),
        records: [...storage.kv.list()],
        alarm: await storage.getAlarm(),
      }));
    const made = await footprint();
    expect(made.records).toHaveLength(1);
    setClock(T0_MS + 5_000);
    await redeem(client, code);
    expect(await footprint()).toEqual(made);
  });

  it("works the same for a public client", async () => {
    const open = await makeWebClient({ token_endpoint_auth_method: "none" });
    const { code, tokens } = await redeemedCode(open);
    setClock(T0_MS + WINDOW_MS);
    expect(await refusal(await redeem(open, code))).toEqual(repeated);
    const next = await server.expectRefresh(open, tokens.refresh_token);
    setClock(T0_MS + WINDOW_MS + 1);
    expect(await refusal(await redeem(open, code))).toEqual(reused);
    expect(
      await refusal(await server.refresh(open, next.refresh_token)),
    ).toEqual(familyEnded);
  });

  it("gets tokens for one of twenty simultaneous requests, the login goes on, and a late repeat ends it", async () => {
    const code = await obtainCode(client, {}, { subject });
    const responses = await Promise.all(
      Array.from({ length: 20 }, () => redeem(client, code)),
    );
    const [winner, ...others] = responses.toSorted(
      (one, other) => one.status - other.status,
    );
    const { refresh_token } = await expectTokens(winner!);
    expect(await countRefusals(others)).toEqual({
      "400 invalid_grant authorization_code_repeated": 19,
    });
    const next = await server.expectRefresh(client, refresh_token);
    expect(await loginsOf(subject)).toHaveLength(1);
    setClock(T0_MS + WINDOW_MS + 1);
    expect(await refusal(await redeem(client, code))).toEqual(reused);
    expect(
      await refusal(await server.refresh(client, next.refresh_token)),
    ).toEqual(familyEnded);
  });

  it("does not bring back a login that has ended within ten seconds", async () => {
    const { code, tokens } = await redeemedCode();
    expect(await logOut(subject)).toEqual({ revoked: 1 });
    setClock(T0_MS + 1_000);
    for (let times = 0; times < 2; times += 1)
      expect(await refusal(await redeem(client, code))).toEqual(reused);
    expect(
      await refusal(await server.refresh(client, tokens.refresh_token)),
    ).toEqual(familyEnded);
    expect(await loginsOf(subject)).toEqual([]);
  });
});

describe("a redeemed code that comes", () => {
  it.each([0, WINDOW_MS, WINDOW_MS + 1, CODE_LIFE_MS - 251])(
    "with another verifier, without one, for another redirect URI or by another client after %i ms changes nothing, and calls no object",
    async (ms) => {
      const { code, tokens } = await redeemedCode();
      const other = await makeWebClient();
      setClock(T0_MS + ms);
      const { client_id } = client;
      const answers = [
        await redeem(client, code, { code_verifier: "x".repeat(43) }),
        await redeem(client, code, { code_verifier: undefined }),
        await redeem(client, code, { redirect_uri: "https://evil.example/" }),
        await redeem(other, code),
        await redeem({ client_id }, code),
        await redeem({ client_id, client_secret: "guess" }, code),
      ];
      expect(await Promise.all(answers.map(refusal))).toEqual([
        [400, "invalid_grant", "code_verifier_wrong"],
        [400, "invalid_request", "parameter_missing"],
        [400, "invalid_grant", "redirect_uri_differs"],
        [400, "invalid_grant", "authorization_code_of_another_client"],
        [401, "invalid_client", "client_authentication_method_wrong"],
        [401, "invalid_client", "client_secret_wrong"],
      ]);
      await server.expectRefresh(client, tokens.refresh_token);
    },
  );
});

describe("the log", () => {
  it("tells a repeat, whose login goes on, from a reuse, which has ended the login", async () => {
    const { code } = await redeemedCode();
    const lines = listenToLog();
    await redeem(client, code);
    setClock(T0_MS + WINDOW_MS + 1);
    await redeem(client, code);
    expect(parsedLog(lines)).toMatchObject([
      { client_id: client.client_id, reason: "authorization_code_repeated" },
      { client_id: client.client_id, event: "authorization_code.reused" },
      { client_id: client.client_id, reason: "authorization_code_reused" },
    ]);
  });
});
