import { afterEach, describe, expect, it, vi } from "vitest";
import { countingBindings } from "../support/counting.ts";
import { familiesWith, fault } from "../support/faults.ts";
import {
  refusal,
  server,
  serverWith,
  type TestClient,
  type TestServer,
} from "../support/server.ts";

/** Tests token revocation (RFC 7009). */

afterEach(() => {
  vi.useRealTimers();
});

function revoke(
  client: { client_id: string; client_secret?: string },
  token: string,
  more: Record<string, string> = {},
  at: TestServer = server,
) {
  return at.about("/revoke", client, token, more);
}

/** Expects a success in JSON, because some clients parse the body of every answer. */
async function expectEmptyObject(response: Response): Promise<void> {
  expect([response.status, await response.text()]).toEqual([200, "{}"]);
  expect(response.headers.get("Content-Type")).toBe("application/json");
  expect(response.headers.get("Cache-Control")).toBe("no-store");
}

async function isActive(client: TestClient, token: string): Promise<boolean> {
  const response = await server.about("/introspect", client, token);
  return (await response.json<{ active: boolean }>()).active;
}

describe("POST /revoke", () => {
  it.each(["refresh_token", "access_token"] as const)(
    "with a %s answers 200 and ends that family and no other",
    async (kind) => {
      const client = await server.makeClient();
      const first = await server.login(client);
      const newest = await server.expectRefresh(client, first.refresh_token);
      const sibling = await server.login(client);
      const response = await revoke(client, newest[kind]);
      await expectEmptyObject(response);
      expect(response.headers.get("Access-Control-Allow-Origin")).toBe("*");
      expect(await isActive(client, first.access_token)).toBe(false);
      expect(await isActive(client, newest.access_token)).toBe(false);
      const refreshed = await server.refresh(client, newest.refresh_token);
      expect(await refusal(refreshed)).toEqual([
        400,
        "invalid_grant",
        "family_ended",
      ]);
      await server.expectRefresh(client, sibling.refresh_token);
    },
  );

  it("with a used refresh token ends the family, as its newest one does", async () => {
    const client = await server.makeClient({
      refresh_token_retry_window: "PT30S",
    });
    const first = await server.login(client);
    const second = await server.expectRefresh(client, first.refresh_token);
    const third = await server.expectRefresh(client, second.refresh_token);
    expect((await revoke(client, first.refresh_token)).status).toBe(200);
    for (const { refresh_token } of [first, second, third]) {
      const response = await server.refresh(client, refresh_token);
      expect(await refusal(response)).toEqual([
        400,
        "invalid_grant",
        "family_ended",
      ]);
    }
  });

  it("with an expired refresh token ends the family, which has a newer token", async () => {
    const client = await server.makeClient({ refresh_token_ttl: "P1D" });
    vi.useFakeTimers({ toFake: ["Date"], now: 1_800_000_000_000 });
    const first = await server.login(client);
    vi.advanceTimersByTime(80_000_000);
    const second = await server.expectRefresh(client, first.refresh_token);
    vi.advanceTimersByTime(80_000_000);
    expect((await revoke(client, first.refresh_token)).status).toBe(200);
    const response = await server.refresh(client, second.refresh_token);
    expect(await refusal(response)).toEqual([
      400,
      "invalid_grant",
      "family_ended",
    ]);
  });

  it("can be repeated, and answers 200 for what is not a token, without calling a family", async () => {
    const client = await server.makeClient();
    const { calls, bindings } = countingBindings();
    const counted = serverWith(bindings);
    const elsewhere = serverWith({
      ENCRYPTION_KEY: crypto.getRandomValues(new Uint8Array(32)).toBase64(),
    });
    const foreign = await elsewhere.login(client);
    const good = await server.login(client);
    const tampered = good.refresh_token.replace(/.$/, (last) =>
      last === "A" ? "B" : "A",
    );
    for (const token of [
      "garbage",
      "a.b.c",
      foreign.refresh_token,
      tampered,
      `${good.access_token}x`,
    ]) {
      await expectEmptyObject(await revoke(client, token, {}, counted));
    }
    expect(calls.family).toBe(0);
    await expectEmptyObject(await revoke(client, good.refresh_token));
    await expectEmptyObject(await revoke(client, good.refresh_token));
  });

  it.each(["refresh_token", "access_token"] as const)(
    "refuses another client's %s and does not harm its family",
    async (kind) => {
      const owner = await server.makeClient();
      const otherClient = await server.makeClient();
      const tokens = await server.login(owner);
      const response = await revoke(otherClient, tokens[kind]);
      expect(await refusal(response)).toEqual([
        400,
        "invalid_grant",
        "refresh_token_of_another_client",
      ]);
      await server.expectRefresh(owner, tokens.refresh_token);
    },
  );

  it("works for a public client, and with any token_type_hint", async () => {
    const client = await server.makeClient({
      token_endpoint_auth_method: "none",
    });
    for (const token_type_hint of [
      "access_token",
      "refresh_token",
      "nonsense",
    ]) {
      const { refresh_token } = await server.login(client);
      expect(
        (await revoke(client, refresh_token, { token_type_hint })).status,
      ).toBe(200);
      const response = await server.refresh(client, refresh_token);
      expect(await refusal(response)).toEqual([
        400,
        "invalid_grant",
        "family_ended",
      ]);
    }
  });

  it("requires an authenticated client and exactly one token", async () => {
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    const wrongSecret = await revoke(
      { ...client, client_secret: "x" },
      refresh_token,
    );
    expect(await refusal(wrongSecret)).toEqual([
      401,
      "invalid_client",
      "client_secret_wrong",
    ]);
    expect(await refusal(await revoke(client, ""))).toEqual([
      400,
      "invalid_request",
      "parameter_missing",
    ]);
    const twice = await server.http("/revoke", {
      method: "POST",
      body: new URLSearchParams([
        ["token", refresh_token],
        ["token", refresh_token],
      ]),
    });
    expect(await refusal(twice)).toEqual([
      400,
      "invalid_request",
      "parameter_repeated",
    ]);
    await server.expectRefresh(client, refresh_token);
  });

  it("answers 503 if the family can't be reached, and changes nothing", async () => {
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    const TOKEN_FAMILY = familiesWith(() => fault("unreachable"));
    const response = await revoke(
      client,
      refresh_token,
      {},
      serverWith({ TOKEN_FAMILY }),
    );
    expect(await refusal(response)).toEqual([
      503,
      "temporarily_unavailable",
      "storage_unavailable",
    ]);
    await server.expectRefresh(client, refresh_token);
  });
});

describe("twenty refreshes that race a revocation", () => {
  it("leave no token that works", async () => {
    const client = await server.makeClient({
      refresh_token_retry_window: "PT30S",
    });
    const { refresh_token } = await server.login(client);
    const racing = Array.from({ length: 20 }, (_, n) =>
      n === 10
        ? revoke(client, refresh_token)
        : server.refresh(client, refresh_token),
    );
    const responses = await Promise.all(racing);
    const [revoked] = responses.splice(10, 1);
    expect(revoked?.status).toBe(200);
    for (const response of responses.filter(({ status }) => status === 200)) {
      const answer = await response.json<{
        refresh_token: string;
        access_token: string;
      }>();
      const next = await server.refresh(client, answer.refresh_token);
      expect(await refusal(next)).toEqual([
        400,
        "invalid_grant",
        "family_ended",
      ]);
      expect(await isActive(client, answer.access_token)).toBe(false);
    }
  });
});
