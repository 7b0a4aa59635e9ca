import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { countingBindings } from "../support/counting.ts";
import {
  countRefusals,
  refusal,
  server,
  serverWith,
  type Tokens,
} from "../support/server.ts";

/** Tests refresh tokens that are used, expired, stolen or another client's. */

beforeAll(() => server.makeScopes("read"));

const DAY_MS = 86_400_000;

afterEach(() => {
  vi.useRealTimers();
});

describe("a used refresh token", () => {
  it("is invalid_grant and ends its family", async () => {
    const client = await server.makeClient();
    const first = await server.login(client);
    const second = await server.expectRefresh(client, first.refresh_token);
    const replay = await server.refresh(client, first.refresh_token);
    expect(await refusal(replay)).toEqual([
      400,
      "invalid_grant",
      "refresh_token_reused",
    ]);
    const newest = await server.refresh(client, second.refresh_token);
    expect(await refusal(newest)).toEqual([
      400,
      "invalid_grant",
      "family_ended",
    ]);
  });

  it("ends no other login, not even of the same user at the same client", async () => {
    const client = await server.makeClient();
    const stolen = await server.login(client);
    const sibling = await server.login(client);
    await server.expectRefresh(client, stolen.refresh_token);
    await server.refresh(client, stolen.refresh_token);
    await server.expectRefresh(client, sibling.refresh_token);
  });

  it("ends its family even if the request has another fault", async () => {
    const client = await server.makeClient({ scope: "read" });
    for (const fault of [
      { scope: "nosuch" },
      { scope: "  " },
      { resource: "x" },
    ]) {
      const first = await server.login(client);
      const second = await server.expectRefresh(client, first.refresh_token);
      const replay = await server.refresh(client, first.refresh_token, fault);
      expect(await refusal(replay)).toEqual([
        400,
        "invalid_grant",
        "refresh_token_reused",
      ]);
      const newest = await server.refresh(client, second.refresh_token);
      expect(await refusal(newest)).toEqual([
        400,
        "invalid_grant",
        "family_ended",
      ]);
    }
  });
});

describe("fifty parallel exchanges of one token", () => {
  it("give one pair of tokens and end the family", async () => {
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    const responses = await Promise.all(
      Array.from({ length: 50 }, () => server.refresh(client, refresh_token)),
    );
    const succeeded = responses.filter(({ status }) => status === 200);
    expect(succeeded).toHaveLength(1);
    // The first refused exchange ends the family.
    const refused = responses.filter((response) => response !== succeeded[0]);
    expect(await countRefusals(refused)).toEqual({
      "400 invalid_grant refresh_token_reused": 1,
      "400 invalid_grant family_ended": 48,
    });
    const { refresh_token: newest } = await succeeded[0]!.json<Tokens>();
    expect(await refusal(await server.refresh(client, newest))).toEqual([
      400,
      "invalid_grant",
      "family_ended",
    ]);
  });
});

describe("another client's refresh token", () => {
  it("is invalid_grant and does not harm the owner's family", async () => {
    const owner = await server.makeClient();
    const thief = await server.makeClient();
    const first = await server.login(owner);
    const theft = await server.refresh(thief, first.refresh_token);
    expect(await refusal(theft)).toEqual([
      400,
      "invalid_grant",
      "refresh_token_of_another_client",
    ]);
    const second = await server.expectRefresh(owner, first.refresh_token);
    const usedToken = await server.refresh(thief, first.refresh_token);
    expect(await refusal(usedToken)).toEqual([
      400,
      "invalid_grant",
      "refresh_token_of_another_client",
    ]);
    await server.expectRefresh(owner, second.refresh_token);
  });
});

describe("the expiry of a refresh token", () => {
  it("is checked at the edge, without calling its family", async () => {
    const { calls, bindings } = countingBindings();
    const counted = serverWith(bindings);
    const client = await counted.makeClient({ refresh_token_ttl: "P1D" });
    vi.useFakeTimers({ toFake: ["Date"], now: 1_800_000_000_000 });
    const { refresh_token } = await counted.login(client);
    vi.setSystemTime(1_800_000_000_000 + DAY_MS);
    const before = calls.family;
    const response = await counted.refresh(client, refresh_token);
    expect(await refusal(response)).toEqual([
      400,
      "invalid_grant",
      "refresh_token_expired",
    ]);
    expect(calls.family).toBe(before);
  });

  it("makes the token invalid_grant from that second on", async () => {
    const client = await server.makeClient({ refresh_token_ttl: "P1D" });
    vi.useFakeTimers({ toFake: ["Date"], now: 1_800_000_000_000 });
    const { refresh_token } = await server.login(client);
    const sibling = await server.login(client);
    vi.setSystemTime(1_800_000_000_000 + DAY_MS - 1000);
    await server.expectRefresh(client, sibling.refresh_token);
    vi.setSystemTime(1_800_000_000_000 + DAY_MS);
    const response = await server.refresh(client, refresh_token);
    expect(await refusal(response)).toEqual([
      400,
      "invalid_grant",
      "refresh_token_expired",
    ]);
  });

  it("is by default a calendar month after the token was issued: the last of February for 31 January", async () => {
    const client = await server.makeClient();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.UTC(2027, 0, 31, 12) });
    const { refresh_token } = await server.login(client);
    const sibling = await server.login(client);
    vi.setSystemTime(Date.UTC(2027, 1, 28, 11, 59, 59));
    await server.expectRefresh(client, sibling.refresh_token);
    vi.setSystemTime(Date.UTC(2027, 1, 28, 12));
    const late = await server.refresh(client, refresh_token);
    expect(await refusal(late)).toEqual([
      400,
      "invalid_grant",
      "refresh_token_expired",
    ]);
  });

  it("is postponed by each rotation, but not beyond REFRESH_TOKEN_MAX_AGE", async () => {
    const client = await server.makeClient({
      refresh_token_ttl: "P1D",
      refresh_token_max_age: "P2D",
    });
    vi.useFakeTimers({ toFake: ["Date"], now: 1_800_000_000_000 });
    let { refresh_token } = await server.login(client);
    for (const days of [0.9, 1.8]) {
      vi.setSystemTime(1_800_000_000_000 + days * DAY_MS);
      ({ refresh_token } = await server.expectRefresh(client, refresh_token));
    }
    vi.setSystemTime(1_800_000_000_000 + 2 * DAY_MS);
    const response = await server.refresh(client, refresh_token);
    expect(await refusal(response)).toEqual([
      400,
      "invalid_grant",
      "family_too_old",
    ]);
  });
});
