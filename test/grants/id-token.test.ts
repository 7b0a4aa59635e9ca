import { decodeJwt } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import {
  authorize,
  expectTokens,
  location,
  makeWebClient,
  obtainCode,
  redeem,
} from "../support/authorization.ts";
import { atHash, type OpenIdTokens, verifyIdToken } from "../support/openid.ts";
import { ISSUER, server, type TestClient } from "../support/server.ts";

/** Tests the ID token: in which responses it is, and its claims (OpenID Connect Core sections 2, 3.1.3 and 12). */

let client: TestClient;

beforeAll(async () => {
  await server.makeScopes("openid", "read");
  client = await makeWebClient({
    scope: "openid read",
    grant_types: ["authorization_code", "refresh_token", "client_credentials"],
  });
});

async function signIn(more: Record<string, string> = {}) {
  const code = await obtainCode(client, { scope: "openid read", ...more });
  return (await expectTokens(await redeem(client, code))) as OpenIdTokens;
}

function refresh(token: string, more: Record<string, string> = {}) {
  return server.expectRefresh(client, token, more) as Promise<OpenIdTokens>;
}

describe("the answer to a code", () => {
  it("has an ID token with the claims of section 2, which expires with the access token", async () => {
    const tokens = await signIn({ nonce: "n-0S6_WzA2Mj" });
    const { iat, exp, ...claims } = await verifyIdToken(tokens, client);
    const accessToken = decodeJwt(tokens.access_token);
    expect({ iat, exp }).toEqual({
      iat: accessToken.iat,
      exp: accessToken.exp,
    });
    const [family] = String(accessToken.jti).split(".");
    expect(claims).toEqual({
      iss: ISSUER,
      sub: "alice",
      aud: client.client_id,
      nonce: "n-0S6_WzA2Mj",
      at_hash: await atHash(tokens.access_token, "SHA-256"),
      sid: family,
      jti: expect.stringMatching(new RegExp(`^${family}~[\\w-]{22}$`)),
    });
  });

  it("repeats the nonce character for character, and leaves it out where none was sent", async () => {
    const nonce = `"'\\ +%2B&=#\u{1F600}é`;
    const { nonce: repeated } = decodeJwt((await signIn({ nonce })).id_token);
    expect(repeated).toBe(nonce);
    expect(decodeJwt((await signIn()).id_token)).not.toHaveProperty("nonce");
    const empty = await signIn({ nonce: "" });
    expect(decodeJwt(empty.id_token)).not.toHaveProperty("nonce");
  });

  it("has none without openid in the request, or if the user does not allow it", async () => {
    const plain = await signIn({ scope: "read", nonce: "n" });
    expect(plain).not.toHaveProperty("id_token");
    const decision = { subject: "alice", scope: "read" };
    const asked = { scope: "openid read", nonce: "n" };
    const code = await obtainCode(client, asked, decision);
    expect(await expectTokens(await redeem(client, code))).not.toHaveProperty(
      "id_token",
    );
  });

  it("has one also for a client that may not refresh", async () => {
    const once = await makeWebClient({
      scope: "openid",
      grant_types: ["authorization_code"],
    });
    const code = await obtainCode(once, { scope: "openid" });
    const tokens = await expectTokens(await redeem(once, code));
    expect(tokens).not.toHaveProperty("refresh_token");
    await verifyIdToken(tokens as OpenIdTokens, once);
  });
});

describe("the parameter nonce", () => {
  it("must not be repeated where openid is granted", async () => {
    const pairs = [
      ["scope", "openid"],
      ["nonce", "one"],
      ["nonce", "two"],
    ];
    const back = location(await authorize(client, pairs));
    expect(back.searchParams.get("error")).toBe("invalid_request");
    expect(back.searchParams.get("error_description")).toContain("nonce");
  });
});

describe("the answer to a refresh (section 12.2)", () => {
  it("has a new ID token of the same user, client and session, without nonce", async () => {
    const first = await signIn({ nonce: "n" });
    const tokens = await refresh(first.refresh_token);
    const {
      iat,
      exp,
      jti,
      at_hash,
      nonce: _nonce,
      ...kept
    } = decodeJwt(first.id_token);
    const claims = await verifyIdToken(tokens, client);
    expect(claims).toEqual({
      ...kept,
      iat: expect.toSatisfy((time) => time >= iat!),
      exp: expect.toSatisfy((time) => time >= exp!),
      jti: expect.not.stringMatching(jti!),
      at_hash: await atHash(tokens.access_token, "SHA-256"),
    });
    expect(claims["at_hash"]).not.toBe(at_hash);
  });

  it("has none if the scope is narrowed to less than openid, and one again afterwards", async () => {
    const first = await signIn();
    const narrowed = await refresh(first.refresh_token, { scope: "read" });
    expect(narrowed).not.toHaveProperty("id_token");
    const whole = await refresh(narrowed.refresh_token);
    expect(whole.scope).toBe("openid read");
    expect(whole).toHaveProperty("id_token");
  });

  it("has none if the client has lost openid since the sign-in, and the rest goes on", async () => {
    const loser = await makeWebClient({ scope: "openid read" });
    const { refresh_token } = await server.login(loser);
    await server.expectAdmin("PATCH", `/clients/${loser.client_id}`, {
      scope: "read",
    });
    const tokens = await server.expectRefresh(loser, refresh_token);
    expect(tokens.scope).toBe("read");
    expect(tokens).not.toHaveProperty("id_token");
  });
});

describe("POST /admin/grants", () => {
  it("answers with an ID token, as the token endpoint does", async () => {
    const tokens = (await server.login(client)) as OpenIdTokens;
    expect(await verifyIdToken(tokens, client)).not.toHaveProperty("nonce");
  });

  it("answers with none without openid", async () => {
    expect(await server.login(client, { scope: "read" })).not.toHaveProperty(
      "id_token",
    );
  });
});

describe("client credentials", () => {
  it("get no ID token, because nobody has signed in", async () => {
    const { client_id, client_secret } = client;
    const response = await server.token({
      grant_type: "client_credentials",
      client_id,
      client_secret,
      scope: "openid read",
    });
    const tokens = await expectTokens(response);
    expect(tokens.scope).toBe("openid read");
    expect(tokens).not.toHaveProperty("id_token");
  });
});
