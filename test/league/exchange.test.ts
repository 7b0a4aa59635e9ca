import { env } from "cloudflare:workers";
import { decodeJwt } from "jose";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { encryptedByDefuse } from "../support/defuse.ts";
import {
  goodVectors,
  storageOf,
  type KeyName,
  leagueServer,
  newTokenId,
  objectIds,
  oldToken,
  refusedVectors,
  takeOver,
} from "../support/league.ts";
import {
  refusal,
  server as ordinary,
  type TestClient,
} from "../support/server.ts";

/** The exchange of tokens that a real league server made (league/oauth2-server 9.4.1). */

const server = leagueServer("defuse");
const clients = new Map<string, TestClient>();
let demo: TestClient;

beforeAll(async () => {
  for (const { payload } of goodVectors) {
    const { client_id } = payload;
    if (!clients.has(client_id))
      clients.set(client_id, await takeOver(server, client_id));
  }
  demo = clients.get("demo")!;
});

afterEach(() => {
  vi.useRealTimers();
});

/** Makes the name of a user that no other test has. */
function newUser(): string {
  return `user-${crypto.randomUUID()}`;
}

describe("a league token", () => {
  it.each(goodVectors.filter(({ name }) => name !== "expired"))(
    "becomes a login with its client, user and scopes: $name, $key",
    async ({ key, refresh_token, payload }) => {
      const { client_id, user_id, scopes } = payload;
      const client = clients.get(client_id)!;
      const keyed = leagueServer(key as KeyName);
      const tokens = await keyed.expectRefresh(client, refresh_token);
      expect(tokens).toMatchObject({ token_type: "Bearer", expires_in: 3600 });
      expect(tokens.refresh_token).toMatch(/^baton_rt_/);
      expect(tokens.scope).toBe(scopes.join(" ") || undefined);
      // Without a user, the client is the subject of the old server's JWT.
      const sub = user_id ?? client_id;
      expect(decodeJwt(tokens.access_token)).toMatchObject({ sub, client_id });

      // The next refresh does not need the old server's key.
      const next = await ordinary.expectRefresh(client, tokens.refresh_token);
      expect(next.scope).toBe(tokens.scope);
      expect(decodeJwt(next.access_token)).toMatchObject({ sub, client_id });
    },
  );

  it.each(goodVectors.filter(({ name }) => name === "expired"))(
    "is refused after it has expired: $key",
    async ({ key, refresh_token }) => {
      const before = await objectIds();
      const keyed = leagueServer(key as KeyName);
      const response = await keyed.refresh(demo, refresh_token);
      expect(await refusal(response)).toEqual([
        400,
        "invalid_grant",
        "refresh_token_expired",
      ]);
      expect(await objectIds()).toEqual(before);
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

  it.each(refusedVectors)(
    "is refused, and nothing is written: $name",
    async ({ name, key, refresh_token }) => {
      const before = await objectIds();
      const keyed = leagueServer(key as KeyName);
      const response = await keyed.refresh(demo, refresh_token);
      expect(await refusal(response)).toEqual([
        400,
        "invalid_grant",
        reasonsByName[name],
      ]);
      expect(await objectIds()).toEqual(before);
    },
  );

  it("is refused if one bit of any part is flipped, and nothing is written", async () => {
    const token = await oldToken({});
    const before = await objectIds();
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
    expect(await objectIds()).toEqual(before);
    await server.expectRefresh(demo, token);
  });

  it.each([
    ["in upper case", "malformed", (token: string) => token.toUpperCase()],
    [
      "with upper-case digits after the header",
      "malformed",
      (token: string) => `def50200${token.slice(8).toUpperCase()}`,
    ],
    ["with white space after it", "malformed", (token: string) => `${token}\n`],
    ["with one digit more", "malformed", (token: string) => `${token}0`],
    ["as the header alone", "malformed", () => "def50200"],
    [
      "as almost the longest text that fits a body",
      "forged",
      () => `def50200${"ab".repeat(8000)}`,
    ],
  ])("is not accepted %s", async (_, fault, spell) => {
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
    ["a text that is not JSON", "hello"],
    ["JSON that is not an object", "[]"],
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
  ])("is refused if it contains %s", async (_, text) => {
    const token = await encryptedByDefuse(text);
    expect(await refusal(await server.refresh(demo, token))).toEqual([
      400,
      "invalid_grant",
      "league_token_unreadable",
    ]);
  });

  it.each([
    ["an empty id", { refresh_token_id: "" }],
    ["an id that is too long", { refresh_token_id: "a".repeat(256) }],
    ["an id with a space", { refresh_token_id: "a b" }],
    ["no expiry", { expire_time: null }],
    ["an expiry in words", { expire_time: "tomorrow" }],
    ["scopes in one string", { scopes: "read write" }],
    ["a user with control characters", { user_id: "a\nb" }],
    ["a user that is too long", { user_id: "a".repeat(256) }],
    ["a user that is a list", { user_id: ["42"] }],
    ["malformed scopes only", { scopes: ['a"b', "c d"] }],
  ])("is refused if it has %s", async (_, payload) => {
    const token = await oldToken(payload);
    expect(await refusal(await server.refresh(demo, token))).toEqual([
      400,
      "invalid_grant",
      "league_token_unreadable",
    ]);
  });

  it("may have numbers as ids, because the old server's database may have integer keys", async () => {
    const client = await takeOver(server, "7");
    const user_id = Math.floor(Math.random() * 1e15);
    const token = await oldToken({ client_id: 7, user_id });
    const { access_token } = await server.expectRefresh(client, token);
    expect(decodeJwt(access_token)).toMatchObject({
      sub: String(user_id),
      client_id: "7",
    });
  });

  it("is refused like any other text while the old server's key is not set", async () => {
    const token = await oldToken({});
    const before = await objectIds();
    expect(await refusal(await ordinary.refresh(demo, token))).toEqual([
      400,
      "invalid_grant",
      "refresh_token_malformed",
    ]);
    expect(await objectIds()).toEqual(before);
  });
});

describe("the client of a league token", () => {
  it("must exist and authenticate", async () => {
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

  it("must be the client in the token: an attempt of another client is refused and does no harm", async () => {
    const token = await oldToken({});
    const other = await takeOver(server, "other");
    const before = await objectIds();
    expect(await refusal(await server.refresh(other, token))).toEqual([
      400,
      "invalid_grant",
      "refresh_token_of_another_client",
    ]);
    expect(await objectIds()).toEqual(before);
    const { refresh_token } = await server.expectRefresh(demo, token);
    // Also after the exchange.
    expect(await refusal(await server.refresh(other, token))).toEqual([
      400,
      "invalid_grant",
      "refresh_token_of_another_client",
    ]);
    await server.expectRefresh(demo, refresh_token);
  });

  it("may be a public client", async () => {
    const app = await takeOver(server, "app", {
      token_endpoint_auth_method: "none",
    });
    const token = await oldToken({ client_id: "app" });
    await server.expectRefresh(app, token);
  });

  it("must have the grant type refresh_token", async () => {
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

  it("must exist now and not only in the isolate's copy, because a login begins", async () => {
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

  it("can't be made again while its league tokens may be valid, also if REFRESH_TOKEN_MAX_AGE is shorter", async () => {
    const short = { REFRESH_TOKEN_MAX_AGE: "P1M" };
    const here = leagueServer("defuse", short);
    await takeOver(here, "short-lived");
    vi.useFakeTimers({ toFake: ["Date"] });
    await here.expectAdmin("DELETE", "/clients/short-lived");
    const { expiration } = (await env.KV.list({ prefix: "client:short-lived" }))
      .keys[0]!;
    expect(expiration).toBeGreaterThan(Date.now() / 1000 + 364 * 86_400);
  });

  it("can't use any of its tokens after it is deleted: successors, used league tokens and unused ones", async () => {
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

describe("the scopes of a league token", () => {
  it("are left out if they do not exist here or the client may not have them", async () => {
    const token = await oldToken({
      scopes: ["read", "gone", "write", "read", "not a scope", ""],
    });
    const tokens = await server.expectRefresh(demo, token);
    expect(tokens.scope).toBe("read write");
    const reader = await takeOver(server, "reader", { scope: "read" });
    const other = await oldToken({ client_id: "reader" });
    expect((await server.expectRefresh(reader, other)).scope).toBe("read");
  });

  it("may be narrowed, and the next refresh has all of them again", async () => {
    const token = await oldToken({});
    const narrowed = await server.expectRefresh(demo, token, { scope: "read" });
    expect(narrowed.scope).toBe("read");
    const next = await server.expectRefresh(demo, narrowed.refresh_token);
    expect(next.scope).toBe("read write");
  });

  it.each([
    [
      "asks for a scope that they do not include",
      "scope_not_granted",
      { scope: "read admin.users:read" },
      {},
    ],
    [
      "asks for a malformed scope",
      "scope_malformed",
      { scope: "read\twrite" },
      {},
    ],
    ["would leave none of them", "scope_all_lost", {}, { scopes: ["gone"] }],
  ])(
    "get invalid_scope if the request %s, and the token stays good",
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
        expect(await storageOf(object)).toEqual({ rows: 0, alarm: null });
      await server.makeScopes("gone");
      await server.expectAdmin("PATCH", "/clients/demo", {
        scope: "read write admin.users:read gone",
      });
      await server.expectRefresh(demo, token);
      await server.expectAdmin("DELETE", "/scopes/gone");
    },
  );
});
