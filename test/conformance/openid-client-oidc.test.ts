import * as client from "openid-client";
import { beforeAll, describe, expect, it } from "vitest";
import {
  decide,
  location,
  makeWebClient,
  REDIRECT_URI,
} from "../support/authorization.ts";
import { ISSUER, refusal, server, type Tokens } from "../support/server.ts";
import { alice, openIdScopes } from "./person.ts";
import { fetchFromServer } from "./support.ts";

/**
 * Tests the server with openid-client as an OpenID provider, from its default discovery to the sign-out. Every check of
 * the library is on, also that of the ID token's signature.
 */

const SIGNED_OUT_URI = "https://app.example.com/signed-out";
/** The scope openid may have any place. */
const SCOPE = "read profile openid email";

beforeAll(() => server.makeScopes("read", ...openIdScopes));

/** Registers an app, which discovers the server. */
async function startApp() {
  const app = await makeWebClient({
    scope: SCOPE,
    post_logout_redirect_uris: [SIGNED_OUT_URI],
  });
  const configuration = await client.discovery(
    new URL(ISSUER),
    app.client_id,
    app.client_secret,
    undefined,
    {
      [client.customFetch]: fetchFromServer,
      execute: [client.enableNonRepudiationChecks],
    },
  );
  return { app, configuration };
}

type Checks = NonNullable<Parameters<typeof client.authorizationCodeGrant>[2]>;

/** Sends an authorization request, and decides it as the login. */
async function signIn(
  configuration: client.Configuration,
  {
    more = {},
    decision = alice(),
  }: {
    more?: Record<string, string>;
    decision?: Record<string, unknown>;
  } = {},
) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const expectedState = client.randomState();
  const expectedNonce = client.randomNonce();
  const url = client.buildAuthorizationUrl(configuration, {
    redirect_uri: REDIRECT_URI,
    scope: SCOPE,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: "S256",
    state: expectedState,
    nonce: expectedNonce,
    ...more,
  });
  const login = location(
    await server.http(url.pathname + url.search, { redirect: "manual" }),
  );
  const request = login.searchParams.get("request") ?? "";
  const redirect = await decide(request, decision);
  const checks: Checks = {
    pkceCodeVerifier,
    expectedState,
    expectedNonce,
    idTokenExpected: true,
  };
  return { redirect, checks };
}

/** Signs alice in with every check. */
async function signedIn(configuration: client.Configuration) {
  const { redirect, checks } = await signIn(configuration, {
    more: { max_age: "300" },
  });
  return client.authorizationCodeGrant(configuration, redirect, {
    ...checks,
    maxAge: 300,
  });
}

describe("openid-client with OpenID Connect", () => {
  it("discovers the server with its default algorithm, and finds what it needs", async () => {
    const { configuration } = await startApp();
    const metadata = configuration.serverMetadata();
    expect(metadata).toMatchObject({
      issuer: ISSUER,
      userinfo_endpoint: `${ISSUER}/userinfo`,
      end_session_endpoint: `${ISSUER}/end_session`,
      id_token_signing_alg_values_supported: ["ES256"],
      subject_types_supported: ["public"],
    });
    expect(metadata.claims_supported).toEqual(
      expect.arrayContaining(["sub", "name", "email", "auth_time"]),
    );
    expect(metadata.supportsPKCE()).toBe(true);
  });

  it("signs in with nonce, max_age, the signature and an ID token that it expects", async () => {
    const { app, configuration } = await startApp();
    const tokens = await signedIn(configuration);
    expect(tokens.scope?.split(" ").toSorted()).toEqual(
      SCOPE.split(" ").toSorted(),
    );
    expect(tokens.claims()).toMatchObject({
      iss: ISSUER,
      sub: "alice",
      aud: app.client_id,
      name: "Alice Liddell",
      email: "alice@example.com",
      email_verified: true,
      acr: "urn:example:two-factors",
      amr: ["pwd", "otp"],
    });
    expect(tokens.claims()).not.toHaveProperty("picture");
  });

  it("reads the user info of the expected subject, and refuses that of another", async () => {
    const { configuration } = await startApp();
    const { access_token } = await signedIn(configuration);
    const asked = (subject: string) =>
      client.fetchUserInfo(configuration, access_token, subject);
    expect(await asked("alice")).toEqual({
      sub: "alice",
      name: "Alice Liddell",
      email: "alice@example.com",
      email_verified: true,
      picture: "https://login.example.com/alice.png",
    });
    await expect(asked("mallory")).rejects.toMatchObject({
      cause: { message: expect.stringContaining('"sub"') },
    });
  });

  it("gets an ID token at a refresh, of the same sign-in and without nonce", async () => {
    const { configuration } = await startApp();
    const first = await signedIn(configuration);
    const second = await client.refreshTokenGrant(
      configuration,
      first.refresh_token ?? "",
    );
    const before = first.claims() as client.IDToken;
    const after = second.claims() as client.IDToken;
    const { iat, exp, jti, at_hash: atHash, nonce, ...same } = before;
    expect(after).toMatchObject(same);
    expect(nonce).toBeTypeOf("string");
    expect(after).not.toHaveProperty("nonce");
    expect(after.jti).not.toBe(jti);
    expect(after["at_hash"]).not.toBe(atHash);
    expect(after.iat).toBeGreaterThanOrEqual(iat);
    expect(after.exp).toBeGreaterThanOrEqual(exp);

    const narrowed = await client.refreshTokenGrant(
      configuration,
      second.refresh_token ?? "",
      { scope: "read" },
    );
    expect(narrowed.id_token).toBeUndefined();
  });

  it("says that id_token is missing if it expects one and the person has not allowed openid", async () => {
    const { configuration } = await startApp();
    const { redirect, checks } = await signIn(configuration, {
      decision: { ...alice(), scope: "profile email" },
    });
    await expect(
      client.authorizationCodeGrant(configuration, redirect, checks),
    ).rejects.toMatchObject({
      message: "invalid response encountered",
      cause: { message: expect.stringContaining('"id_token"') },
    });
  });

  it("is told login_required for prompt=none with the hint of somebody else", async () => {
    const { configuration } = await startApp();
    const { id_token = "" } = await signedIn(configuration);
    const { redirect, checks } = await signIn(configuration, {
      more: { prompt: "none", id_token_hint: id_token },
      decision: { ...alice(), subject: "bob" },
    });
    await expect(
      client.authorizationCodeGrant(configuration, redirect, checks),
    ).rejects.toMatchObject({ error: "login_required" });
  });

  it("is told login_required if the login has no session of the person", async () => {
    const { configuration } = await startApp();
    const { redirect, checks } = await signIn(configuration, {
      more: { prompt: "none" },
      decision: { error: "login_required" },
    });
    await expect(
      client.authorizationCodeGrant(configuration, redirect, checks),
    ).rejects.toMatchObject({ error: "login_required" });
  });

  it("signs out at the end session URL that it builds, which comes back with state", async () => {
    const { app, configuration } = await startApp();
    const { access_token, id_token, refresh_token } = (await signedIn(
      configuration,
    )) as Tokens & { id_token: string };
    const state = client.randomState();
    const url = client.buildEndSessionUrl(configuration, {
      id_token_hint: id_token,
      post_logout_redirect_uri: SIGNED_OUT_URI,
      state,
    });
    expect(url.origin + url.pathname).toBe(`${ISSUER}/end_session`);
    const back = location(
      await server.http(url.pathname + url.search, { redirect: "manual" }),
    );
    expect(back.href).toBe(`${SIGNED_OUT_URI}?state=${state}`);

    expect(await refusal(await server.refresh(app, refresh_token))).toEqual([
      400,
      "invalid_grant",
      "family_ended",
    ]);
    await expect(
      client.fetchUserInfo(configuration, access_token, "alice"),
    ).rejects.toMatchObject({ status: 401 });
    expect(
      await client.tokenIntrospection(configuration, access_token),
    ).toMatchObject({ active: false });
  });
});
