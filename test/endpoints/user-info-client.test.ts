import { decodeJwt } from "jose";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { leagueServer, oldToken, takeOver } from "../support/league.ts";
import {
  refusal,
  server,
  serverWith,
  type TestServer,
  type Tokens,
} from "../support/server.ts";

/** Tests what the UserInfo endpoint says where the client may not, or no longer, know of a user. */

const person = { id_token_claims: { email: "alice@example.com", name: "Al" } };
const withoutOpenId = [
  403,
  "insufficient_scope",
  "access_token_scope_insufficient",
];

beforeAll(() => server.makeScopes("openid", "profile", "email"));

afterEach(() => {
  vi.useRealTimers();
});

function ask({ access_token }: Tokens, at: TestServer = server) {
  const headers = { Authorization: `Bearer ${access_token}` };
  return at.http("/userinfo", { headers });
}

async function answer(response: Response): Promise<unknown> {
  expect(response.status).toBe(200);
  return response.json();
}

async function newLogin() {
  const scope = "openid profile email";
  const client = await server.makeClient({ scope });
  const patch = (changed: string) =>
    server.expectAdmin("PATCH", `/clients/${client.client_id}`, {
      scope: changed,
    });
  return { tokens: await server.login(client, person), patch };
}

describe("a token of a league login without a user", () => {
  it("is refused, because the client is not a user", async () => {
    const league = leagueServer("defuse");
    const client_id = `machine-${crypto.randomUUID()}`;
    const client = await takeOver(league, client_id, { scope: "openid" });
    const old = await oldToken({
      client_id,
      user_id: null,
      scopes: ["openid"],
    });
    const tokens = await league.expectRefresh(client, old);
    expect(decodeJwt(tokens.access_token)).toMatchObject({
      sub: client_id,
      sub_type: "client",
      scope: "openid",
    });
    expect(await refusal(await ask(tokens, league))).toEqual([
      401,
      "invalid_token",
      "access_token_without_user",
    ]);
  });
});

describe("what the client's record has lost since the token was made", () => {
  it("is no longer released: a scope", async () => {
    const { tokens, patch } = await newLogin();
    expect(await answer(await ask(tokens))).toEqual({
      sub: "alice",
      ...person.id_token_claims,
    });
    await patch("openid profile");
    expect(await answer(await ask(tokens))).toEqual({
      sub: "alice",
      name: "Al",
    });
    await patch("openid");
    expect(await answer(await ask(tokens))).toEqual({ sub: "alice" });
  });

  it("closes the endpoint: openid", async () => {
    const { tokens, patch } = await newLogin();
    await patch("profile email");
    expect(await refusal(await ask(tokens))).toEqual(withoutOpenId);
  });

  it("is there within a second when it comes back, also where an isolate has kept the record without it", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const { tokens, patch } = await newLogin();
    const isolate = serverWith({});
    await patch("profile");
    expect(await refusal(await ask(tokens, isolate))).toEqual(withoutOpenId);
    await patch("openid profile email");
    vi.advanceTimersByTime(1000);
    expect(await answer(await ask(tokens, isolate))).toEqual({
      sub: "alice",
      ...person.id_token_claims,
    });
  });

  it("does not grow: a scope that the client got after the login", async () => {
    const client = await server.makeClient({ scope: "openid" });
    const tokens = await server.login(client, person);
    await server.expectAdmin("PATCH", `/clients/${client.client_id}`, {
      scope: "openid profile email",
    });
    expect(await answer(await ask(tokens))).toEqual({ sub: "alice" });
  });
});
