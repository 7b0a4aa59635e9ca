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
 * Two isolates: one has changed a record a moment ago, the other one has read it before. What was given
 * to a client has to work at once, and must not fall away from a login for as long as that lives.
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

/** The scopes that a login is told of. */
async function described(request: string, by: TestServer): Promise<string[]> {
  const query = new URLSearchParams({ request }).toString();
  const path = `/authorizations?${query}`;
  const { scopes } = await by.expectAdmin<{ scopes: { scope: string }[] }>(
    "GET",
    path,
  );
  return scopes.map(({ scope }) => scope);
}

/** An isolate that knows a client and the catalogue as they are now; and then it is two seconds later. */
async function isolateThatKnows(client: {
  client_id: string;
}): Promise<TestServer> {
  const isolate = serverWith({});
  await authorize(client, {}, isolate);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 2_000 });
  return isolate;
}

describe("an isolate that knows an older record", () => {
  it("passes on what the client may ask for by now, at /authorize", async () => {
    const client = await makeWebClient({ scope: "read" });
    const behind = await isolateThatKnows(client);
    await change(client, {
      scope: "read write",
      resources: [api],
    });
    const more = [
      ["scope", "read write"],
      ["resource", api],
    ];
    const login = location(await authorize(client, more, behind));
    expect(login.origin + login.pathname).toBe(LOGIN_URL);
  });

  it("describes and decides all that was asked for, and the login has it for its whole life", async () => {
    const client = await makeWebClient({ scope: "read" });
    const behind = await isolateThatKnows(client);
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
      await behind.expectAdmin("GET", `/authorizations?${query}`),
    ).toMatchObject({
      scopes: [{ scope: "read" }, { scope: "write" }],
      resource: [api],
    });
    const code =
      (await decide(request, { subject: "alice" }, behind)).searchParams.get(
        "code",
      ) ?? "";
    const tokens = await expectTokens(await redeem(client, code));
    expect(tokens.scope).toBe("read write");
    const next = await server.expectRefresh(client, tokens.refresh_token);
    expect(next.scope).toBe("read write");
  });

  it("redeems all that was authorized", async () => {
    const client = await makeWebClient({ scope: "read" });
    const behind = await isolateThatKnows(client);
    await change(client, {
      scope: "read write",
    });
    const request = await requestAtLogin(client, { scope: "read write" });
    const code = (await decide(request)).searchParams.get("code") ?? "";
    expect(
      await expectTokens(await redeem(client, code, {}, behind)),
    ).toMatchObject({ scope: "read write" });
  });

  type Ask = (
    scope: string,
    client: TestClient,
    behind: TestServer,
  ) => Promise<string[]>;

  const places: [string, Ask][] = [
    [
      "at /authorize",
      async (scope, client, behind) =>
        described(await requestAtLogin(client, { scope }, behind), server),
    ],
    [
      "in the description",
      async (scope, client, behind) =>
        described(await requestAtLogin(client, { scope }), behind),
    ],
    [
      "at the token endpoint",
      async (scope, client, behind) => {
        const code = await obtainCode(client, { scope });
        const response = await redeem(client, code, {}, behind);
        return [(await expectTokens(response)).scope ?? ""];
      },
    ],
  ];

  it.each(places)(
    "knows a scope that the catalogue has had for a moment, %s",
    async (_, ask) => {
      const client = await makeWebClient({ scope: "read" });
      const behind = await isolateThatKnows(client);
      const scope = `new-${crypto.randomUUID()}`;
      const description = "Something new";
      await server.expectAdmin("PUT", `/scopes/${scope}`, { description });
      await change(client, { scope });
      expect(await ask(scope, client, behind)).toEqual([scope]);
    },
  );

  it("grants all of the client's scopes where none is named, also one of a moment ago", async () => {
    const client = await makeWebClient({ scope: "read" });
    const behind = await isolateThatKnows(client);
    await change(client, { scope: "read write" });
    const request = await requestAtLogin(client, {}, behind);
    const decision = { subject: "alice" };
    const back = await decide(request, decision, behind);
    const code = back.searchParams.get("code") ?? "";
    const tokens = await expectTokens(await redeem(client, code, {}, behind));
    expect(tokens.scope).toBe("read write");
  });

  it("gives a refresh token to a client that may refresh by now", async () => {
    const client = await makeWebClient({ grant_types: ["authorization_code"] });
    const behind = await isolateThatKnows(client);
    await change(client, {
      grant_types: ["authorization_code", "refresh_token"],
    });
    const code = await obtainCode(client);
    const tokens = await expectTokens(await redeem(client, code, {}, behind));
    await server.expectRefresh(client, tokens.refresh_token);
  });

  it("signs in for a client that may do so by now", async () => {
    const client = await makeWebClient({ grant_types: ["refresh_token"] });
    const behind = await isolateThatKnows(client);
    await change(client, {
      grant_types: ["authorization_code", "refresh_token"],
    });
    const login = location(await authorize(client, {}, behind));
    expect(login.origin + login.pathname).toBe(LOGIN_URL);
  });

  it("starts no login by a secret that has been ended", async () => {
    const client = await makeWebClient();
    const behind = await isolateThatKnows(client);
    const path = `/clients/${client.client_id}/secrets`;
    await server.expectAdmin("POST", path, { old_secret_ttl: "PT0S" });
    const code = await obtainCode(client);
    expect(await refusal(await redeem(client, code, {}, behind))).toEqual([
      401,
      "invalid_client",
      "client_secret_wrong",
    ]);
  });
});
