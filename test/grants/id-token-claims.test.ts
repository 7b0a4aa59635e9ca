import { beforeAll, describe, expect, it } from "vitest";
import {
  expectTokens,
  makeWebClient,
  obtainCode,
  redeem,
} from "../support/authorization.ts";
import { type OpenIdTokens, verifyIdToken } from "../support/openid.ts";
import { server, type TestClient } from "../support/server.ts";
import { loginsOf } from "../support/subjects.ts";

/** Tests what an ID token says of the sign-in and of the user (OpenID Connect Core sections 2, 5.4 and 12.2). */

const signIn = {
  auth_time: 1_767_225_600,
  acr: "urn:example:two-factor",
  amr: ["pwd", "otp"],
  sid: "session-of-the-login",
};

const person = {
  name: "Alice Example",
  email: "alice@example.com",
  email_verified: true,
  address: { country: "NO", formatted: "Storgata 1\nOslo" },
  department: "Shipping",
};

let client: TestClient;

beforeAll(async () => {
  const scopes = ["openid", "profile", "email", "address", "read"];
  await server.makeScopes(...scopes);
  client = await makeWebClient({ scope: scopes.join(" ") });
});

function login(scope: string, more: object = {}) {
  return server.login(client, {
    scope,
    id_token_claims: person,
    ...more,
  }) as Promise<OpenIdTokens>;
}

/** The claims of an ID token that are not in every one. */
async function claimsOf(tokens: OpenIdTokens) {
  const {
    iss: _iss,
    sub: _sub,
    aud: _aud,
    iat: _iat,
    exp: _exp,
    jti: _jti,
    at_hash: _hash,
    ...claims
  } = await verifyIdToken(tokens, client);
  return claims;
}

describe("an ID token says of the sign-in", () => {
  it("what the login said in its decision, also after a refresh", async () => {
    const decision = { subject: "alice", ...signIn };
    const asked = { scope: "openid", nonce: "n" };
    const code = await obtainCode(client, asked, decision);
    const tokens = (await expectTokens(
      await redeem(client, code),
    )) as OpenIdTokens;
    expect(await claimsOf(tokens)).toEqual({ ...signIn, nonce: "n" });
    const next = await server.expectRefresh(client, tokens.refresh_token);
    expect(await claimsOf(next as OpenIdTokens)).toEqual(signIn);
  });

  it("what a back end said, and a time of 0 too", async () => {
    const tokens = await login("openid", { ...signIn, auth_time: 0 });
    expect(await claimsOf(tokens)).toEqual({ ...signIn, auth_time: 0 });
  });
});

describe("an ID token says of the user", () => {
  it.each<[string, Partial<typeof person>]>([
    ["openid", {}],
    ["openid read", {}],
    ["openid profile", { name: person.name }],
    ["openid email", { email: person.email, email_verified: true }],
    ["openid address", { address: person.address }],
  ])("with the scopes %j what they release", async (scope, released) => {
    const { sid: _sid, ...claims } = await claimsOf(await login(scope));
    expect(claims).toEqual(released);
  });

  it("a claim in another language, if its scope releases the claim (Core section 5.2)", async () => {
    const about = {
      name: "Alice",
      "name#ja": "アリス",
      "email#x": "a@b.example",
    };
    const tokens = await server.login(client, {
      scope: "openid profile",
      id_token_claims: about,
    });
    const claims = await claimsOf(tokens as OpenIdTokens);
    expect(claims).toMatchObject({ name: "Alice", "name#ja": "アリス" });
    expect(claims).not.toHaveProperty("email#x");
  });

  it("less after a refresh with fewer scopes, and all again after the next", async () => {
    const first = await login("openid profile email");
    const narrowed = await server.expectRefresh(client, first.refresh_token, {
      scope: "openid email",
    });
    expect(await claimsOf(narrowed as OpenIdTokens)).not.toHaveProperty("name");
    const whole = await server.expectRefresh(client, narrowed.refresh_token);
    expect(await claimsOf(whole as OpenIdTokens)).toMatchObject({
      name: person.name,
      email: person.email,
    });
  });

  it("what a scope of the catalogue releases now, for a standard scope too", async () => {
    const put = (scope: string, claims: string[]) =>
      server.expectAdmin("PUT", `/scopes/${scope}`, { claims });
    await server.makeScopes("team", "phone");
    const about = { ...person, phone_number: "+47 22", role: "lead" };
    const of = await makeWebClient({ scope: "openid team phone" });
    const first = (await server.login(of, {
      id_token_claims: about,
    })) as OpenIdTokens;
    expect(await verifyIdToken(first, of)).toMatchObject({
      phone_number: about.phone_number,
    });

    await put("team", ["department", "role"]);
    await put("phone", []);
    const second = await server.expectRefresh(of, first.refresh_token);
    const claims = await verifyIdToken(second as OpenIdTokens, of);
    expect(claims).toMatchObject({ department: "Shipping", role: "lead" });
    expect(claims).not.toHaveProperty("phone_number");

    await put("team", ["role"]);
    const third = await server.expectRefresh(of, second.refresh_token);
    expect(await verifyIdToken(third as OpenIdTokens, of)).not.toHaveProperty(
      "department",
    );
  });

  it("what the login knows now: a change is in the ID token of the next refresh", async () => {
    const subject = `user-${crypto.randomUUID()}`;
    const first = await login("openid email", { subject });
    const [grant] = (await loginsOf(subject)) as { grant_id: string }[];
    await server.expectAdmin("PATCH", `/grants/${grant?.grant_id}`, {
      acr: "silver",
      id_token_claims: { email: "new@example.com" },
    });
    const next = await server.expectRefresh(client, first.refresh_token);
    const claims = await verifyIdToken(next as OpenIdTokens, client, {
      subject,
    });
    expect(claims).toMatchObject({ acr: "silver", email: "new@example.com" });
    expect(claims).not.toHaveProperty("email_verified");
  });

  it("nothing that is for the access token or for the UserInfo endpoint alone", async () => {
    const tokens = await login("openid profile", {
      claims: { roles: ["editor"] },
      userinfo: { nickname: "Al" },
    });
    const claims = await claimsOf(tokens);
    expect(claims).toMatchObject({ name: person.name });
    expect(claims).not.toHaveProperty("roles");
    expect(claims).not.toHaveProperty("nickname");
  });
});
