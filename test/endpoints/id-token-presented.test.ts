import { env, exports } from "cloudflare:workers";
import {
  base64url,
  decodeJwt,
  decodeProtectedHeader,
  importJWK,
  type JWK,
  SignJWT,
} from "jose";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { fieldErrors } from "../support/admin.ts";
import { type OpenIdTokens, verifyIdToken } from "../support/openid.ts";
import {
  basic,
  refusal,
  server,
  type TestClient,
  type Tokens,
} from "../support/server.ts";
import { loginsOf } from "../support/subjects.ts";

/**
 * An ID token says who signed in and gives access to nothing: it is no access token and no refresh token, wherever somebody
 * presents it (RFC 8725 section 3.11).
 */

const RESOURCE = "https://api.example.com";

let client: TestClient;
let subject: string;
let tokens: OpenIdTokens;
let grant_id: string;

beforeAll(async () => {
  await server.makeScopes("openid", "read");
  client = await server.makeClient({
    scope: "openid read",
    grant_types: ["refresh_token", "client_credentials"],
    resources: [RESOURCE],
  });
});

beforeEach(async () => {
  subject = `user-${crypto.randomUUID()}`;
  tokens = (await server.login(client, { subject })) as OpenIdTokens;
  const [grant] = (await loginsOf(subject)) as { grant_id: string }[];
  grant_id = grant?.grant_id ?? "none";
});

async function expectLives(): Promise<void> {
  await server.expectRefresh(client, tokens.refresh_token);
}

function inspect(token: string) {
  return server.expectAdmin<Record<string, unknown>>("POST", "/introspect", {
    token,
  });
}

/** Signs the claims of a token, changed, as somebody who has PRIVATE_KEY. */
async function forge(
  token: string,
  claims: object,
  header: object = {},
): Promise<string> {
  const { alg = "", ...genuine } = decodeProtectedHeader(token);
  const key = await importJWK(JSON.parse(env.PRIVATE_KEY) as JWK, alg);
  return new SignJWT({ ...decodeJwt(token), ...claims })
    .setProtectedHeader({ ...genuine, ...header, alg })
    .sign(key);
}

describe("an ID token is not active", () => {
  it("at /introspect, for its client and for a resource server", async () => {
    const api = await server.makeClient({ resource_server: RESOURCE });
    // With the audience of the resource server it could only be forged.
    const forged = await forge(tokens.id_token, { aud: RESOURCE });
    for (const asker of [client, api])
      for (const token of [tokens.id_token, forged]) {
        const response = await server.about("/introspect", asker, token);
        expect(await response.json()).toEqual({ active: false });
      }
  });

  it("at /introspect with the claims of an access token, and an access token that says it is an ID token is not either", async () => {
    const { client_id } = client;
    const more = { client_id, scope: "read", aud: RESOURCE };
    const forged = [
      await forge(tokens.id_token, more),
      await forge(tokens.access_token, {}, { typ: "JWT" }),
    ];
    for (const token of forged) {
      const response = await server.about("/introspect", client, token);
      expect(await response.json()).toEqual({ active: false });
    }
  });

  it("at /userinfo", async () => {
    const present = (token: string) => {
      const headers = { Authorization: `Bearer ${token}` };
      return server.http("/userinfo", { headers });
    };
    const response = await present(tokens.id_token);
    expect(await response.clone().json()).toMatchObject({
      error_description: "This is an ID token. Send the access token.",
    });
    expect(await refusal(response)).toEqual([
      401,
      "invalid_token",
      "access_token_is_id_token",
    ]);
    // Only a token with this server's signature is called an ID token.
    const [header, , signature] = tokens.id_token.split(".");
    const claims = JSON.stringify({ ...decodeJwt(tokens.id_token), sub: "x" });
    const unsigned = `${header}.${base64url.encode(claims)}.${signature}`;
    const issuer = "https://other.example.com";
    const foreign = await forge(tokens.id_token, { iss: issuer });
    for (const token of [unsigned, foreign])
      expect(await refusal(await present(token))).toEqual([
        401,
        "invalid_token",
        "access_token_forged",
      ]);
  });

  it("over RPC", async () => {
    expect(await exports.Tokens.introspect(tokens.id_token)).toEqual({
      active: false,
    });
  });
});

describe("an ID token cannot be revoked, and its login lives", () => {
  it("at /revoke, which says what to send", async () => {
    const response = await server.about("/revoke", client, tokens.id_token);
    expect(await response.clone().json()).toMatchObject({
      error_description: expect.stringContaining("refresh token"),
    });
    expect(await refusal(response)).toEqual([
      400,
      "unsupported_token_type",
      "id_token_not_revocable",
    ]);
    await expectLives();
  });

  it("at /revoke by another client", async () => {
    const other = await server.makeClient({ scope: "openid" });
    const response = await server.about("/revoke", other, tokens.id_token);
    expect(await refusal(response)).toEqual([
      400,
      "unsupported_token_type",
      "id_token_not_revocable",
    ]);
    await expectLives();
  });

  it("at /revoke, where a changed one is ignored like every unknown token", async () => {
    const [header, payload, signature = ""] = tokens.id_token.split(".");
    const first = signature.startsWith("A") ? "B" : "A";
    const changed = `${header}.${payload}.${first}${signature.slice(1)}`;
    const response = await server.about("/revoke", client, changed);
    expect(response.status).toBe(200);
    await expectLives();
  });

  it("by an administrator, who learns the grant's id", async () => {
    const token = tokens.id_token;
    const response = await server.admin("POST", "/revoke", { token });
    expect(await fieldErrors(response)).toEqual({
      token: expect.stringContaining(grant_id),
    });
    await expectLives();
  });

  it("over RPC", async () => {
    expect(await exports.Tokens.revoke(tokens.id_token)).toMatchObject({
      error: "unsupported_token_type",
    });
    await expectLives();
  });

  it("if it is forged for the login of somebody else", async () => {
    const victim = (await server.login(client)) as OpenIdTokens;
    const { jti, sid } = decodeJwt(victim.id_token);
    const token = await forge(tokens.id_token, { jti, sid });
    for (const path of ["/introspect", "/revoke"] as const)
      await server.about(path, client, token);
    const response = await server.admin("POST", "/revoke", { token });
    expect(await fieldErrors(response)).toEqual({
      token: expect.stringContaining("not issued"),
    });
    expect(await inspect(token)).toMatchObject({
      inactive_because: "not_issued",
    });
    await server.expectRefresh(client, victim.refresh_token);
  });
});

describe("an ID token is not exchanged", () => {
  it("as a refresh token", async () => {
    const response = await server.refresh(client, tokens.id_token);
    expect(await refusal(response)).toEqual([
      400,
      "invalid_grant",
      "refresh_token_malformed",
    ]);
    await expectLives();
  });
});

describe("no other token is an ID token", () => {
  it("neither an access token nor a client's own", async () => {
    const { client_id, client_secret } = client;
    const form = { grant_type: "client_credentials" };
    const headers = { Authorization: basic(client_id, client_secret) };
    const own = await server.token(form, headers);
    const { access_token } = await own.json<Tokens>();
    for (const id_token of [tokens.access_token, access_token])
      await expect(
        verifyIdToken({ ...tokens, id_token }, client, { subject }),
      ).rejects.toMatchObject({ claim: "typ" });
  });
});

describe("POST /admin/introspect", () => {
  it("says that it is an ID token, whose it is, and that it gives access to nothing", async () => {
    const { iat, exp } = decodeJwt(tokens.id_token);
    expect(await inspect(tokens.id_token)).toEqual({
      active: false,
      inactive_because: "id_token",
      kind: "id_token",
      grant_id,
      client_id: client.client_id,
      subject,
      issued_at: iat,
      expires_at: exp,
      grant: expect.objectContaining({ grant_id, subject }),
    });
  });

  it("says so also after its login has ended", async () => {
    await server.expectAdmin("DELETE", `/grants/${grant_id}`);
    const inspected = await inspect(tokens.id_token);
    expect(inspected).toMatchObject({ inactive_because: "id_token", grant_id });
    expect(inspected).not.toHaveProperty("grant");
  });

  it.each<[string, (genuine: OpenIdTokens) => object]>([
    ["another subject", () => ({ sub: "bob" })],
    ["another client", () => ({ aud: "other" })],
    [
      "a time before its login began",
      ({ id_token }) => ({ iat: Number(decodeJwt(id_token).iat) - 3600 }),
    ],
  ])("says that one with %s was not issued", async (_, claims) => {
    const forged = await forge(tokens.id_token, claims(tokens));
    expect(await inspect(forged)).toMatchObject({
      active: false,
      inactive_because: "not_issued",
    });
  });

  it("says that one for a login without openid was not issued", async () => {
    const plain = await server.login(client, { subject, scope: "read" });
    const [family] = String(decodeJwt(plain.access_token).jti).split(".");
    const { jti } = decodeJwt(tokens.id_token);
    const ofPlain = `${family}${jti!.slice(43)}`;
    const forged = await forge(tokens.id_token, { jti: ofPlain });
    expect(await inspect(forged)).toMatchObject({
      inactive_because: "not_issued",
    });
  });
});
