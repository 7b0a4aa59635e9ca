import { env } from "cloudflare:workers";
import {
  decodeJwt,
  decodeProtectedHeader,
  importJWK,
  type JWK,
  SignJWT,
} from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import {
  basic,
  server,
  serverWith,
  type TestClient,
  type TestServer,
  type Tokens,
} from "../support/server.ts";

/**
 * A signature is not enough: an access token is active only if its claims are what its family, or its
 * client, may have. So somebody who has PRIVATE_KEY cannot widen a login at resource servers that
 * introspect.
 */

const A = "https://a.example.com";
const B = "https://b.example.com";
const inactive = { active: false };
const active = expect.objectContaining({ active: true });

beforeAll(() => server.makeScopes("read", "write", "admin"));

async function introspect(
  client: TestClient,
  token: string,
  at: TestServer = server,
): Promise<unknown> {
  return (await at.about("/introspect", client, token)).json();
}

/** Signs the claims of a token, changed, as somebody who has PRIVATE_KEY. */
async function forge(token: string, changes: object): Promise<string> {
  const { alg = "", ...header } = decodeProtectedHeader(token);
  const key = await importJWK(JSON.parse(env.PRIVATE_KEY) as JWK, alg);
  return new SignJWT({ ...decodeJwt(token), ...changes })
    .setProtectedHeader({ ...header, alg })
    .sign(key);
}

/** A token of the client itself. */
async function ownToken(client: TestClient, scope?: string): Promise<string> {
  const { client_id, client_secret } = client;
  const response = await server.token(
    {
      grant_type: "client_credentials",
      ...(scope !== undefined && { scope }),
    },
    { Authorization: basic(client_id, client_secret) },
  );
  return (await response.json<Tokens>()).access_token;
}

describe("an access token that PRIVATE_KEY has signed is not active", () => {
  let client: TestClient;
  let other: TestClient;
  let token: string;

  beforeAll(async () => {
    const metadata = { scope: "read write admin", resources: [A, B] };
    client = await server.makeClient(metadata);
    other = await server.makeClient(metadata);
    const login = await server.login(client, {
      scope: "read write",
      resource: A,
    });
    token = login.access_token;
  });

  it.each<[string, () => object | Promise<object>]>([
    ["its subject is another", () => ({ sub: "bob" })],
    ["it has no subject", () => ({ sub: undefined })],
    ["its subject is a list", () => ({ sub: ["alice"] })],
    ["its scope is beyond the grant", () => ({ scope: "read admin" })],
    ["its scope is nothing but beyond the grant", () => ({ scope: "admin" })],
    ["its scope has another case", () => ({ scope: "READ" })],
    ["its scope is a list", () => ({ scope: ["read"] })],
    ["its scopes are beyond the grant", () => ({ scopes: ["read", "admin"] })],
    ["its scopes are a text", () => ({ scopes: "admin" })],
    ["its audience is another of the client", () => ({ aud: B })],
    ["its audience is more than was granted", () => ({ aud: [A, B] })],
    [
      "its audience is one that nobody knows",
      () => ({ aud: "https://c.example.com" }),
    ],
    [
      "its audience is that of a token for no resource",
      () => ({ aud: decodeJwt(token).iss }),
    ],
    [
      "its audience is the client, as in league's format",
      () => ({ aud: client.client_id }),
    ],
    ["it has no audience", () => ({ aud: undefined })],
    ["its audience is empty", () => ({ aud: [] })],
    [
      "it was issued before the family was made",
      () => ({ iat: Number(decodeJwt(token).iat) - 3600 }),
    ],
    ["it does not say when it was issued", () => ({ iat: undefined })],
    [
      "it was issued in the future",
      () => ({ iat: Math.floor(Date.now() / 1000) + 120 }),
    ],
    ["it is valid from another time on", () => ({ nbf: 1 })],
    [
      "it expires after its family ends",
      () => ({ exp: Number(decodeJwt(token).iat) + 366 * 24 * 3600 }),
    ],
    [
      "its id has more than a random part",
      () => {
        const { jti } = decodeJwt(token);
        return { jti: `${jti}.admin` };
      },
    ],
    ["it does not expire", () => ({ exp: undefined })],
    ["its expiry is a text", () => ({ exp: "9999999999" })],
    [
      "its family is another login of the same client",
      async () => {
        const { access_token } = await server.login(client, {
          subject: "bob",
          resource: A,
        });
        const { jti } = decodeJwt(access_token);
        return { jti };
      },
    ],
    [
      "it says that it is the client's own",
      () => ({ jti: "client.AAAAAAAAAAAAAAAAAAAAAA" }),
    ],
  ])("if %s", async (_, changes) => {
    expect(await introspect(client, token)).toEqual(active);
    expect(await introspect(client, await forge(token, {}))).toEqual(active);
    const forged = await forge(token, await changes());
    expect(await introspect(client, forged)).toEqual(inactive);
  });

  it("if its client is another", async () => {
    const forged = await forge(token, { client_id: other.client_id });
    expect(await introspect(other, forged)).toEqual(inactive);
    expect(await introspect(client, forged)).toEqual(inactive);
  });

  it("and a resource server is told no more", async () => {
    const resourceServer = await server.makeClient({ resource_server: B });
    const forged = await forge(token, { aud: B });
    expect(await introspect(resourceServer, forged)).toEqual(inactive);
  });
});

describe("the answer about an access token", () => {
  const forgedClaims = {
    username: "admin",
    act: { sub: "admin" },
    authorization_details: [],
    roles: ["admin"],
    active: false,
    token_type: "mac",
  };

  it.each(["rfc9068", "league"])(
    "has only the claims that the server issues in the format %s",
    async (access_token_format) => {
      const client = await server.makeClient({
        access_token_format,
        scope: "read",
      });
      const { access_token } = await server.login(client);
      const answer = {
        ...decodeJwt(access_token),
        active: true,
        token_type: "Bearer",
      };
      expect(await introspect(client, access_token)).toEqual(answer);
      const forged = await forge(access_token, forgedClaims);
      expect(await introspect(client, forged)).toEqual(answer);
    },
  );

  it("of the client itself has only the claims that the server issues", async () => {
    const client = await server.makeClient({
      grant_types: ["client_credentials"],
      scope: "read",
    });
    const token = await ownToken(client);
    const answer = {
      ...decodeJwt(token),
      active: true,
      token_type: "Bearer",
    };
    expect(await introspect(client, token)).toEqual(answer);
    const forged = await forge(token, forgedClaims);
    expect(await introspect(client, forged)).toEqual(answer);
  });

  it("of the client itself says no expiry beyond the lifetime of a token that is made now", async () => {
    const client = await server.makeClient({
      grant_types: ["client_credentials"],
      scope: "read",
      access_token_ttl: "PT10M",
    });
    const forged = await forge(await ownToken(client), { exp: 99999999999 });
    const before = Math.floor(Date.now() / 1000);
    const { exp } = (await introspect(client, forged)) as { exp: number };
    expect(exp).toBeGreaterThanOrEqual(before + 600);
    expect(exp).toBeLessThanOrEqual(Math.floor(Date.now() / 1000) + 600);
  });
});

describe("an access token that a family may have is active", () => {
  it("with fewer scopes than the grant, or none", async () => {
    const client = await server.makeClient({ scope: "read write" });
    const { access_token, refresh_token } = await server.login(client);
    for (const scope of ["write", undefined])
      expect(
        await introspect(client, await forge(access_token, { scope })),
      ).toEqual(active);
    const narrowed = await server.expectRefresh(client, refresh_token, {
      scope: "write",
    });
    expect(await introspect(client, narrowed.access_token)).toEqual(active);
  });

  it("for every resource of the client, if the grant names none", async () => {
    const client = await server.makeClient({ resources: [A, B] });
    const login = await server.login(client);
    expect(await introspect(client, login.access_token)).toEqual(active);
    const both = await server.expectRefresh(client, login.refresh_token, [
      ["resource", A],
      ["resource", B],
    ]);
    expect(await introspect(client, both.access_token)).toEqual(active);
  });

  it("only for the resources that the client had at the login, if the grant names none", async () => {
    const client = await server.makeClient({ resources: [A] });
    const { access_token } = await server.login(client);
    await server.expectAdmin("PATCH", `/clients/${client.client_id}`, {
      resources: [A, B],
    });
    const later = await server.login(client);
    // The client has the resource now, and a login of now may choose it.
    expect(
      await introspect(client, await forge(later.access_token, { aud: B })),
    ).toEqual(active);
    for (const aud of [B, [A, B]])
      expect(
        await introspect(client, await forge(access_token, { aud })),
      ).toEqual(inactive);
    expect(
      await introspect(client, await forge(access_token, { aud: A })),
    ).toEqual(active);
  });

  it("in league's format, with and without a resource", async () => {
    const client = await server.makeClient({
      access_token_format: "league",
      scope: "read",
      resources: [A],
    });
    const login = await server.login(client);
    expect(decodeJwt(login.access_token).aud).toBe(client.client_id);
    expect(await introspect(client, login.access_token)).toEqual(active);
    const forA = await server.expectRefresh(client, login.refresh_token, {
      resource: A,
    });
    expect(await introspect(client, forA.access_token)).toEqual(active);
  });

  it("with an AUDIENCE of the configuration, until that changes", async () => {
    const at = serverWith({ AUDIENCE: "https://api.example.com" });
    const client = await server.makeClient();
    const { access_token } = await at.login(client);
    expect(await introspect(client, access_token, at)).toEqual(active);
    expect(await introspect(client, access_token)).toEqual(inactive);
  });

  it("if the clock of the location that refreshed is a minute behind", async () => {
    const client = await server.makeClient();
    const { access_token } = await server.login(client);
    const iat = Number(decodeJwt(access_token).iat) - 60;
    expect(
      await introspect(client, await forge(access_token, { iat })),
    ).toEqual(active);
  });

  it("until the client loses the resource", async () => {
    const client = await server.makeClient({ resources: [A, B] });
    const named = await server.login(client, { resource: A });
    const chosen = await server.expectRefresh(
      client,
      (await server.login(client)).refresh_token,
      { resource: A },
    );
    for (const { access_token } of [named, chosen])
      expect(await introspect(client, access_token)).toEqual(active);
    await server.expectAdmin("PATCH", `/clients/${client.client_id}`, {
      resources: [B],
    });
    for (const { access_token } of [named, chosen])
      expect(await introspect(client, access_token)).toEqual(inactive);
  });
});

describe("a client's own access token is not active", () => {
  let client: TestClient;
  let token: string;

  beforeAll(async () => {
    client = await server.makeClient({
      grant_types: ["client_credentials"],
      scope: "read write",
      resources: [A],
    });
    token = await ownToken(client);
  });

  it.each<[string, () => object]>([
    ["its subject is a user", () => ({ sub: "alice" })],
    ["its scope is beyond the client's", () => ({ scope: "read admin" })],
    ["its scopes are beyond the client's", () => ({ scopes: ["admin"] })],
    ["its audience is none of the client's", () => ({ aud: B })],
    [
      "it was issued in the future",
      () => ({ iat: Math.floor(Date.now() / 1000) + 120 }),
    ],
    ["it is valid from another time on", () => ({ nbf: 1 })],
    [
      "it was issued before the client was made",
      () => ({ iat: Number(decodeJwt(token).iat) - 3600 }),
    ],
  ])("if %s", async (_, changes) => {
    expect(await introspect(client, token)).toEqual(active);
    expect(await introspect(client, await forge(token, { aud: A }))).toEqual(
      active,
    );
    const forged = await forge(token, changes());
    expect(await introspect(client, forged)).toEqual(inactive);
  });

  it("if the client may not have one", async () => {
    const web = await server.makeClient({ scope: "read" });
    const forged = await forge(token, {
      sub: web.client_id,
      client_id: web.client_id,
      scope: "read",
    });
    expect(await introspect(web, forged)).toEqual(inactive);
  });

  it("once the client has lost one of its scopes", async () => {
    const narrowed = await server.makeClient({
      grant_types: ["client_credentials"],
      scope: "read write",
    });
    const [both, read] = [
      await ownToken(narrowed),
      await ownToken(narrowed, "read"),
    ];
    await server.expectAdmin("PATCH", `/clients/${narrowed.client_id}`, {
      scope: "read",
    });
    expect(await introspect(narrowed, both)).toEqual(inactive);
    expect(await introspect(narrowed, read)).toEqual(active);
  });
});
