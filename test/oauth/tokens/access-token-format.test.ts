import { decodeJwt, decodeProtectedHeader } from "jose";
import { beforeAll, describe, expect, inject, it } from "vitest";
import {
  expectTokens,
  makeWebClient,
  obtainCode,
  redeem,
} from "../../support/authorization.ts";
import {
  type LeagueAttributes,
  LeagueResourceServer,
} from "../../support/league-validator.ts";
import {
  ISSUER,
  server,
  serverWith,
  type TestClient,
  type TestServer,
} from "../../support/server.ts";

/** ACCESS_TOKEN_FORMAT: tokens for resource servers that were written for league/oauth2-server. */

const keys = inject("testKeys");
const rsa = { PRIVATE_KEY: keys.plain[0]![1] };
const leagueByDefault = serverWith({ ...rsa, ACCESS_TOKEN_FORMAT: "league" });
const rfc9068ByDefault = serverWith(rsa);

const api = "https://api.example.com";
const files = "https://files.example.com";

const league = { access_token_format: "league" };

beforeAll(() => server.makeScopes("read", "write"));

/** Validates a token as a league resource server does. @param now milliseconds since 1970 */
function accept(token: string, now = Date.now()): Promise<LeagueAttributes> {
  const headers = new Headers({ Authorization: `Bearer ${token}` });
  return new LeagueResourceServer(keys.publicRsaPem).validate(headers, now);
}

/** Makes a client with a login and refreshes it. */
async function refreshed(
  at: TestServer,
  metadata: Record<string, unknown> = {},
  more: Record<string, string> | string[][] = [],
) {
  const client = await at.makeClient({ scope: "read write", ...metadata });
  const { refresh_token } = await at.login(client);
  return { client, ...(await at.expectRefresh(client, refresh_token, more)) };
}

function clientCredentials(client: TestClient): Promise<Response> {
  return leagueByDefault.token({
    grant_type: "client_credentials",
    ...credentialsOf(client),
  });
}

function credentialsOf({ client_id, client_secret }: TestClient) {
  return { client_id, client_secret };
}

describe("an access token in the format league", () => {
  it("has the claims that league reads beside those of RFC 9068, and the usual header", async () => {
    const { access_token, client } = await refreshed(leagueByDefault);
    expect(decodeProtectedHeader(access_token)).toEqual({
      alg: "RS256",
      kid: expect.any(String),
      typ: "at+jwt",
    });
    const { iat = 0, ...claims } = decodeJwt(access_token);
    expect(claims).toEqual({
      iss: ISSUER,
      sub: "alice",
      aud: client.client_id,
      client_id: client.client_id,
      scope: "read write",
      scopes: ["read", "write"],
      nbf: iat,
      exp: iat + 3600,
      jti: expect.stringMatching(/^[\w-]{43}\.[\w-]{22}$/),
    });
  });

  it.each([
    ["a PKCS#8 PEM", 0],
    ["a PKCS#1 PEM", 4],
  ])(
    "is accepted by a resource server that has the public part of %s and nothing else",
    async (_, index) => {
      const { access_token, client } = await refreshed(
        serverWith({
          PRIVATE_KEY: keys.plain[index]![1],
          ACCESS_TOKEN_FORMAT: "league",
        }),
      );
      expect(await accept(access_token)).toEqual({
        oauth_access_token_id: decodeJwt(access_token).jti,
        oauth_client_id: client.client_id,
        oauth_user_id: "alice",
        oauth_scopes: ["read", "write"],
      });
    },
  );

  it("has the scopes of this token only, and an empty array if there are none", async () => {
    const narrowed = await refreshed(leagueByDefault, {}, { scope: "write" });
    expect(await accept(narrowed.access_token)).toMatchObject({
      oauth_scopes: ["write"],
    });
    const { access_token } = await refreshed(leagueByDefault, { scope: "" });
    expect(await accept(access_token)).toMatchObject({ oauth_scopes: [] });
    expect(decodeJwt(access_token)).not.toHaveProperty("scope");
  });

  it("has the requested resource as its audience (RFC 8707), and all other claims of the format", async () => {
    const metadata = { resources: [api, files] };
    const one = await refreshed(leagueByDefault, metadata, { resource: api });
    expect(decodeJwt(one.access_token)).toMatchObject({
      aud: api,
      scopes: ["read", "write"],
    });
    const both = await refreshed(leagueByDefault, metadata, [
      ["resource", api],
      ["resource", files],
    ]);
    expect(decodeJwt(both.access_token)).toMatchObject({ aud: [api, files] });
    expect(await accept(both.access_token)).toMatchObject({
      oauth_client_id: [api, files],
    });
  });

  it("has the resource of the login as its audience if the login was granted for one", async () => {
    const client = await leagueByDefault.makeClient({ resources: [api] });
    const login = await leagueByDefault.login(client, { resource: api });
    expect(decodeJwt(login.access_token).aud).toBe(api);
    const next = await leagueByDefault.expectRefresh(
      client,
      login.refresh_token,
    );
    expect(decodeJwt(next.access_token).aud).toBe(api);
  });

  it("has the client as its audience also if AUDIENCE names another one", async () => {
    const { access_token, client } = await refreshed(
      serverWith({ ...rsa, ACCESS_TOKEN_FORMAT: "league", AUDIENCE: api }),
    );
    expect(decodeJwt(access_token).aud).toBe(client.client_id);
  });

  it("is issued for a code, for client credentials and by POST /admin/grants", async () => {
    const web = await makeWebClient({ scope: "read" }, leagueByDefault);
    const code = await obtainCode(
      web,
      {},
      { subject: "alice" },
      leagueByDefault,
    );
    const signedIn = await expectTokens(
      await redeem(web, code, {}, leagueByDefault),
    );
    const robot = await leagueByDefault.makeClient({
      scope: "read",
      grant_types: ["client_credentials"],
    });
    const own = await expectTokens(await clientCredentials(robot));
    const granted = await leagueByDefault.login(web);
    for (const [{ access_token }, client, subject] of [
      [signedIn, web, "alice"],
      [own, robot, robot.client_id],
      [granted, web, "alice"],
    ] as const) {
      expect(await accept(access_token)).toEqual({
        oauth_access_token_id: decodeJwt(access_token).jti,
        oauth_client_id: client.client_id,
        oauth_user_id: subject,
        oauth_scopes: ["read"],
      });
    }
  });
});

describe("a league resource server", () => {
  it("accepts the token from the second of its issue until its expiry, without leeway", async () => {
    const { access_token } = await refreshed(leagueByDefault, {
      access_token_ttl: "PT10M",
    });
    const iat = Number(decodeJwt(access_token).iat) * 1000;
    await expect(accept(access_token, iat - 1)).rejects.toThrow(/future/);
    await expect(accept(access_token, iat)).resolves.toBeTruthy();
    const end = iat + 600_000;
    await expect(accept(access_token, end - 1)).resolves.toBeTruthy();
    await expect(accept(access_token, end)).rejects.toThrow(/expired/);
  });

  it("refuses an altered token, a malformed token, and a request without the header Authorization", async () => {
    const { access_token } = await refreshed(leagueByDefault);
    const [header, payload, signature] = access_token.split(".");
    const forged = btoa(
      JSON.stringify({ ...decodeJwt(access_token), scopes: ["admin"] }),
    ).replaceAll("=", "");
    await expect(accept(`${header}.${forged}.${signature}`)).rejects.toThrow(
      /signature/,
    );
    await expect(accept(`${header}.${payload}.`)).rejects.toThrow(/three/);
    const nobody = new LeagueResourceServer(keys.publicRsaPem);
    await expect(nobody.validate(new Headers(), Date.now())).rejects.toThrow(
      /Authorization/,
    );
  });

  it("can refuse a revoked token by its id, which no other token has", async () => {
    const { access_token, client, refresh_token } =
      await refreshed(leagueByDefault);
    const next = await leagueByDefault.expectRefresh(client, refresh_token);
    const { jti } = decodeJwt(access_token);
    const knowing = new LeagueResourceServer(
      keys.publicRsaPem,
      (id) => id === jti,
    );
    const bearing = (token: string) =>
      new Headers({ Authorization: `Bearer ${token}` });
    await expect(
      knowing.validate(bearing(access_token), Date.now()),
    ).rejects.toThrow(/revoked/);
    await expect(
      knowing.validate(bearing(next.access_token), Date.now()),
    ).resolves.toBeTruthy();
  });

  it.each([
    ["ES256", keys.plain[1]![1]],
    ["PS256", keys.plain.find(([, , alg]) => alg === "PS256")![1]],
  ])("refuses %s, because it accepts RS256 only", async (_, PRIVATE_KEY) => {
    const { access_token } = await refreshed(
      serverWith({ PRIVATE_KEY, ACCESS_TOKEN_FORMAT: "league" }),
    );
    await expect(accept(access_token)).rejects.toThrow(/algorithm/);
  });

  it("finds neither client nor scopes in a token in the default format", async () => {
    const { access_token, client } = await refreshed(rfc9068ByDefault);
    const { oauth_client_id, oauth_scopes } = await accept(access_token);
    expect(oauth_client_id).toBe(ISSUER);
    expect(oauth_client_id).not.toBe(client.client_id);
    expect(oauth_scopes).toBeNull();
  });
});

describe("the format of an access token", () => {
  const claimsOfLeague = ["nbf", "scopes"];

  async function formatOf(at: TestServer, metadata: Record<string, unknown>) {
    const { access_token, client } = await refreshed(at, metadata);
    const claims = decodeJwt(access_token);
    const has = claimsOfLeague.filter((name) => Object.hasOwn(claims, name));
    if (claims.aud === ISSUER && has.length === 0) return "rfc9068";
    expect([claims.aud, has]).toEqual([client.client_id, claimsOfLeague]);
    return "league";
  }

  it("is that of RFC 9068 if nothing is set", async () => {
    expect(await formatOf(rfc9068ByDefault, {})).toBe("rfc9068");
    const empty = serverWith({ ...rsa, ACCESS_TOKEN_FORMAT: "" });
    expect(await formatOf(empty, {})).toBe("rfc9068");
  });

  it("is the one in the client's record, whatever the server's default is", async () => {
    expect(await formatOf(rfc9068ByDefault, league)).toBe("league");
    expect(await formatOf(leagueByDefault, {})).toBe("league");
    const rfc9068 = { access_token_format: "rfc9068" };
    expect(await formatOf(leagueByDefault, rfc9068)).toBe("rfc9068");
  });

  it("changes with the client's record, for the next token", async () => {
    const { client, refresh_token } = await refreshed(rfc9068ByDefault);
    const path = `/clients/${client.client_id}`;
    await rfc9068ByDefault.expectAdmin("PATCH", path, league);
    const next = await rfc9068ByDefault.expectRefresh(client, refresh_token);
    expect(decodeJwt(next.access_token).aud).toBe(client.client_id);
    await rfc9068ByDefault.expectAdmin("PATCH", path, {
      access_token_format: null,
    });
    const last = await rfc9068ByDefault.expectRefresh(
      client,
      next.refresh_token,
    );
    expect(decodeJwt(last.access_token).aud).toBe(ISSUER);
  });
});

describe("POST /introspect of a token in the format league", () => {
  const inactive = { active: false };

  async function introspect(client: TestClient, token: string) {
    const response = await leagueByDefault.about("/introspect", client, token);
    expect(response.status).toBe(200);
    return response.json<Record<string, unknown>>();
  }

  it("shows its client all claims", async () => {
    const { client, access_token } = await refreshed(leagueByDefault);
    expect(await introspect(client, access_token)).toEqual({
      active: true,
      token_type: "Bearer",
      ...decodeJwt(access_token),
    });
  });

  it("shows a resource server the claims only if the token names its resource", async () => {
    const [byDefault, byResource] = await Promise.all(
      [ISSUER, api].map((resource_server) =>
        leagueByDefault.makeClient({ resource_server }),
      ),
    );
    const plain = await refreshed(leagueByDefault);
    expect(await introspect(byDefault!, plain.access_token)).toEqual(inactive);
    const named = await refreshed(
      leagueByDefault,
      { resources: [api] },
      { resource: api },
    );
    expect(await introspect(byResource!, named.access_token)).toMatchObject({
      active: true,
      aud: api,
      scopes: ["read", "write"],
    });
  });

  it("shows immediately that the login has ended", async () => {
    const { client, access_token, refresh_token } =
      await refreshed(leagueByDefault);
    await leagueByDefault.about("/revoke", client, refresh_token);
    expect(await introspect(client, access_token)).toEqual(inactive);
  });
});
