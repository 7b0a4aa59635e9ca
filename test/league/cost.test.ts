import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import {
  MAX_PER_NETWORK as MAX_FORGED,
  PERIOD_SECONDS,
} from "../../src/oauth/guess-limit.ts";
import { countingBindings } from "../support/counting.ts";
import {
  leagueServer,
  oldToken,
  refusedVectors,
  takeOver,
  vector,
} from "../support/league.ts";
import { listenToLog, parsedLog } from "../support/log.ts";
import {
  countRefusals,
  refusal,
  server as ordinary,
  serverWith,
  type TestClient,
  type TestServer,
} from "../support/server.ts";

/** The cost of league tokens: with a password as the key, each token needs a slow key derivation. */

const invalidGrant = [400, "invalid_grant", "refresh_token_malformed"];
const goodToken = vector(
  "plain, as in the documents",
  "password",
).refresh_token;
const forged = refusedVectors.find(({ name }) => name === "one digit changed")!;
let demo: TestClient;

beforeAll(async () => {
  demo = await takeOver(ordinary, "demo");
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Counts derivations by PBKDF2 from now on. @returns a function that reads the count */
function countDerivations(): () => number {
  const { mock } = vi.spyOn(crypto.subtle, "deriveBits");
  return () =>
    mock.calls.filter(
      ([algorithm]) =>
        typeof algorithm === "object" && algorithm.name === "PBKDF2",
    ).length;
}

/** Makes a forged league token, different each time. */
function newForgery(): string {
  const noise = crypto.getRandomValues(new Uint8Array(200)).toHex();
  return `def50200${noise}`;
}

function refreshFrom(
  server: TestServer,
  address: string,
  client: TestClient,
  refresh_token: string,
): Promise<Response> {
  const { client_id, client_secret } = client;
  return server.token(
    {
      grant_type: "refresh_token",
      refresh_token,
      client_id,
      client_secret,
    },
    { "CF-Connecting-IP": address },
  );
}

describe("the slow key derivation for a password", () => {
  it("runs only after the client is authenticated", async () => {
    const server = leagueServer("password");
    const derivations = countDerivations();
    for (const [client, reason] of [
      [{ ...demo, client_secret: "wrong" }, "client_secret_wrong"],
      [{ client_id: "nobody", client_secret: "any" }, "client_unknown"],
    ] as const) {
      for (const response of [
        await server.refresh(client, goodToken),
        await server.about("/revoke", client, goodToken),
        await server.about("/introspect", client, goodToken),
      ])
        expect(await refusal(response)).toEqual([
          401,
          "invalid_client",
          reason,
        ]);
    }
    expect(derivations()).toBe(0);
  });

  it.each([
    ["that is too short", "def50200"],
    ["shorter than the token of an empty text", `def50200${"ab".repeat(80)}`],
    ["with an odd number of digits", `${goodToken}0`],
    ["in upper case", goodToken.toUpperCase()],
    ["with another header", `def50201${goodToken.slice(8)}`],
    ["that is not hexadecimal", `${goodToken.slice(0, -1)}g`],
  ])("does not run for a token %s", async (_, token) => {
    const server = leagueServer("password");
    const derivations = countDerivations();
    expect(await refusal(await server.refresh(demo, token))).toEqual(
      invalidGrant,
    );
    expect(derivations()).toBe(0);
  });

  it("runs once for a token, and not again if the token comes back to the same isolate", async () => {
    const server = leagueServer("password");
    const derivations = countDerivations();
    await server.expectRefresh(demo, goodToken);
    expect(derivations()).toBe(1);
    for (const reason of ["refresh_token_reused", "family_ended"])
      expect(await refusal(await server.refresh(demo, goodToken))).toEqual([
        400,
        "invalid_grant",
        reason,
      ]);
    await server.about("/introspect", demo, goodToken);
    await server.about("/revoke", demo, goodToken);
    expect(derivations()).toBe(1);
  });

  it("does not run with a Defuse key", async () => {
    const derivations = countDerivations();
    await leagueServer("defuse").expectRefresh(demo, await oldToken({}));
    expect(derivations()).toBe(0);
  });

  it("runs again for the oldest of more tokens than the isolate remembers", async () => {
    // Counted with a Defuse key, which is cheap: the isolate remembers its tokens in the same way.
    const server = leagueServer("defuse");
    const first = await oldToken({ client_id: "another" });
    await server.refresh(demo, first);
    const { mock } = vi.spyOn(crypto.subtle, "deriveKey");
    await server.refresh(demo, first);
    expect(mock.calls).toHaveLength(0);
    for (let tokens = 0; tokens < 1_000; tokens++)
      await server.refresh(demo, await oldToken({ client_id: "another" }));
    mock.calls.length = 0;
    await server.refresh(demo, first);
    expect(mock.calls).toHaveLength(2);
  });
});

describe("forged league tokens", () => {
  const forgedToken = [400, "invalid_grant", "refresh_token_forged"];
  const limited = [429, "temporarily_unavailable", "league_tokens_limited"];

  async function sendForgeries(
    server: TestServer,
    address: string,
    client = demo,
  ): Promise<number> {
    for (let sent = 1; sent <= MAX_FORGED * 2; sent++) {
      const response = await refreshFrom(server, address, client, newForgery());
      if (response.status === 429) return sent;
      expect(await refusal(response)).toEqual(forgedToken);
    }
    throw new Error("there is no limit");
  }

  it("are limited: beyond the limit nothing is derived, and Retry-After says when to try again", async () => {
    const server = leagueServer("password");
    await sendForgeries(server, "192.0.2.1");
    const derivations = countDerivations();
    for (const token of [newForgery(), goodToken, forged.refresh_token]) {
      const response = await refreshFrom(server, "192.0.2.1", demo, token);
      // Not `invalid_grant`: the client would discard a good token.
      expect(await refusal(response)).toEqual(limited);
      const wait = Number(response.headers.get("Retry-After"));
      expect(wait).toBeGreaterThan(0);
      expect(wait).toBeLessThanOrEqual(PERIOD_SECONDS);
    }
    expect(derivations()).toBe(0);

    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 61_000 });
    const token = vector("one scope", "password").refresh_token;
    const response = await refreshFrom(server, "192.0.2.1", demo, token);
    expect(response.status).toBe(200);
  });

  it("are limited also if all of them arrive at the same time", async () => {
    const server = leagueServer("password");
    const derivations = countDerivations();
    const answers = await Promise.all(
      Array.from({ length: MAX_FORGED * 3 }, () =>
        refreshFrom(server, "192.0.2.6", demo, newForgery()),
      ),
    );
    expect(await countRefusals(answers)).toEqual({
      [forgedToken.join(" ")]: MAX_FORGED,
      [limited.join(" ")]: MAX_FORGED * 2,
    });
    expect(derivations()).toBe(MAX_FORGED);
  });

  it("are counted for each period separately", async () => {
    const server = leagueServer("password");
    const start = Date.now();
    for (let hours = 0; hours < MAX_FORGED * 2; hours++) {
      vi.useFakeTimers({ toFake: ["Date"], now: start + hours * 3_600_000 });
      const response = await refreshFrom(
        server,
        "192.0.2.8",
        demo,
        newForgery(),
      );
      expect(await refusal(response)).toEqual(forgedToken);
    }
  });

  it.each([
    ["fails", { limit: () => Promise.reject(new Error("no answer")) }],
    ["does not exist", undefined],
  ])(
    "are limited by the isolate's own count if the rate limit %s",
    async (_, GUESSES_PER_NETWORK) => {
      const server = leagueServer("password", { GUESSES_PER_NETWORK });
      const lines = listenToLog();
      expect(await sendForgeries(server, "192.0.2.7")).toBe(MAX_FORGED + 1);
      expect(lines.join()).toContain("guess_limit.unreachable");
    },
  );

  it("limit neither the same client at another address nor another client at the same address", async () => {
    const server = leagueServer("password");
    await sendForgeries(server, "192.0.2.2");
    const token = vector("no scope", "password").refresh_token;
    const elsewhere = await refreshFrom(server, "192.0.2.3", demo, token);
    expect(elsewhere.status).toBe(200);
    const other = await takeOver(server, "other");
    const there = await refreshFrom(server, "192.0.2.2", other, newForgery());
    expect(await refusal(there)).toEqual(forgedToken);
  });

  it("limit the same client in its whole IPv6 network, and in no other network", async () => {
    const server = leagueServer("password");
    await sendForgeries(server, "2001:db8:0:1::1");
    const tries = [
      ["2001:db8:0:1:ffff::2", limited],
      ["2001:db8::1:0:0:0:3", limited],
      ["2001:db8:0:2::1", forgedToken],
      ["2001:db8::1", forgedToken],
      ["::ffff:192.0.2.9", forgedToken],
    ] as const;
    for (const [address, expected] of tries) {
      const response = await refreshFrom(server, address, demo, newForgery());
      expect(await refusal(response), address).toEqual(expected);
    }
  });

  it("are not counted with a Defuse key, and good tokens are never counted", async () => {
    const cheap = leagueServer("defuse");
    for (let sent = 0; sent < MAX_FORGED * 2; sent++) {
      const response = await refreshFrom(
        cheap,
        "192.0.2.4",
        demo,
        newForgery(),
      );
      expect(await refusal(response)).toEqual(forgedToken);
    }
    const server = leagueServer("password");
    for (let sent = 0; sent < MAX_FORGED * 2; sent++)
      await refreshFrom(server, "192.0.2.5", demo, goodToken);
    const response = await refreshFrom(server, "192.0.2.5", demo, newForgery());
    expect(await refusal(response)).toEqual(forgedToken);
  });
});

describe("a server without the old server's key", () => {
  it("does no more for a league token than for any other text", async () => {
    const { calls, bindings } = countingBindings();
    const server = serverWith({
      ...bindings,
      LEAGUE_LEDGER: undefined,
      GUESSES_PER_NETWORK: undefined,
    });
    const client = await server.makeClient();
    await server.refresh(client, "x");
    const before = { ...calls };
    const spies = (
      ["verify", "deriveBits", "deriveKey", "decrypt"] as const
    ).map((method) => vi.spyOn(crypto.subtle, method));
    expect(await refusal(await server.refresh(client, goodToken))).toEqual(
      invalidGrant,
    );
    expect(calls).toEqual(before);
    for (const { mock } of spies) expect(mock.calls).toHaveLength(0);
  });
});

describe("an ordinary refresh on a server that accepts league tokens", () => {
  it("calls the family's object once, and uses nothing that only league tokens need", async () => {
    const { calls, bindings } = countingBindings();
    const server = leagueServer("password", {
      ...bindings,
      LEAGUE_LEDGER: undefined,
      GUESSES_PER_NETWORK: undefined,
    });
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    const next = await server.expectRefresh(client, refresh_token);
    const before = { ...calls };
    const derivations = countDerivations();
    await server.expectRefresh(client, next.refresh_token);
    expect(calls).toEqual({ ...before, family: before.family + 1 });
    expect(derivations()).toBe(0);
  });
});

describe("the log", () => {
  it("has one more line for each exchange of a league token, and no secrets", async () => {
    const server = leagueServer("defuse");
    const refresh_token_id = "4ff37b1ecb7c";
    const token = await oldToken({ refresh_token_id });
    const lines = listenToLog();
    const response = await server.refresh(demo, token);
    const { refresh_token } = await response.clone().json<{
      refresh_token: string;
    }>();
    await server.expectRefresh(demo, refresh_token);
    await server.refresh(demo, token);
    const log = parsedLog(lines);
    expect(log.filter(({ event }) => event !== "request")).toEqual([
      {
        event: "league_token.exchanged",
        event_id: expect.any(String) as string,
        time: expect.any(Number) as number,
        refresh_token_id,
        client_id: "demo",
        subject: "42",
        grant_id: expect.any(String) as string,
        request_id: response.headers.get("X-Request-Id"),
      },
      expect.objectContaining({ event: "refresh_token.reused", subject: "42" }),
    ]);
    expect(log.at(-1)).toMatchObject({ reason: "refresh_token_reused" });
    for (const secret of [token, refresh_token, demo.client_secret])
      expect(lines.join()).not.toContain(secret);
  });

  it("has the reason why a league token was refused", async () => {
    const server = leagueServer("defuse");
    const refresh_token_id = "c58d8ba2e3a0";
    await server.expectAdmin("POST", "/league/revoked-tokens", {
      tokens: [{ refresh_token_id }],
    });
    const user_id = crypto.randomUUID();
    await server.expectAdmin("DELETE", `/subjects/${user_id}/grants`);
    const expired = { expire_time: 1_795_379_283 };
    const reasons = {
      refresh_token_malformed: "def50200",
      refresh_token_forged: newForgery(),
      refresh_token_expired: await oldToken(expired),
      refresh_token_of_another_client: await oldToken({ client_id: "other" }),
      league_token_unreadable: await oldToken({ scopes: null }),
      league_token_revoked: await oldToken({ refresh_token_id }),
      league_token_logged_out: await oldToken({ user_id }),
    };
    for (const [reason, token] of Object.entries(reasons)) {
      const lines = listenToLog();
      await server.refresh(demo, token);
      expect(parsedLog(lines)).toMatchObject([{ event: "request", reason }]);
      vi.restoreAllMocks();
    }
  });
});
