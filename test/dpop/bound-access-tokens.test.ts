import { env, exports } from "cloudflare:workers";
import {
  decodeJwt,
  decodeProtectedHeader,
  importJWK,
  type JWK,
  SignJWT,
} from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { other, selfa, withCertificate } from "../support/certificates.ts";
import {
  accessTokenHash,
  makeProofKey,
  proof,
  type ProofClaims,
  type ProofKey,
} from "../support/dpop.ts";
import { proving } from "../support/proving.ts";
import {
  ISSUER,
  refusal,
  server,
  serverWith,
  type TestClient,
  type Tokens,
} from "../support/server.ts";

/** Tests access tokens that are bound to a key, at the endpoints that read them (RFC 9449 sections 6.2 and 7). */

const USER_INFO = `${ISSUER}/userinfo`;

let key: ProofKey;
let client: TestClient;
let bearer: Tokens;
/** The tokens of a confidential client: the access token is bound, the login is not. */
let bound: Tokens;

beforeAll(async () => {
  key = await makeProofKey();
  await server.makeScopes("openid", "email");
  client = await server.makeClient({ scope: "openid email" });
  bearer = await server.login(client, { userinfo: { email: "a@example.com" } });
  bound = await boundTokens();
});

/** A login of a confidential client with a proof. */
async function boundTokens(more: Record<string, string> = {}): Promise<Tokens> {
  const { refresh_token } = await server.login(client);
  return proving(key).expectRefresh(client, refresh_token, more);
}

/** Signs an access token with other claims, as a thief of PRIVATE_KEY can. */
async function forge({ access_token }: Tokens, claims: object) {
  const { kid = "", alg = "" } = decodeProtectedHeader(access_token);
  const signingKey = await importJWK(JSON.parse(env.PRIVATE_KEY) as JWK, alg);
  const payload = { ...decodeJwt(access_token), ...claims };
  return new SignJWT(JSON.parse(JSON.stringify(payload)))
    .setProtectedHeader({ alg, kid, typ: "at+jwt" })
    .sign(signingKey);
}

async function proofFor(
  access_token: string,
  claims: Partial<ProofClaims> = {},
  by = key,
): Promise<string> {
  const ath = await accessTokenHash(access_token);
  return proof(by, { htm: "GET", htu: USER_INFO, ath, ...claims });
}

/** Asks for the user with the scheme DPoP. Without `DPoP`: with a good proof. */
async function ask(
  access_token: string,
  { DPoP, ...more }: Record<string, string> = {},
  init: RequestInit = {},
  at = server,
): Promise<Response> {
  const headers = {
    Authorization: `DPoP ${access_token}`,
    DPoP: DPoP ?? (await proofFor(access_token)),
    ...more,
  };
  return at.http("/userinfo", { headers, ...init });
}

describe("/userinfo", () => {
  it("answers a bound token with a proof of its key, by GET and by POST", async () => {
    const { access_token } = bound;
    expect(await (await ask(access_token)).json()).toEqual({ sub: "alice" });
    const posted = { DPoP: await proofFor(access_token, { htm: "POST" }) };
    for (const init of [
      { method: "POST" },
      { method: "POST", body: new URLSearchParams({ other: "x" }) },
    ]) {
      const response = await ask(access_token, posted, init);
      expect(await response.json()).toEqual({ sub: "alice" });
    }
    const lower = { Authorization: `dpop ${access_token}` };
    expect((await ask(access_token, lower)).status).toBe(200);
  });

  it("refuses it as a bearer token, in the header and in the form, also with a proof", async () => {
    const { access_token } = bound;
    const Authorization = `Bearer ${access_token}`;
    const DPoP = await proofFor(access_token, { htm: "POST" });
    const inits: RequestInit[] = [
      { headers: { Authorization } },
      { headers: { Authorization, DPoP } },
      { body: new URLSearchParams({ access_token }) },
      { body: new URLSearchParams({ access_token }), headers: { DPoP } },
    ];
    for (const init of inits) {
      const response = await server.http("/userinfo", {
        method: "POST",
        ...init,
      });
      expect(response.headers.get("WWW-Authenticate")).toMatch(
        /^Bearer realm="baton\/userinfo", error="invalid_token", .*, DPoP algs="ES256 [^"]*"$/,
      );
      expect(await refusal(response)).toEqual([
        401,
        "invalid_token",
        "access_token_bound",
      ]);
    }
  });

  it("refuses a bearer token with the scheme DPoP, and takes it beside a proof", async () => {
    const { access_token } = bearer;
    const response = await ask(access_token);
    expect(response.headers.get("WWW-Authenticate")).toMatch(
      /^Bearer realm="baton\/userinfo", DPoP algs="ES256 [^"]*", error="invalid_token", error_description="[^"]*"$/,
    );
    expect(await refusal(response)).toEqual([
      401,
      "invalid_token",
      "access_token_not_bound",
    ]);
    const asBearer = { Authorization: `Bearer ${access_token}` };
    const answer = await ask(access_token, asBearer);
    expect(await answer.json()).toEqual({
      sub: "alice",
      email: "a@example.com",
    });
  });

  it("refuses a proof for another token, method, URL or time, and what is no proof", async () => {
    const { access_token } = bound;
    const proofs = [
      await proofFor(bearer.access_token),
      await proofFor(access_token, { ath: undefined }),
      await proofFor(access_token, { htm: "POST" }),
      await proofFor(access_token, { htu: `${ISSUER}/access_token` }),
      await proofFor(access_token, { htu: "https://api.example.com/userinfo" }),
      await proofFor(access_token, { jti: undefined }),
      "",
      "garbage",
      "x".repeat(16_384),
      access_token,
    ];
    for (const DPoP of proofs)
      expect(await refusal(await ask(access_token, { DPoP }))).toEqual([
        401,
        "invalid_dpop_proof",
        "access_token_proof_invalid",
      ]);
    const headers = { Authorization: `DPoP ${access_token}` };
    const without = await server.http("/userinfo", { headers });
    expect(await refusal(without)).toEqual([
      401,
      "invalid_dpop_proof",
      "access_token_proof_invalid",
    ]);
  });

  it("refuses two proofs, two tokens and a proof of another key", async () => {
    const { access_token } = bound;
    const good = await proofFor(access_token);
    const twoProofs = { DPoP: `${good}, ${await proofFor(access_token)}` };
    expect(await refusal(await ask(access_token, twoProofs))).toEqual([
      401,
      "invalid_dpop_proof",
      "access_token_proof_invalid",
    ]);
    const both = `Bearer ${bearer.access_token}, DPoP ${access_token}`;
    const twoTokens = { Authorization: both };
    expect(await refusal(await ask(access_token, twoTokens))).toEqual([
      401,
      "invalid_token",
      "access_token_forged",
    ]);
    const otherKey = await makeProofKey();
    const DPoP = await proofFor(access_token, {}, otherKey);
    expect(await refusal(await ask(access_token, { DPoP }))).toEqual([
      401,
      "invalid_token",
      "access_token_of_another_key",
    ]);
  });

  it("names a missing scope in the challenge of the scheme", async () => {
    const narrowed = await boundTokens({ scope: "email" });
    const response = await ask(narrowed.access_token);
    expect(response.headers.get("WWW-Authenticate")).toMatch(
      /^Bearer realm="baton\/userinfo", DPoP algs="[^"]*", error="insufficient_scope", .*, scope="openid"$/,
    );
    expect((await refusal(response))[0]).toBe(403);
  });

  it("gives a nonce with each answer to the scheme DPoP, and a good one stands in for the time of a proof", async () => {
    const { access_token } = bound;
    const iat = Math.floor(Date.now() / 1000) - 86_400;
    const old = await ask(access_token, {
      DPoP: await proofFor(access_token, { iat }),
    });
    expect(old.headers.get("WWW-Authenticate")).toMatch(
      /, DPoP algs="[^"]*", error="use_dpop_nonce", /,
    );
    const nonce = old.headers.get("DPoP-Nonce") ?? "";
    expect(await refusal(old)).toEqual([
      401,
      "use_dpop_nonce",
      "access_token_nonce_missing",
    ]);
    const DPoP = await proofFor(access_token, { iat, nonce });
    const good = await ask(access_token, { DPoP });
    expect([good.status, good.headers.has("DPoP-Nonce")]).toEqual([200, true]);
    const Authorization = `Bearer ${bearer.access_token}`;
    const headers = { Authorization };
    const asBearer = await server.http("/userinfo", { headers });
    expect(asBearer.headers.has("DPoP-Nonce")).toBe(false);
  });

  it("asks for a nonce where DPOP_NONCE_REQUIRED is on", async () => {
    const { access_token } = bound;
    const strict = serverWith({ DPOP_NONCE_REQUIRED: "on" });
    const without = await ask(access_token, {}, {}, strict);
    const nonce = without.headers.get("DPoP-Nonce") ?? "";
    expect(await refusal(without)).toEqual([
      401,
      "use_dpop_nonce",
      "access_token_nonce_missing",
    ]);
    const DPoP = await proofFor(access_token, { nonce });
    expect((await ask(access_token, { DPoP }, {}, strict)).status).toBe(200);
  });

  it("answers a token that is bound to a certificate on a connection with it, and on no other", async () => {
    const token = await forge(bearer, {
      cnf: { "x5t#S256": selfa.thumbprint },
    });
    const on = serverWith({ CLIENT_CERTIFICATES: "on" });
    const headers = { Authorization: `Bearer ${token}` };
    const good = withCertificate(on, selfa, {
      certVerified: "FAILED:self signed certificate",
    });
    expect((await good.http("/userinfo", { headers })).status).toBe(200);
    for (const at of [
      on,
      withCertificate(on, other),
      withCertificate(on, selfa, { certRevoked: "1" }),
      // Nobody reads certificates there.
      withCertificate(server, selfa),
    ])
      expect(await refusal(await at.http("/userinfo", { headers }))).toEqual([
        401,
        "invalid_token",
        "access_token_of_another_key",
      ]);
  });
});

describe("introspection", () => {
  let app: TestClient;

  beforeAll(async () => {
    app = await server.makeClient({
      scope: "openid email",
      token_endpoint_auth_method: "none",
    });
  });

  /** Asks about a token of the public client, which may not ask itself. */
  const ofApp = (token: string) => exports.Tokens.introspect(token);

  async function introspect(token: string) {
    const response = await server.about("/introspect", client, token);
    const answer = await response.json<Record<string, unknown>>();
    expect(await exports.Tokens.introspect(token)).toEqual(answer);
    return answer;
  }

  it("says the key of a bound access token, also over RPC and to an administrator", async () => {
    const cnf = { jkt: key.jkt };
    const { access_token } = bound;
    expect(await introspect(access_token)).toMatchObject({
      active: true,
      token_type: "DPoP",
      cnf,
    });
    expect(
      await server.expectAdmin("POST", "/introspect", { token: access_token }),
    ).toMatchObject({ active: true, kind: "access_token", cnf });
  });

  it("says no key of the refresh token of a confidential client, which is not bound", async () => {
    const answer = await introspect(bound.refresh_token);
    expect(answer).toMatchObject({ active: true });
    expect(answer).not.toHaveProperty("cnf");
  });

  it("calls a bearer token Bearer, and one that is bound to a certificate alone", async () => {
    const answer = await introspect(bearer.access_token);
    expect(answer).toMatchObject({ active: true, token_type: "Bearer" });
    expect(answer).not.toHaveProperty("cnf");
    const cnf = { "x5t#S256": "A".repeat(43) };
    expect(await introspect(await forge(bearer, { cnf }))).toMatchObject({
      active: true,
      token_type: "Bearer",
      cnf,
    });
  });

  it("says the key of both tokens of a bound login, and does not believe a token with another key or none", async () => {
    const cnf = { jkt: key.jkt };
    const tokens = await server.login(app, { dpop_jkt: key.jkt });
    const { access_token, refresh_token } = tokens;
    expect(await ofApp(access_token)).toMatchObject({
      active: true,
      token_type: "DPoP",
      cnf,
    });
    const refreshed = await ofApp(refresh_token);
    expect(refreshed).toMatchObject({ active: true, cnf });
    expect(refreshed).not.toHaveProperty("token_type");
    for (const changed of [
      undefined,
      { jkt: "A".repeat(43) },
      { "x5t#S256": "A".repeat(43) },
      {},
    ]) {
      const token = await forge(tokens, { cnf: changed });
      expect(await ofApp(token)).toEqual({ active: false });
      expect(
        await server.expectAdmin("POST", "/introspect", { token }),
      ).toMatchObject({ active: false, inactive_because: "not_issued" });
      expect((await ask(token)).status).toBe(401);
    }
    // A certificate beside the key.
    const both = { ...cnf, "x5t#S256": "A".repeat(43) };
    const withBoth = await forge(tokens, { cnf: both });
    expect(await ofApp(withBoth)).toMatchObject({ active: true, cnf: both });
  });

  it("knows the bearer tokens from before a login was bound", async () => {
    const first = await server.login(app);
    const next = await proving(key).expectRefresh(app, first.refresh_token);
    const cnf = { jkt: key.jkt };
    const before = await ofApp(first.access_token);
    expect(before).toMatchObject({ active: true, token_type: "Bearer" });
    expect(before).not.toHaveProperty("cnf");
    expect(await ofApp(next.access_token)).toMatchObject({ cnf });
    expect(await ofApp(next.refresh_token)).toMatchObject({ cnf });
    const about = (token: string) =>
      server.expectAdmin("POST", "/introspect", { token });
    expect(await about(next.refresh_token)).toMatchObject({ cnf });
    const used = await about(first.refresh_token);
    expect(used).toMatchObject({ active: false, inactive_because: "used" });
    expect(used).not.toHaveProperty("cnf");
    const another = await forge(next, { cnf: { jkt: "A".repeat(43) } });
    expect(await ofApp(another)).toEqual({ active: false });
  });
});
