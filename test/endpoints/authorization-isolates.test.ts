import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import {
  authorize,
  decide,
  expectTokens,
  location,
  LOGIN_URL,
  makeWebClient,
  redeem,
  requestAtLogin,
} from "../support/authorization.ts";
import { server, serverWith, type TestServer } from "../support/server.ts";

/**
 * Two isolates: one has changed a record a moment ago, the other one has read it before. What was given
 * to a client has to work at once, and must not fall away from a login for as long as that lives.
 */

const api = "https://api.example.com";

beforeAll(() => server.makeScopes("read", "write"));

afterEach(() => {
  vi.useRealTimers();
});

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
    await server.expectAdmin("PATCH", `/clients/${client.client_id}`, {
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
    await server.expectAdmin("PATCH", `/clients/${client.client_id}`, {
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
    await server.expectAdmin("PATCH", `/clients/${client.client_id}`, {
      scope: "read write",
    });
    const request = await requestAtLogin(client, { scope: "read write" });
    const code = (await decide(request)).searchParams.get("code") ?? "";
    expect(
      await expectTokens(await redeem(client, code, {}, behind)),
    ).toMatchObject({ scope: "read write" });
  });

  it("knows a scope that the catalogue has had for a moment", async () => {
    const client = await makeWebClient({ scope: "read" });
    const behind = await isolateThatKnows(client);
    const scope = `new-${crypto.randomUUID()}`;
    await server.expectAdmin("PUT", `/scopes/${scope}`, {
      description: "Something new",
    });
    await server.expectAdmin("PATCH", `/clients/${client.client_id}`, {
      scope,
    });
    const request = await requestAtLogin(client, { scope }, behind);
    const query = new URLSearchParams({ request }).toString();
    expect(
      await behind.expectAdmin("GET", `/authorizations?${query}`),
    ).toMatchObject({
      scopes: [{ scope, description: "Something new" }],
    });
  });

  it("gives a client by client credentials what it may have by now", async () => {
    const client = await server.makeClient({
      scope: "read",
      grant_types: ["client_credentials"],
    });
    const behind = serverWith({});
    const ask = (more: Record<string, string> = {}) =>
      behind.token({
        grant_type: "client_credentials",
        client_id: client.client_id,
        client_secret: client.client_secret,
        ...more,
      });
    expect(await expectTokens(await ask())).toMatchObject({ scope: "read" });
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 2_000 });
    await server.expectAdmin("PATCH", `/clients/${client.client_id}`, {
      scope: "read write",
    });
    expect(await expectTokens(await ask({ scope: "write" }))).toMatchObject({
      scope: "write",
    });
  });
});
