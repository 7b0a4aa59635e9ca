import { env } from "cloudflare:workers";
import { decodeJwt } from "jose";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { encryptedByDefuse } from "../support/defuse.ts";
import {
  good,
  kept,
  type KeyName,
  leagueServer,
  newTokenId,
  objectsThatKeep,
  oldToken,
  refused,
  takeOver,
} from "../support/league.ts";
import {
  refusal,
  server as ordinary,
  type TestClient,
} from "../support/server.ts";

/** Tokens that a real league server has made (league/oauth2-server 9.4.1) go on here, once. */

const server = leagueServer("defuse");
const clients = new Map<string, TestClient>();
let demo: TestClient;

beforeAll(async () => {
  for (const { payload } of good) {
    const { client_id } = payload;
    if (!clients.has(client_id))
      clients.set(client_id, await takeOver(server, client_id));
  }
  demo = clients.get("demo")!;
});

afterEach(() => {
  vi.useRealTimers();
});

/** A user of a test's own. */
function newUser(): string {
  return `user-${crypto.randomUUID()}`;
}

describe("a refresh token of the old server", () => {
  it.each(good.filter(({ name }) => name !== "expired"))(
    "becomes a login with its client, user and scopes: $name, $key",
    async ({ key, refresh_token, payload }) => {
      const { client_id, user_id, scopes } = payload;
      const client = clients.get(client_id)!;
      const keyed = leagueServer(key as KeyName);
      const tokens = await keyed.expectRefresh(client, refresh_token);
      expect(tokens).toMatchObject({ token_type: "Bearer", expires_in: 3600 });
      expect(tokens.refresh_token).toMatch(/^baton_rt_/);
      expect(tokens.scope).toBe(scopes.join(" ") || undefined);
      // Without a user the old server's JWT is about the client.
      const sub = user_id ?? client_id;
      expect(decodeJwt(tokens.access_token)).toMatchObject({ sub, client_id });

      // What comes then needs no key of the old server.
      const next = await ordinary.expectRefresh(client, tokens.refresh_token);
      expect(next.scope).toBe(tokens.scope);
      expect(decodeJwt(next.access_token)).toMatchObject({ sub, client_id });
    },
  );

  it.each(good.filter(({ name }) => name === "expired"))(
    "is refused once it has expired: $key",
    async ({ key, refresh_token }) => {
      const before = await objectsThatKeep();
      const keyed = leagueServer(key as KeyName);
      const response = await keyed.refresh(demo, refresh_token);
      expect(await refusal(response)).toEqual([
        400,
        "invalid_grant",
        "refresh_token_expired",
      ]);
      expect(await objectsThatKeep()).toEqual(before);
    },
  );

  const reasonsByName: Record<string, string> = {
    "one digit changed": "refresh_token_forged",
    "cut short": "refresh_token_forged",
    "header changed": "refresh_token_malformed",
    "made with another key": "refresh_token_forged",
    "not JSON inside": "league_token_unreadable",
    "JSON without the fields": "league_token_unreadable",
  };

  it.each(refused)(
    "is refused, and nothing is written: $name",
    async ({ name, key, refresh_token }) => {
      const before = await objectsThatKeep();
      const keyed = leagueServer(key as KeyName);
      const response = await keyed.refresh(demo, refresh_token);
      expect(await refusal(response)).toEqual([
        400,
        "invalid_grant",
        reasonsByName[name],
      ]);
      expect(await objectsThatKeep()).toEqual(before);
    },
  );

  it("is refused with any one bit flipped, and nothing is written", async () => {
    const token = await oldToken({});
    const before = await objectsThatKeep();
    const bytes = Uint8Array.fromHex(token);
    // Each part of the format: header, salt, counter, text, MAC.
    const places = [0, 3, 4, 20, 35, 36, 51, 52, 100, bytes.length - 1];
    for (const place of places) {
      const reason =
        place < 4 ? "refresh_token_malformed" : "refresh_token_forged";
      for (let bit = 0; bit < 8; bit++) {
        const flipped = bytes.slice();
        flipped[place]! ^= 1 << bit;
        const response = await server.refresh(demo, flipped.toHex());
        expect(await refusal(response), `byte ${place}, bit ${bit}`).toEqual([
          400,
          "invalid_grant",
          reason,
        ]);
      }
    }
    expect(await objectsThatKeep()).toEqual(before);
    await server.expectRefresh(demo, token);
  });

  it.each([
    ["in upper case", "malformed", (token: string) => token.toUpperCase()],
    [
      "with upper-case digits behind the header",
      "malformed",
      (token: string) => `def50200${token.slice(8).toUpperCase()}`,
    ],
    ["with white space after it", "malformed", (token: string) => `${token}\n`],
    ["with half a byte more", "malformed", (token: string) => `${token}0`],
    ["the header alone", "malformed", () => "def50200"],
    [
      "as long as a body may be",
      "forged",
      () => `def50200${"ab".repeat(8000)}`,
    ],
  ])("has one spelling: not %s", async (_, fault, spell) => {
    const token = await oldToken({});
    const response = await server.refresh(demo, spell(token));
    expect(await refusal(response)).toEqual([
      400,
      "invalid_grant",
      `refresh_token_${fault}`,
    ]);
    await server.expectRefresh(demo, token);
  });

  it.each([
    ["no JSON", "hello"],
    ["JSON that is no object", "[]"],
    ["null", "null"],
    [
      "an authorization code of the same server",
      JSON.stringify({
        client_id: "demo",
        redirect_uri: "https://app.example.com",
        auth_code_id: newTokenId(),
        scopes: ["read"],
        user_id: "42",
        expire_time: 2_111_002_082,
        code_challenge: "",
        code_challenge_method: "",
      }),
    ],
  ])("is refused when it holds %s", async (_, text) => {
    const token = await encryptedByDefuse(text);
    expect(await refusal(await server.refresh(demo, token))).toEqual([
      400,
      "invalid_grant",
      "league_token_unreadable",
    ]);
  });

  it.each([
    ["an id of nothing", { refresh_token_id: "" }],
    ["an id that is too long", { refresh_token_id: "a".repeat(256) }],
    ["an id with a space", { refresh_token_id: "a b" }],
    ["no end", { expire_time: null }],
    ["an end in words", { expire_time: "tomorrow" }],
    ["scopes in one string", { scopes: "read write" }],
    ["a user with control characters", { user_id: "a\nb" }],
    ["a user that is too long", { user_id: "a".repeat(256) }],
    ["a user that is a list", { user_id: ["42"] }],
    ["scopes that are none, and no other", { scopes: ['a"b', "c d"] }],
  ])("is refused when it has %s", async (_, payload) => {
    const token = await oldToken(payload);
    expect(await refusal(await server.refresh(demo, token))).toEqual([
      400,
      "invalid_grant",
      "league_token_unreadable",
    ]);
  });

  it("may have numbers for ids, as those of integer keys have", async () => {
    const client = await takeOver(server, "7");
    const user_id = Math.floor(Math.random() * 1e15);
    const token = await oldToken({ client_id: 7, user_id });
    const { access_token } = await server.expectRefresh(client, token);
    expect(decodeJwt(access_token)).toMatchObject({
      sub: String(user_id),
      client_id: "7",
    });
  });

  it("is refused while the old server's key is not set, as any other text is", async () => {
    const token = await oldToken({});
    const before = await objectsThatKeep();
    expect(await refusal(await ordinary.refresh(demo, token))).toEqual([
      400,
      "invalid_grant",
      "refresh_token_malformed",
    ]);
    expect(await objectsThatKeep()).toEqual(before);
  });
});

describe("the client of a token of the old server", () => {
  it("has to exist, and to authenticate", async () => {
    const token = await oldToken({ client_id: "gone" });
    const gone = { client_id: "gone", client_secret: "secret" };
    expect(await refusal(await server.refresh(gone, token))).toEqual([
      401,
      "invalid_client",
      "client_unknown",
    ]);
    const own = await oldToken({});
    const wrong = { ...demo, client_secret: "wrong" };
    expect(await refusal(await server.refresh(wrong, own))).toEqual([
      401,
      "invalid_client",
      "client_secret_wrong",
    ]);
    await server.expectRefresh(demo, own);
  });

  it("has to be the token's: another one's attempt does no harm", async () => {
    const token = await oldToken({});
    const other = await takeOver(server, "other");
    const before = await objectsThatKeep();
    expect(await refusal(await server.refresh(other, token))).toEqual([
      400,
      "invalid_grant",
      "refresh_token_of_another_client",
    ]);
    expect(await objectsThatKeep()).toEqual(before);
    const { refresh_token } = await server.expectRefresh(demo, token);
    // Also when it has been exchanged.
    expect(await refusal(await server.refresh(other, token))).toEqual([
      400,
      "invalid_grant",
      "refresh_token_of_another_client",
    ]);
    await server.expectRefresh(demo, refresh_token);
  });

  it("may be public", async () => {
    const app = await takeOver(server, "app", {
      token_endpoint_auth_method: "none",
    });
    const token = await oldToken({ client_id: "app" });
    await server.expectRefresh(app, token);
  });

  it("has to have the refresh token grant", async () => {
    const machine = await takeOver(server, "machine", {
      grant_types: ["client_credentials"],
    });
    const token = await oldToken({ client_id: "machine" });
    expect(await refusal(await server.refresh(machine, token))).toEqual([
      400,
      "unauthorized_client",
      "grant_type_not_allowed",
    ]);
  });

  it("has to be there now, not a minute ago, for a login begins", async () => {
    const elsewhere = leagueServer("defuse");
    const client = await takeOver(elsewhere, "leaving");
    const isolate = leagueServer("defuse");
    const token = await oldToken({ client_id: "leaving" });
    const other = await oldToken({ client_id: "leaving" });
    await isolate.expectRefresh(client, token);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 2_000 });
    await elsewhere.expectAdmin("DELETE", "/clients/leaving");
    expect(await refusal(await isolate.refresh(client, other))).toEqual([
      401,
      "invalid_client",
      "client_unknown",
    ]);
  });

  it("can't be made again for as long as its old tokens may live, whatever the logins' age", async () => {
    const short = { REFRESH_TOKEN_MAX_AGE: "P1M" };
    const here = leagueServer("defuse", short);
    await takeOver(here, "short-lived");
    vi.useFakeTimers({ toFake: ["Date"] });
    await here.expectAdmin("DELETE", "/clients/short-lived");
    const { expiration } = (await env.KV.list({ prefix: "client:short-lived" }))
      .keys[0]!;
    expect(expiration).toBeGreaterThan(Date.now() / 1000 + 364 * 86_400);
  });

  it("takes its logins with it when it is deleted, used tokens and unused ones", async () => {
    const client = await takeOver(server, "deleted");
    const token = await oldToken({ client_id: "deleted" });
    const unused = await oldToken({ client_id: "deleted" });
    const { refresh_token } = await server.expectRefresh(client, token);
    await server.expectAdmin("DELETE", "/clients/deleted");
    for (const one of [refresh_token, token, unused]) {
      expect(await refusal(await server.refresh(client, one))).toEqual([
        401,
        "invalid_client",
        "client_unknown",
      ]);
    }
  });
});

describe("the scopes of a token of the old server", () => {
  it("fall away where they do not exist here, or the client may not have them", async () => {
    const token = await oldToken({
      scopes: ["read", "gone", "write", "read", "not a scope", ""],
    });
    const tokens = await server.expectRefresh(demo, token);
    expect(tokens.scope).toBe("read write");
    const reader = await takeOver(server, "reader", { scope: "read" });
    const other = await oldToken({ client_id: "reader" });
    expect((await server.expectRefresh(reader, other)).scope).toBe("read");
  });

  it("may be narrowed, and are all there again the next time", async () => {
    const token = await oldToken({});
    const narrowed = await server.expectRefresh(demo, token, { scope: "read" });
    expect(narrowed.scope).toBe("read");
    const next = await server.expectRefresh(demo, narrowed.refresh_token);
    expect(next.scope).toBe("read write");
  });

  it.each([
    [
      "that the token does not have",
      "scope_not_granted",
      { scope: "read admin.users:read" },
      {},
    ],
    ["that is malformed", "scope_malformed", { scope: "read  write" }, {}],
    ["when nothing is left", "scope_all_lost", {}, { scopes: ["gone"] }],
  ])(
    "refuse a scope %s, and the token is still good",
    async (_, reason, more, payload) => {
      const refresh_token_id = newTokenId();
      const user_id = newUser();
      const token = await oldToken({ refresh_token_id, user_id, ...payload });
      const response = await server.refresh(demo, token, more);
      expect(await refusal(response)).toEqual([400, "invalid_scope", reason]);
      for (const object of [
        env.TOKEN_FAMILY.getByName(refresh_token_id),
        env.SUBJECT_INDEX.getByName(user_id),
      ])
        expect(await kept(object)).toEqual({ rows: 0, alarm: null });
      await server.makeScopes("gone");
      await server.expectAdmin("PATCH", "/clients/demo", {
        scope: "read write admin.users:read gone",
      });
      await server.expectRefresh(demo, token);
      await server.expectAdmin("DELETE", "/scopes/gone");
    },
  );
});
