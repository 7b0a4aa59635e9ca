import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import {
  authorize,
  decide,
  expectTokens,
  location,
  LOGIN_URL,
  makeWebClient,
  obtainCode,
  redeem,
  requestAtLogin,
} from "../support/authorization.ts";
import {
  refusal,
  server,
  serverWith,
  type TestClient,
  type TestServer,
} from "../support/server.ts";

/**
 * Tests two isolates: one has just changed a record that the other one read before. What a client was given
 * must work at once, and must not be missing from a login for its whole life.
 */

const api = "https://api.example.com";

beforeAll(() => server.makeScopes("read", "write"));

afterEach(() => {
  vi.useRealTimers();
});

function change(
  { client_id }: { client_id: string },
  patch: Record<string, unknown>,
): Promise<unknown> {
  return server.expectAdmin("PATCH", `/clients/${client_id}`, patch);
}

/** The scopes in the description that the sign-in page gets. */
async function described(request: string, by: TestServer): Promise<string[]> {
  const query = new URLSearchParams({ request }).toString();
  const path = `/authorizations?${query}`;
  const { scopes } = await by.expectAdmin<{ scopes: { scope: string }[] }>(
    "GET",
    path,
  );
  return scopes.map(({ scope }) => scope);
}

/** Makes an isolate that reads a client and the catalogue, and then moves the clock on by two seconds. */
async function isolateThatHasRead(client: {
  client_id: string;
}): Promise<TestServer> {
  const isolate = serverWith({});
  await authorize(client, {}, isolate);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 2_000 });
  return isolate;
}

describe("an isolate with an older record", () => {
  it("accepts, at /authorize, what the client may request by now", async () => {
    const client = await makeWebClient({ scope: "read" });
    const outdated = await isolateThatHasRead(client);
    await change(client, {
      scope: "read write",
      resources: [api],
    });
    const more = [
      ["scope", "read write"],
      ["resource", api],
    ];
    const login = location(await authorize(client, more, outdated));
    expect(login.origin + login.pathname).toBe(LOGIN_URL);
  });

  it("describes and decides everything that was requested, and the login keeps it for its whole life", async () => {
    const client = await makeWebClient({ scope: "read" });
    const outdated = await isolateThatHasRead(client);
    await change(client, {
      scope: "read write",
      resources: [api],
    });
    const request = await requestAtLogin(client, [
      ["scope", "read write"],
      ["resource", api],
    ]);

    const query = new URLSearchParams({ request }).toString();
    expect(
      await outdated.expectAdmin("GET", `/authorizations?${query}`),
    ).toMatchObject({
      scopes: [{ scope: "read" }, { scope: "write" }],
      resource: [api],
    });
    const code =
      (await decide(request, { subject: "alice" }, outdated)).searchParams.get(
        "code",
      ) ?? "";
    const tokens = await expectTokens(await redeem(client, code));
    expect(tokens.scope).toBe("read write");
    const next = await server.expectRefresh(client, tokens.refresh_token);
    expect(next.scope).toBe("read write");
  });

  it("redeems everything that was authorized", async () => {
    const client = await makeWebClient({ scope: "read" });
    const outdated = await isolateThatHasRead(client);
    await change(client, {
      scope: "read write",
    });
    const request = await requestAtLogin(client, { scope: "read write" });
    const code = (await decide(request)).searchParams.get("code") ?? "";
    expect(
      await expectTokens(await redeem(client, code, {}, outdated)),
    ).toMatchObject({ scope: "read write" });
  });

  type Ask = (
    scope: string,
    client: TestClient,
    outdated: TestServer,
  ) => Promise<string[]>;

  const places: [string, Ask][] = [
    [
      "at /authorize",
      async (scope, client, outdated) =>
        described(await requestAtLogin(client, { scope }, outdated), server),
    ],
    [
      "in the description",
      async (scope, client, outdated) =>
        described(await requestAtLogin(client, { scope }), outdated),
    ],
    [
      "at the token endpoint",
      async (scope, client, outdated) => {
        const code = await obtainCode(client, { scope });
        const response = await redeem(client, code, {}, outdated);
        return [(await expectTokens(response)).scope ?? ""];
      },
    ],
  ];

  it.each(places)(
    "knows a scope that was just added to the catalogue, %s",
    async (_, ask) => {
      const client = await makeWebClient({ scope: "read" });
      const outdated = await isolateThatHasRead(client);
      const scope = `new-${crypto.randomUUID()}`;
      const description = "Something new";
      await server.expectAdmin("PUT", `/scopes/${scope}`, { description });
      await change(client, { scope });
      expect(await ask(scope, client, outdated)).toEqual([scope]);
    },
  );

  it("grants all scopes of the client if none is named, also one that was just added", async () => {
    const client = await makeWebClient({ scope: "read" });
    const outdated = await isolateThatHasRead(client);
    await change(client, { scope: "read write" });
    const request = await requestAtLogin(client, {}, outdated);
    const decision = { subject: "alice" };
    const redirect = await decide(request, decision, outdated);
    const code = redirect.searchParams.get("code") ?? "";
    const tokens = await expectTokens(await redeem(client, code, {}, outdated));
    expect(tokens.scope).toBe("read write");
  });

  it("gives a refresh token to a client that may refresh by now", async () => {
    const client = await makeWebClient({ grant_types: ["authorization_code"] });
    const outdated = await isolateThatHasRead(client);
    await change(client, {
      grant_types: ["authorization_code", "refresh_token"],
    });
    const code = await obtainCode(client);
    const tokens = await expectTokens(await redeem(client, code, {}, outdated));
    await server.expectRefresh(client, tokens.refresh_token);
  });

  it("redirects to the sign-in page for a client that may use authorization codes by now", async () => {
    const client = await makeWebClient({ grant_types: ["refresh_token"] });
    const outdated = await isolateThatHasRead(client);
    await change(client, {
      grant_types: ["authorization_code", "refresh_token"],
    });
    const login = location(await authorize(client, {}, outdated));
    expect(login.origin + login.pathname).toBe(LOGIN_URL);
  });

  it("starts no login for a secret that has ended", async () => {
    const client = await makeWebClient();
    const outdated = await isolateThatHasRead(client);
    const path = `/clients/${client.client_id}/secrets`;
    await server.expectAdmin("POST", path, { old_secret_ttl: "PT0S" });
    const code = await obtainCode(client);
    expect(await refusal(await redeem(client, code, {}, outdated))).toEqual([
      401,
      "invalid_client",
      "client_secret_wrong",
    ]);
  });
});
