import { env } from "cloudflare:workers";
import { base64url, decodeJwt, importJWK, type JWK, SignJWT } from "jose";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { fieldErrors } from "../../support/admin.ts";
import { leagueServer, oldToken, takeOver } from "../../support/league.ts";
import {
  refusal,
  server,
  serverWith,
  type TestClient,
  type TestServer,
  type Tokens,
} from "../../support/server.ts";
import { loginsOf } from "../../support/subjects.ts";

/** Tests `/admin/introspect`, `/admin/revoke` and `GET /admin/grants/{grant_id}`. */

beforeAll(() => server.makeScopes("read", "write"));

afterEach(() => {
  vi.useRealTimers();
});

type Json = Record<string, unknown>;

function inspect(token: string, at = server): Promise<Json> {
  return at.expectAdmin<Json>("POST", "/introspect", { token });
}

function revoke(token: string, at = server): Promise<Json> {
  return at.expectAdmin<Json>("POST", "/revoke", { token });
}

async function grantIdOf(subject: string): Promise<string> {
  const [grant] = (await loginsOf(subject)) as { grant_id: string }[];
  return grant?.grant_id ?? "none";
}

/** A login at a moment that the tests know. */
async function logIn(metadata: Json = {}) {
  const subject = `user-${crypto.randomUUID()}`;
  const client = await server.makeClient({
    scope: "read write",
    resources: ["https://api.example.com"],
    ...metadata,
  });
  const tokens = await server.login(client, { subject });
  const grant_id = await grantIdOf(subject);
  return { subject, client, tokens, grant_id };
}

async function isDead(client: TestClient, tokens: Tokens): Promise<boolean> {
  const { status } = await server.refresh(client, tokens.refresh_token);
  return status === 400;
}

describe("POST /admin/introspect", () => {
  it("says everything about an active refresh token", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: 1_800_000_000_000 });
    const { subject, client, tokens, grant_id } = await logIn({
      refresh_token_ttl: "P1D",
      refresh_token_max_age: "P9D",
    });
    const times = {
      created_at: 1_800_000_000,
      last_used_at: 1_800_000_000,
      expires_at: 1_800_086_400,
      ends_at: 1_800_777_600,
    };
    const login = {
      grant_id,
      client_id: client.client_id,
      subject,
      scope: "read write",
      resource: [],
    };
    expect(await inspect(tokens.refresh_token)).toEqual({
      active: true,
      kind: "refresh_token",
      ...login,
      expires_at: 1_800_086_400,
      generation: 1,
      grant: { ...login, ...times, generation: 1 },
    });
  });

  it("says everything about an active access token, whose scope may be narrower than the grant's", async () => {
    const { subject, client, tokens, grant_id } = await logIn();
    const narrowed = await server.expectRefresh(client, tokens.refresh_token, {
      scope: "read",
    });
    const { iat, exp } = decodeJwt(narrowed.access_token);
    expect(await inspect(narrowed.access_token)).toEqual({
      active: true,
      kind: "access_token",
      grant_id,
      client_id: client.client_id,
      subject,
      scope: "read",
      resource: ["https://api.example.com"],
      issued_at: iat,
      expires_at: exp,
      grant: expect.objectContaining({ scope: "read write", generation: 2 }),
    });
  });

  it("knows a client's own access token, which has no grant", async () => {
    const client = await server.makeClient({
      grant_types: ["client_credentials"],
      scope: "read",
    });
    const { client_id, client_secret } = client;
    const response = await server.token({
      grant_type: "client_credentials",
      client_id,
      client_secret,
    });
    const { access_token } = await response.json<Tokens>();
    expect(await inspect(access_token)).toMatchObject({
      active: true,
      kind: "access_token",
      client_id,
      subject: client_id,
      sub_type: "client",
    });
    expect(await inspect(access_token)).not.toHaveProperty("grant_id");
    await server.expectAdmin("PATCH", `/clients/${client_id}`, {
      tokens_not_before: "now",
    });
    expect(await inspect(access_token)).toMatchObject({
      active: false,
      inactive_because: "tokens_not_before",
    });
  });

  it("changes nothing", async () => {
    const { client, tokens } = await logIn();
    const used = tokens.refresh_token;
    const { refresh_token } = await server.expectRefresh(client, used);
    await inspect(used);
    await inspect(refresh_token);
    await server.expectRefresh(client, refresh_token);
  });

  it.each(["x", "baton_rt_x", "a.b.c", "def50200"])(
    "says that %j is unknown, and no more",
    async (token) => {
      expect(await inspect(token)).toEqual({
        active: false,
        inactive_because: "unknown",
      });
    },
  );

  it("says that a changed token is unknown", async () => {
    const { tokens } = await logIn();
    for (const token of [tokens.refresh_token, tokens.access_token])
      expect(await inspect(`${token}A`)).toEqual({
        active: false,
        inactive_because: "unknown",
      });
  });

  it("says that a refresh token was used, and shows its grant", async () => {
    const { client, tokens, grant_id } = await logIn();
    await server.expectRefresh(client, tokens.refresh_token);
    expect(await inspect(tokens.refresh_token)).toMatchObject({
      active: false,
      inactive_because: "used",
      generation: 1,
      grant_id,
      grant: { generation: 2 },
    });
  });

  it("says that the time of a token is over, and shows a grant that lives on", async () => {
    const { subject, tokens } = await logIn({ refresh_token_ttl: "PT2H" });
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_660_000 });
    expect(await inspect(tokens.access_token)).toMatchObject({
      active: false,
      inactive_because: "expired",
      grant: { subject },
    });
    vi.advanceTimersByTime(3_660_000);
    expect(await inspect(tokens.refresh_token)).toMatchObject({
      inactive_because: "expired",
      grant: { subject, inactive_because: "expired" },
    });
  });

  it("says that the grant has ended", async () => {
    const { tokens, grant_id } = await logIn();
    await server.expectAdmin("DELETE", `/grants/${grant_id}`);
    for (const token of [tokens.refresh_token, tokens.access_token]) {
      const inspected = await inspect(token);
      expect(inspected).toMatchObject({
        active: false,
        inactive_because: "grant_ended",
        grant_id,
      });
      expect(inspected).not.toHaveProperty("grant");
    }
  });

  it.each([
    ["client_unknown", "DELETE", undefined],
    ["tokens_not_before", "PATCH", { tokens_not_before: "now" }],
  ])("says %s after %s of the client", async (reason, method, body) => {
    const { client, tokens } = await logIn();
    await server.expectAdmin(method, `/clients/${client.client_id}`, body);
    for (const token of [tokens.refresh_token, tokens.access_token])
      expect(await inspect(token)).toMatchObject({
        active: false,
        inactive_because: reason,
        grant: { inactive_because: reason },
      });
  });

  it("says that a token whose signature is right was never issued", async () => {
    const { tokens } = await logIn();
    const other = await logIn();
    const forged = await forge(tokens.access_token, other.subject);
    expect(await inspect(forged)).toMatchObject({
      active: false,
      inactive_because: "not_issued",
    });
  });

  it("knows a token of the old server, before and after its first exchange", async () => {
    const at = leagueServer("defuse");
    const token = await oldTokenOf(at);
    expect(await inspect(token.refresh_token, at)).toMatchObject({
      active: true,
      kind: "league_token",
      subject: token.subject,
      client_id: token.client.client_id,
    });
    await at.expectRefresh(token.client, token.refresh_token);
    expect(await inspect(token.refresh_token, at)).toMatchObject({
      active: false,
      inactive_because: "used",
      grant: { subject: token.subject, generation: 2 },
    });
  });
});

describe("POST /admin/revoke", () => {
  it.each<[string, (login: { client: TestClient; tokens: Tokens }) => string]>([
    ["a refresh token", ({ tokens }) => tokens.refresh_token],
    ["an access token", ({ tokens }) => tokens.access_token],
  ])("ends the grant of %s, and can be repeated", async (_, pick) => {
    const login = await logIn();
    const { client, tokens, subject, grant_id } = login;
    const { client_id } = client;
    expect(await revoke(pick(login))).toEqual({
      revoked: true,
      grant_id,
      client_id,
      subject,
    });
    expect(await isDead(client, tokens)).toBe(true);
    expect(await revoke(pick(login))).toMatchObject({
      revoked: false,
      grant_id,
    });
  });

  it("ends the grant of a used token and of one that has expired", async () => {
    const used = await logIn();
    const next = await server.expectRefresh(
      used.client,
      used.tokens.refresh_token,
    );
    expect(await revoke(used.tokens.refresh_token)).toMatchObject({
      revoked: true,
    });
    expect(await isDead(used.client, next)).toBe(true);
    const old = await logIn();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_660_000 });
    expect(await revoke(old.tokens.access_token)).toMatchObject({
      revoked: true,
    });
    expect(await isDead(old.client, old.tokens)).toBe(true);
  });

  it("ends no other grant of the user", async () => {
    const { client, tokens, subject } = await logIn();
    const sibling = await server.login(client, { subject });
    await revoke(tokens.refresh_token);
    await server.expectRefresh(client, sibling.refresh_token);
  });

  it("ends a token of the old server that was not exchanged", async () => {
    const at = leagueServer("defuse");
    const { client, refresh_token } = await oldTokenOf(at);
    expect(await revoke(refresh_token, at)).toMatchObject({ revoked: true });
    expect((await at.refresh(client, refresh_token)).status).toBe(400);
    expect(await revoke(refresh_token, at)).toMatchObject({ revoked: false });
  });

  it("refuses what is not a token of this server", async () => {
    const response = await server.admin("POST", "/revoke", { token: "x" });
    expect(await fieldErrors(response)).toEqual({
      token: expect.stringContaining("is not a token of this server"),
    });
  });

  it("ends nobody's grant for a token that was never issued", async () => {
    const victim = await logIn();
    const { subject } = await logIn();
    const token = await forge(victim.tokens.access_token, subject);
    const response = await server.admin("POST", "/revoke", { token });
    expect(await fieldErrors(response)).toEqual({
      token: expect.stringContaining(victim.grant_id),
    });
    await server.expectRefresh(victim.client, victim.tokens.refresh_token);
  });

  it("refuses a client's own access token, and says what ends it", async () => {
    const { client_id, client_secret } = await server.makeClient({
      grant_types: ["client_credentials"],
      scope: "read",
    });
    const issued = await server.token({
      grant_type: "client_credentials",
      client_id,
      client_secret,
    });
    const { access_token: token } = await issued.json<Tokens>();
    const response = await server.admin("POST", "/revoke", { token });
    expect(await fieldErrors(response)).toEqual({
      token: expect.stringContaining("tokens_not_before"),
    });
  });

  it.each(["/introspect", "/revoke"])(
    "and introspection want one token of a bounded size (%s)",
    async (path) => {
      for (const [body, problem] of [
        [{}, "is missing"],
        [{ token: "" }, "must have at least 1 character"],
        [{ token: 7 }, "must be a string"],
      ] as const)
        expect(
          await fieldErrors(await server.admin("POST", path, body)),
        ).toEqual({ token: problem });
      const long = { token: "x".repeat(16_385) };
      expect((await server.admin("POST", path, long)).status).toBe(413);
    },
  );
});

describe("GET /admin/grants/{grant_id}", () => {
  it("shows a grant", async () => {
    const { client, subject, tokens, grant_id } = await logIn();
    await server.expectRefresh(client, tokens.refresh_token);
    const grant = await server.expectAdmin<Json>("GET", `/grants/${grant_id}`);
    expect(grant).toMatchObject({
      grant_id,
      client_id: client.client_id,
      subject,
      scope: "read write",
      resource: [],
      generation: 2,
    });
    expect(grant["ends_at"]).toBeGreaterThan(grant["expires_at"] as number);
    expect(grant).not.toHaveProperty("inactive_because");
  });

  it("answers 404 for a grant that has ended, and for what is no grant", async () => {
    const { grant_id } = await logIn();
    await server.expectAdmin("DELETE", `/grants/${grant_id}`);
    for (const id of [grant_id, "x", "0".repeat(64)])
      expect(await refusal(await server.admin("GET", `/grants/${id}`))).toEqual(
        [404, "not_found", "admin_target_unknown"],
      );
  });

  it("answers 503 while the grant cannot be reached", async () => {
    const { grant_id } = await logIn();
    const stub = { look: () => Promise.reject(new Error("unreachable")) };
    const TOKEN_FAMILY = {
      idFromString: (id: string) => id,
      get: () => stub,
    };
    const failing = serverWith({ TOKEN_FAMILY });
    expect(
      await refusal(await failing.admin("GET", `/grants/${grant_id}`)),
    ).toEqual([503, "temporarily_unavailable", "storage_unavailable"]);
  });
});

/** Makes an access token as somebody who has PRIVATE_KEY: that of another user. */
async function forge(accessToken: string, sub: string): Promise<string> {
  const [header = ""] = accessToken.split(".");
  const { alg, ...rest } = JSON.parse(
    new TextDecoder().decode(base64url.decode(header)),
  ) as { alg: string };
  const key = await importJWK(JSON.parse(env.PRIVATE_KEY) as JWK, alg);
  return new SignJWT({ ...decodeJwt(accessToken), sub })
    .setProtectedHeader({ alg, ...rest })
    .sign(key);
}

/** Makes a refresh token of the old server, for a client that this server has taken over. */
async function oldTokenOf(at: TestServer) {
  const [client_id, subject] = [crypto.randomUUID(), crypto.randomUUID()];
  const client = await takeOver(at, client_id);
  const refresh_token = await oldToken({ client_id, user_id: subject });
  return { client, subject, refresh_token };
}
