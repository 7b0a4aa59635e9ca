import { decodeJwt } from "jose";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { registeredClaims } from "../../src/oauth/login-claims.ts";
import {
  decide,
  expectTokens,
  makeWebClient,
  obtainCode,
  redeem,
  requestAtLogin,
} from "../support/authorization.ts";
import {
  everyLoginClaim,
  extraClaims,
  inAccessToken,
  rewriteLogin,
} from "../support/login-claims.ts";
import { countingBindings } from "../support/counting.ts";
import { grantIdOf, withStorage } from "../support/login-object.ts";
import {
  server,
  serverWith,
  type TestClient,
  type Tokens,
} from "../support/server.ts";

/** Tests the claims that the login gives for the access token, from the code to the refreshes. */

let client: TestClient;

beforeAll(async () => {
  await server.makeScopes("read", "write");
  client = await makeWebClient({ scope: "read write" });
});

async function signIn(
  decision: Record<string, unknown>,
  by: TestClient = client,
): Promise<Tokens> {
  const code = await obtainCode(by, {}, { subject: "alice", ...decision });
  return expectTokens(await redeem(by, code));
}

async function introspect(token: string): Promise<Record<string, unknown>> {
  return (await server.about("/introspect", client, token)).json();
}

describe("the claims of a login", () => {
  it("are in the access token of the code, and in that of every refresh", async () => {
    let tokens = await signIn(everyLoginClaim);
    expect(extraClaims(tokens)).toEqual(inAccessToken);
    for (let refresh = 0; refresh < 3; refresh += 1) {
      tokens = await server.expectRefresh(client, tokens.refresh_token);
      expect(extraClaims(tokens)).toEqual(inAccessToken);
    }
  });

  it("need no scope: a narrowed access token has them too", async () => {
    const { refresh_token } = await signIn(everyLoginClaim);
    const narrowed = await server.expectRefresh(client, refresh_token, {
      scope: "read",
    });
    expect(narrowed.scope).toBe("read");
    expect(extraClaims(narrowed)).toEqual(inAccessToken);
  });

  it("are in the access token of a back end that signs a user in itself", async () => {
    const tokens = await server.login(client, everyLoginClaim);
    expect(extraClaims(tokens)).toEqual(inAccessToken);
    const next = await server.expectRefresh(client, tokens.refresh_token);
    expect(extraClaims(next)).toEqual(inAccessToken);
  });

  it("are in the format of league, beside its own", async () => {
    const league = await makeWebClient({
      scope: "read",
      access_token_format: "league",
    });
    const { access_token } = await signIn(everyLoginClaim, league);
    expect(decodeJwt(access_token)).toMatchObject({
      ...inAccessToken,
      aud: league.client_id,
      scopes: ["read"],
      nbf: expect.any(Number),
    });
  });

  it("change nothing where the login gives none", async () => {
    expect(extraClaims(await signIn({}))).toEqual({});
    expect(extraClaims(await signIn({ claims: {} }))).toEqual({});
    const answer = await introspect((await signIn({})).access_token);
    expect(Object.keys(answer)).not.toContain("auth_time");
  });

  it("about the person are in no access token and no introspection", async () => {
    const { access_token } = await signIn(everyLoginClaim);
    const seen = [decodeJwt(access_token), await introspect(access_token)];
    for (const name of ["email", "email_verified", "picture", "sid"])
      for (const claims of seen) expect(claims).not.toHaveProperty(name);
  });

  it("cannot be read in the code", async () => {
    const request = await requestAtLogin(client);
    const claims = { marker: "seen-in-the-code" };
    const { href } = await decide(request, { subject: "alice", claims });
    expect(href).not.toContain(btoa("seen-in-the-code").slice(0, 12));
    expect(href).not.toContain("seen-in-the-code");
  });

  it("that are null are left out, as a person without a name has none", async () => {
    const claims = { roles: null, tenant: "acme" };
    expect(extraClaims(await signIn({ claims }))).toEqual({ tenant: "acme" });
  });
});

describe("a refresh with claims", () => {
  it("costs what one without them costs: one object call, no KV access, one row, and the same cryptography", async () => {
    const cost = async (claims: object) => {
      const { calls, bindings } = countingBindings();
      const counted = serverWith(bindings);
      const by = await makeWebClient({}, counted);
      const first = await counted.login(by, { ...claims });
      const { refresh_token } = await counted.expectRefresh(
        by,
        first.refresh_token,
      );
      const rows = () =>
        withStorage(first, ({ sql }) =>
          Number(sql.exec("SELECT total_changes() AS n").one()["n"]),
        );
      const [before, rowsBefore] = [{ ...calls }, await rows()];
      const signatures = vi.spyOn(crypto.subtle, "sign");
      const digests = vi.spyOn(crypto.subtle, "digest");
      await counted.expectRefresh(by, refresh_token);
      const cryptography = [signatures, digests].map(
        ({ mock }) => mock.calls.length,
      );
      vi.restoreAllMocks();
      return {
        family: calls.family - before.family,
        kvRead: calls.kvRead - before.kvRead,
        rows: (await rows()) - rowsBefore,
        cryptography,
      };
    };
    const plain = await cost({});
    expect(plain).toMatchObject({ family: 1, kvRead: 0, rows: 1 });
    expect(await cost(everyLoginClaim)).toEqual(plain);
  });

  it("keeps a record of a constant size, however often it is refreshed and changed", async () => {
    const first = await server.login(client, everyLoginClaim);
    let { refresh_token } = first;
    const size = () =>
      withStorage(first, ({ kv }) => JSON.stringify(kv.get("family")).length);
    const turn = async (n: number) => {
      await server.expectAdmin("PATCH", `/grants/${grantIdOf(first)}`, {
        claims: { round: n % 10 },
      });
      ({ refresh_token } = await server.expectRefresh(client, refresh_token));
    };
    await turn(1);
    const before = await size();
    for (let n = 2; n <= 8; n += 1) await turn(n);
    expect(await size()).toBe(before);
  });
});

describe("introspection of an access token", () => {
  it("answers with the claims", async () => {
    const { access_token } = await signIn(everyLoginClaim);
    expect(await introspect(access_token)).toMatchObject({
      active: true,
      sub: "alice",
      ...inAccessToken,
    });
  });

  it("answers with those that the login has now, and not with those of the token", async () => {
    const tokens = await signIn(everyLoginClaim);
    await rewriteLogin(tokens, {
      claims: { roles: ["reader"] },
      auth_time: undefined,
      acr: "urn:example:password",
    });
    const answer = await introspect(tokens.access_token);
    expect(answer).toMatchObject({
      roles: ["reader"],
      acr: "urn:example:password",
      amr: everyLoginClaim.amr,
    });
    expect(answer).not.toHaveProperty("tenant");
    expect(answer).not.toHaveProperty("auth_time");
  });
});

describe("a registered claim", () => {
  const names = registeredClaims.claims;

  it("cannot be overwritten in an access token, also if a record has one", async () => {
    const narrow = await makeWebClient({});
    const given = Object.fromEntries(names.map((name) => [name, "x"]));
    for (const format of ["rfc9068", "league"]) {
      await server.expectAdmin("PATCH", `/clients/${narrow.client_id}`, {
        access_token_format: format,
      });
      const plain = await server.login(narrow, { scope: "" });
      await rewriteLogin(plain, { claims: { ...given, tenant: "acme" } });
      const next = await server.expectRefresh(narrow, plain.refresh_token);
      const claims = decodeJwt(next.access_token);
      expect(Object.values(claims)).not.toContain("x");
      expect(claims).toEqual({
        ...decodeJwt(plain.access_token),
        iat: claims.iat,
        ...(claims.nbf !== undefined && { nbf: claims.nbf }),
        exp: claims.exp,
        jti: claims.jti,
        tenant: "acme",
      });
    }
  });

  it("cannot be overwritten in an introspection", async () => {
    const tokens = await signIn({});
    const before = await introspect(tokens.access_token);
    const given = Object.fromEntries(names.map((name) => [name, "x"]));
    await rewriteLogin(tokens, { claims: given });
    expect(await introspect(tokens.access_token)).toEqual(before);
  });
});
