import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { MAX_PER_NETWORK, MAX_PER_SITE } from "../../src/oauth/guess-limit.ts";
import {
  leagueServer,
  refusedVectors,
  takeOver,
  vector,
} from "../support/league.ts";
import { listenToLog } from "../support/log.ts";
import {
  refusal,
  server as ordinary,
  type TestClient,
  type TestServer,
} from "../support/server.ts";

/** The limit on forged tokens of the old server is the one on every guess. */

const limited = [429, "temporarily_unavailable", "league_tokens_limited"];
const forged = [400, "invalid_grant", "refresh_token_forged"];
const unreadable = [400, "invalid_grant", "league_token_unreadable"];
const reused = [400, "invalid_grant", "refresh_token_reused"];
const good = vector("plain, as in the documents", "password").refresh_token;
const withoutFields = refusedVectors.find(
  ({ name }) => name === "JSON without the fields",
)!.refresh_token;
const noLimits = {
  GUESSES_PER_NETWORK: undefined,
  GUESSES_PER_SITE: undefined,
};
let demo: TestClient;

beforeAll(async () => {
  demo = await takeOver(ordinary, "demo");
});

afterEach(() => {
  vi.restoreAllMocks();
});

function present(server: TestServer, address: string, refresh_token: string) {
  const { client_id, client_secret } = demo;
  const form = { grant_type: "refresh_token", refresh_token };
  return server.token(
    { ...form, client_id, client_secret },
    { "CF-Connecting-IP": address },
  );
}

function forge(server: TestServer, address: string) {
  const noise = crypto.getRandomValues(new Uint8Array(200)).toHex();
  return present(server, address, `def50200${noise}`);
}

describe("the limit on forged tokens of the old server", () => {
  it("never refuses a token that this isolate has opened", async () => {
    listenToLog();
    const server = leagueServer("password", noLimits);
    const address = "192.0.2.1";
    expect((await present(server, address, good)).status).toBe(200);
    expect(
      await refusal(await present(server, address, withoutFields)),
    ).toEqual(unreadable);
    for (let sent = 0; sent < MAX_PER_NETWORK; sent++)
      expect(await refusal(await forge(server, address))).toEqual(forged);
    expect(await refusal(await forge(server, address))).toEqual(limited);
    expect(await refusal(await present(server, address, good))).toEqual(reused);
    expect(
      await refusal(await present(server, address, withoutFields)),
    ).toEqual(unreadable);
  });

  it("is not needed for a token that was opened, readable or not: it costs one derivation in all", async () => {
    const server = leagueServer("password");
    const { mock } = vi.spyOn(crypto.subtle, "deriveBits");
    for (let sent = 0; sent < 5; sent++)
      expect(
        await refusal(await present(server, "192.0.2.2", withoutFields)),
      ).toEqual(unreadable);
    const slow = mock.calls.filter(
      ([algorithm]) =>
        typeof algorithm === "object" && algorithm.name === "PBKDF2",
    );
    expect(slow).toHaveLength(1);
  });

  it("holds for the first 48 bits of an IPv6 address too, at a higher limit", async () => {
    // The platform counts: it says that the site is over its limit.
    const over = new Set<string>();
    const perSite = {
      limit: async ({ key }: { key: string }) => ({ success: !over.has(key) }),
    };
    const server = leagueServer("password", { GUESSES_PER_SITE: perSite });
    over.add("league_token 2001:db8:7 demo");
    expect(await refusal(await forge(server, "2001:db8:7:1::1"))).toEqual(
      forged,
    );
    expect(await refusal(await forge(server, "2001:db8:7:2::1"))).toEqual(
      limited,
    );
    expect(await refusal(await forge(server, "2001:db8:8:2::1"))).toEqual(
      forged,
    );
    expect(MAX_PER_SITE).toBeGreaterThan(MAX_PER_NETWORK);
  });

  it("is not used up by wrong client secrets", async () => {
    listenToLog();
    const server = leagueServer("password", noLimits);
    const { client_id } = demo;
    for (let sent = 0; sent <= MAX_PER_NETWORK; sent++)
      await server.token(
        {
          grant_type: "refresh_token",
          refresh_token: good,
          client_id,
          client_secret: "wrong",
        },
        { "CF-Connecting-IP": "192.0.2.3" },
      );
    // The client is limited first; its tokens are not looked at.
    const [status, , reason] = await refusal(await forge(server, "192.0.2.3"));
    expect([status, reason]).toEqual([429, "client_secrets_limited"]);
    expect(await refusal(await forge(server, "192.0.2.4"))).toEqual(forged);
  });
});
