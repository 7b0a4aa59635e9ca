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
const forAll = serverWith({ ...rsa, ACCESS_TOKEN_FORMAT: "league" });
const forSome = serverWith(rsa);

const api = "https://api.example.com";
const files = "https://files.example.com";

const league = { access_token_format: "league" };

beforeAll(() => server.makeScopes("read", "write"));

/** What a resource server of league's says of a token, now or at another time. */
function accept(token: string, now = Date.now()): Promise<LeagueAttributes> {
  const headers = new Headers({ Authorization: `Bearer ${token}` });
  return new LeagueResourceServer(keys.publicRsaPem).validate(headers, now);
}

/** The access token of a refresh. */
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
  return forAll.token({ grant_type: "client_credentials", ...pair(client) });
}

function pair({ client_id, client_secret }: TestClient) {
  return { client_id, client_secret };
}

describe("an access token in the format league", () => {
  it("has what league reads beside the claims of RFC 9068, and its header as it was", async () => {
    const { access_token, client } = await refreshed(forAll);
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
    "passes a resource server that has the public half of %s and nothing else",
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

  it("has the scopes of this one token, and an empty array where there are none", async () => {
    const narrowed = await refreshed(forAll, {}, { scope: "write" });
    expect(await accept(narrowed.access_token)).toMatchObject({
      oauth_scopes: ["write"],
    });
    const { access_token } = await refreshed(forAll, { scope: "" });
    expect(await accept(access_token)).toMatchObject({ oauth_scopes: [] });
    expect(decodeJwt(access_token)).not.toHaveProperty("scope");
  });

  it("keeps the audience that was asked for (RFC 8707), and has the rest of the format", async () => {
    const metadata = { resources: [api, files] };
    const one = await refreshed(forAll, metadata, { resource: api });
    expect(decodeJwt(one.access_token)).toMatchObject({
      aud: api,
      scopes: ["read", "write"],
    });
    const both = await refreshed(forAll, metadata, [
      ["resource", api],
      ["resource", files],
    ]);
    expect(decodeJwt(both.access_token)).toMatchObject({ aud: [api, files] });
    expect(await accept(both.access_token)).toMatchObject({
      oauth_client_id: [api, files],
    });
  });

  it("keeps the audience of a login that was granted for one", async () => {
    const client = await forAll.makeClient({ resources: [api] });
    const login = await forAll.login(client, { resource: api });
    expect(decodeJwt(login.access_token).aud).toBe(api);
    const next = await forAll.expectRefresh(client, login.refresh_token);
    expect(decodeJwt(next.access_token).aud).toBe(api);
  });

  it("has the client as its audience where AUDIENCE names another", async () => {
    const { access_token, client } = await refreshed(
      serverWith({ ...rsa, ACCESS_TOKEN_FORMAT: "league", AUDIENCE: api }),
    );
    expect(decodeJwt(access_token).aud).toBe(client.client_id);
  });

  it("comes from every grant: a code, a client's own, and POST /admin/grants", async () => {
    const web = await makeWebClient({ scope: "read" }, forAll);
    const code = await obtainCode(web, {}, { subject: "alice" }, forAll);
    const signedIn = await expectTokens(await redeem(web, code, {}, forAll));
    const robot = await forAll.makeClient({
      scope: "read",
      grant_types: ["client_credentials"],
    });
    const own = await expectTokens(await clientCredentials(robot));
    const granted = await forAll.login(web);
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

describe("a resource server of league's", () => {
  it("takes the token from the second in which it was made until it expires, without leeway", async () => {
    const { access_token } = await refreshed(forAll, {
      access_token_ttl: "PT10M",
    });
    const iat = Number(decodeJwt(access_token).iat) * 1000;
    await expect(accept(access_token, iat - 1)).rejects.toThrow(/future/);
    await expect(accept(access_token, iat)).resolves.toBeTruthy();
    const end = iat + 600_000;
    await expect(accept(access_token, end - 1)).resolves.toBeTruthy();
    await expect(accept(access_token, end)).rejects.toThrow(/expired/);
  });

  it("refuses a token that was altered, that is none, or that comes without its header", async () => {
    const { access_token } = await refreshed(forAll);
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

  it("asks for the id of the token, which tells each from the others", async () => {
    const { access_token, client, refresh_token } = await refreshed(forAll);
    const next = await forAll.expectRefresh(client, refresh_token);
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
  ])("refuses %s: it takes RS256 only", async (_, PRIVATE_KEY) => {
    const { access_token } = await refreshed(
      serverWith({ PRIVATE_KEY, ACCESS_TOKEN_FORMAT: "league" }),
    );
    await expect(accept(access_token)).rejects.toThrow(/algorithm/);
  });

  it("learns neither client nor scopes from a token in the default format", async () => {
    const { access_token, client } = await refreshed(forSome);
    const { oauth_client_id, oauth_scopes } = await accept(access_token);
    expect(oauth_client_id).toBe(ISSUER);
    expect(oauth_client_id).not.toBe(client.client_id);
    expect(oauth_scopes).toBeNull();
  });
});

describe("the format", () => {
  const claimsOfLeague = ["nbf", "scopes"];

  async function formatOf(at: TestServer, metadata: Record<string, unknown>) {
    const { access_token, client } = await refreshed(at, metadata);
    const claims = decodeJwt(access_token);
    const has = claimsOfLeague.filter((name) => Object.hasOwn(claims, name));
    if (claims.aud === ISSUER && has.length === 0) return "rfc9068";
    expect([claims.aud, has]).toEqual([client.client_id, claimsOfLeague]);
    return "league";
  }

  it("is that of RFC 9068 where nothing is set", async () => {
    expect(await formatOf(forSome, {})).toBe("rfc9068");
    const empty = serverWith({ ...rsa, ACCESS_TOKEN_FORMAT: "" });
    expect(await formatOf(empty, {})).toBe("rfc9068");
  });

  it("is a client's own where its record names one, whatever holds for the others", async () => {
    expect(await formatOf(forSome, league)).toBe("league");
    expect(await formatOf(forAll, {})).toBe("league");
    const rfc9068 = { access_token_format: "rfc9068" };
    expect(await formatOf(forAll, rfc9068)).toBe("rfc9068");
  });

  it("changes with the client's record, from its next token on", async () => {
    const { client, refresh_token } = await refreshed(forSome);
    const path = `/clients/${client.client_id}`;
    await forSome.expectAdmin("PATCH", path, league);
    const next = await forSome.expectRefresh(client, refresh_token);
    expect(decodeJwt(next.access_token).aud).toBe(client.client_id);
    await forSome.expectAdmin("PATCH", path, { access_token_format: null });
    const last = await forSome.expectRefresh(client, next.refresh_token);
    expect(decodeJwt(last.access_token).aud).toBe(ISSUER);
  });
});

describe("POST /introspect of a token in the format league", () => {
  const inactive = { active: false };

  async function introspect(client: TestClient, token: string) {
    const response = await forAll.about("/introspect", client, token);
    expect(response.status).toBe(200);
    return response.json<Record<string, unknown>>();
  }

  it("tells its client all that is in it", async () => {
    const { client, access_token } = await refreshed(forAll);
    expect(await introspect(client, access_token)).toEqual({
      active: true,
      token_type: "Bearer",
      ...decodeJwt(access_token),
    });
  });

  it("tells a resource server nothing: without a resource it is for no audience but its client", async () => {
    const [byDefault, byResource] = await Promise.all(
      [ISSUER, api].map((resource_server) =>
        forAll.makeClient({ resource_server }),
      ),
    );
    const plain = await refreshed(forAll);
    expect(await introspect(byDefault!, plain.access_token)).toEqual(inactive);
    const named = await refreshed(
      forAll,
      { resources: [api] },
      { resource: api },
    );
    expect(await introspect(byResource!, named.access_token)).toMatchObject({
      active: true,
      aud: api,
      scopes: ["read", "write"],
    });
  });

  it("shows at once that the login was ended", async () => {
    const { client, access_token, refresh_token } = await refreshed(forAll);
    await forAll.about("/revoke", client, refresh_token);
    expect(await introspect(client, access_token)).toEqual(inactive);
  });
});
