import { afterEach, describe, expect, it, vi } from "vitest";
import { countingBindings } from "../support/counting.ts";
import { basic, server, serverWith, type Tokens } from "../support/server.ts";

/** Only a living access token ends a login: an expired one may stand in a log or in a browser's history. */

afterEach(() => {
  vi.useRealTimers();
});

function stopClock() {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
}

describe("POST /revoke with an expired access token", () => {
  it.each(["none", undefined])(
    "answers 200 and changes nothing, for a client with the authentication method %s",
    async (method) => {
      stopClock();
      const client = await server.makeClient({
        access_token_ttl: "PT1M",
        ...(method !== undefined && { token_endpoint_auth_method: method }),
      });
      const { access_token, refresh_token } = await server.login(client);
      vi.advanceTimersByTime(60_000);
      const { calls, bindings } = countingBindings();
      const response = await serverWith(bindings).about(
        "/revoke",
        client,
        access_token,
      );
      expect([response.status, await response.json()]).toEqual([200, {}]);
      expect(calls.family).toBe(0);
      await server.expectRefresh(client, refresh_token);
    },
  );

  it("still ends the login in its last second", async () => {
    stopClock();
    const client = await server.makeClient({ access_token_ttl: "PT1M" });
    const { access_token, refresh_token } = await server.login(client);
    vi.advanceTimersByTime(59_000);
    expect((await server.about("/revoke", client, access_token)).status).toBe(
      200,
    );
    const response = await server.refresh(client, refresh_token);
    expect(await response.json()).toMatchObject({ error: "invalid_grant" });
  });

  it("says nothing to another client, and answers 200 for one of the client itself", async () => {
    stopClock();
    const client = await server.makeClient({
      access_token_ttl: "PT1M",
      grant_types: ["client_credentials", "refresh_token"],
    });
    const own = await server.token(
      { grant_type: "client_credentials" },
      { Authorization: basic(client.client_id, client.client_secret) },
    );
    const tokens = [
      (await server.login(client)).access_token,
      (await own.json<Tokens>()).access_token,
    ];
    const other = await server.makeClient();
    vi.advanceTimersByTime(60_000);
    for (const token of tokens)
      for (const presenter of [client, other])
        expect((await server.about("/revoke", presenter, token)).status).toBe(
          200,
        );
  });
});
