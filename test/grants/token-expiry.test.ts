import { env } from "cloudflare:workers";
import {
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  vi,
} from "vitest";
import type { ExchangeAttempt } from "../../src/oauth/repositories.ts";
import {
  issueRefreshToken,
  verifyRefreshToken,
} from "../../src/oauth/tokens/refresh-token.ts";
import { deriveTokenKey } from "../../src/oauth/tokens/token-keys.ts";
import {
  expectTokens,
  makeWebClient,
  obtainCode,
  redeem,
} from "../support/authorization.ts";
import { familiesWith } from "../support/faults.ts";
import { leagueServer, oldToken, takeOver } from "../support/league.ts";
import { reasonOf } from "../support/request-lines.ts";
import {
  type ErrorBody,
  server,
  serverWith,
  type TestClient,
  type Tokens,
} from "../support/server.ts";

/**
 * Tests what token answers and refusals say of the end of a refresh token (draft-ietf-oauth-refresh-token-expiration).
 */

const T0 = 1_800_000_000;
const DAY = 86_400;

type Expiring = Tokens & {
  refresh_token_timeout?: number;
  authorization_expires_in?: number;
};

/** Each token may be held for 7 days, and a login lasts 30 days. */
const WEEKLY = { refresh_token_ttl: "P7D", refresh_token_max_age: "P30D" };

beforeAll(() => server.makeScopes("read"));

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: T0 * 1000 });
});

afterEach(() => {
  vi.useRealTimers();
});

function atDay(day: number): void {
  vi.setSystemTime((T0 + day * DAY) * 1000);
}

/** The two members of a token answer. */
function ends({ refresh_token_timeout, authorization_expires_in }: Expiring) {
  return { refresh_token_timeout, authorization_expires_in };
}

async function refused(client: TestClient, token: string) {
  const response = await server.refresh(client, token);
  const { error, error_description } = await response.json<ErrorBody>();
  return { error, error_description, reason: reasonOf(response) };
}

describe("a token answer with a refresh token says in seconds", () => {
  it("how long the token may be held, and how long the login lasts", async () => {
    const client = await server.makeClient(WEEKLY);
    const first: Expiring = await server.login(client);
    expect(ends(first)).toEqual({
      refresh_token_timeout: 7 * DAY,
      authorization_expires_in: 30 * DAY,
    });
    atDay(6);
    const second: Expiring = await server.expectRefresh(
      client,
      first.refresh_token,
    );
    expect(ends(second)).toEqual({
      refresh_token_timeout: 7 * DAY,
      authorization_expires_in: 24 * DAY,
    });
  });

  it("that the token is held no longer than the login lasts", async () => {
    const client = await server.makeClient({
      ...WEEKLY,
      refresh_token_max_age: "P8D",
    });
    const first = await server.login(client);
    atDay(6);
    const last: Expiring = await server.expectRefresh(
      client,
      first.refresh_token,
    );
    expect(ends(last)).toEqual({
      refresh_token_timeout: 2 * DAY,
      authorization_expires_in: 2 * DAY,
    });
  });

  it("the same ends in a retry inside the window, counted from the retry", async () => {
    const client = await server.makeClient({
      ...WEEKLY,
      refresh_token_retry_window: "PT1M",
    });
    const { refresh_token } = await server.login(client);
    const answer: Expiring = await server.expectRefresh(client, refresh_token);
    vi.setSystemTime((T0 + 59) * 1000);
    const again: Expiring = await server.expectRefresh(client, refresh_token);
    expect(again.refresh_token).toBe(answer.refresh_token);
    expect(ends(again)).toEqual({
      refresh_token_timeout: 7 * DAY - 59,
      authorization_expires_in: 30 * DAY - 59,
    });
  });

  it("both in the answer to an authorization code", async () => {
    const client = await makeWebClient(WEEKLY);
    const code = await obtainCode(client);
    const tokens: Expiring = await expectTokens(await redeem(client, code));
    expect(ends(tokens)).toEqual({
      refresh_token_timeout: 7 * DAY,
      authorization_expires_in: 30 * DAY,
    });
  });

  it("both in the answer to a league token", async () => {
    const league = leagueServer("defuse");
    const client = await takeOver(league, "expiry-of-league-tokens", WEEKLY);
    const { client_id } = client;
    const expire_time = T0 + DAY;
    const token = await oldToken({ client_id, expire_time });
    const tokens: Expiring = await league.expectRefresh(client, token);
    expect(ends(tokens)).toEqual({
      refresh_token_timeout: 7 * DAY,
      authorization_expires_in: 30 * DAY,
    });
  });

  it("the end that a cut of refresh_token_max_age gives the login", async () => {
    const client = await server.makeClient(WEEKLY);
    const { refresh_token } = await server.login(client);
    const path = `/clients/${client.client_id}`;
    await server.expectAdmin("PATCH", path, { refresh_token_max_age: "P10D" });
    atDay(5);
    const next: Expiring = await server.expectRefresh(client, refresh_token);
    expect(ends(next)).toEqual({
      refresh_token_timeout: 5 * DAY,
      authorization_expires_in: 5 * DAY,
    });
  });
});

describe("a token answer leaves out", () => {
  it("both members if it has no refresh token", async () => {
    const client = await makeWebClient({ grant_types: ["authorization_code"] });
    const code = await obtainCode(client);
    const tokens = await expectTokens(await redeem(client, code));
    expect(tokens).not.toHaveProperty("refresh_token");
    expect(tokens).not.toHaveProperty("refresh_token_timeout");
    expect(tokens).not.toHaveProperty("authorization_expires_in");
  });

  it("authorization_expires_in if the family's object is of an older version, which does not say it", async () => {
    const older = serverWith({
      TOKEN_FAMILY: familiesWith((_id, real) => ({
        exchange: async (attempt: ExchangeAttempt) => {
          const result = JSON.parse(await real().exchange(attempt)) as object;
          return JSON.stringify({ ...result, ends_at: undefined });
        },
      })),
    });
    const client = await server.makeClient(WEEKLY);
    const { refresh_token } = await server.login(client);
    const next: Expiring = await older.expectRefresh(client, refresh_token);
    expect(next.refresh_token_timeout).toBe(7 * DAY);
    expect(next).not.toHaveProperty("authorization_expires_in");
    // Such a token does not say why it expires.
    atDay(7);
    const { error, error_description, reason } = await refused(
      client,
      next.refresh_token,
    );
    expect([error, reason]).toEqual(["invalid_grant", "refresh_token_expired"]);
    expect(error_description).toBe(
      "The refresh token has expired. The user must sign in again.",
    );
  });
});

describe("a refresh token that has expired is invalid_grant, and the description says", () => {
  it("that it was not used for too long", async () => {
    const client = await server.makeClient(WEEKLY);
    const { refresh_token } = await server.login(client);
    atDay(7);
    expect(await refused(client, refresh_token)).toEqual({
      error: "invalid_grant",
      error_description:
        "The refresh token has expired, because it was not used within refresh_token_timeout. The user must sign in again.",
      reason: "refresh_token_expired",
    });
  });

  it("that its login has lasted as long as it may", async () => {
    const client = await server.makeClient(WEEKLY);
    let { refresh_token } = await server.login(client);
    for (const day of [6, 12, 18, 24]) {
      atDay(day);
      ({ refresh_token } = await server.expectRefresh(client, refresh_token));
    }
    atDay(30);
    expect(await refused(client, refresh_token)).toEqual({
      error: "invalid_grant",
      error_description:
        "The login of this refresh token has lasted as long as it may. The user must sign in again.",
      reason: "family_too_old",
    });
  });

  it("neither, if it is the token of a Worker that did not note it", async () => {
    const client = await server.makeClient(WEEKLY);
    const { refresh_token } = await server.login(client);
    const older = await asOlderWorkerMakes(refresh_token);
    await server.expectRefresh(client, older);
    atDay(7);
    expect(await refused(client, older)).toEqual({
      error: "invalid_grant",
      error_description:
        "The refresh token has expired. The user must sign in again.",
      reason: "refresh_token_expired",
    });
  });
});

describe("a used refresh token that comes back too late is invalid_grant, and the description says", () => {
  const signInAgain = "So the login was ended. The user must sign in again.";

  it("that its successor was not used, without the time and the number of the exchange", async () => {
    const client = await server.makeClient(WEEKLY);
    const { refresh_token } = await server.login(client);
    await server.expectRefresh(client, refresh_token);
    atDay(1);
    expect(await refused(client, refresh_token)).toEqual({
      error: "invalid_grant",
      error_description: `The refresh token was already used, and its successor was not: the client has not stored the last answer, or two of its processes have sent the same token. ${signInAgain}`,
      reason: "refresh_token_reused",
    });
  });

  it("that its successor was used as well", async () => {
    const client = await server.makeClient(WEEKLY);
    const first = await server.login(client);
    const second = await server.expectRefresh(client, first.refresh_token);
    const third = await server.expectRefresh(client, second.refresh_token);
    expect(await refused(client, first.refresh_token)).toEqual({
      error: "invalid_grant",
      error_description: `The refresh token is an old one: another process has the newer tokens of the login, or somebody has a copy of this one. ${signInAgain}`,
      reason: "refresh_token_reused",
    });
    // The process that had the newest token is told the same end.
    expect(await refused(client, third.refresh_token)).toEqual({
      error: "invalid_grant",
      error_description:
        "The login of this refresh token has ended: the user logged out, the login was revoked, or a refresh token of it was used twice. The user must sign in again.",
      reason: "family_ended",
    });
  });
});

/** Makes the token that a Worker of an older version would have made: it does not say why it expires. */
async function asOlderWorkerMakes(token: string): Promise<string> {
  const secret = Uint8Array.fromBase64(env.ENCRYPTION_KEY);
  const key = await deriveTokenKey(secret);
  const claims = await verifyRefreshToken([key], token);
  if (typeof claims === "string") throw new Error(claims);
  const { expires_because: _because, ...known } = claims;
  return issueRefreshToken(key, known);
}
