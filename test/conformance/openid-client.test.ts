import * as client from "openid-client";
import { beforeAll, describe, expect, it } from "vitest";
import {
  decide,
  location,
  makeWebClient,
  REDIRECT_URI,
} from "../support/authorization.ts";
import { ISSUER, server } from "../support/server.ts";
import { fetchFromServer } from "./support.ts";

/** Tests the server with openid-client, from discovery to revocation, without code for this server alone. */

beforeAll(() => server.makeScopes("read", "write"));

const authentications: [
  string,
  Record<string, unknown>,
  (secret: string) => client.ClientAuth,
][] = [
  ["client_secret_basic", {}, client.ClientSecretBasic],
  ["client_secret_post", {}, client.ClientSecretPost],
  ["none", { token_endpoint_auth_method: "none" }, () => client.None()],
];

async function discover(clientId: string, authentication: client.ClientAuth) {
  return client.discovery(
    new URL(ISSUER),
    clientId,
    undefined,
    authentication,
    {
      algorithm: "oauth2",
      [client.customFetch]: fetchFromServer,
    },
  );
}

/**
 * Makes an authorization request with the library, and decides it.
 *
 * @returns the redirect to the client, and the values with which the library checks it
 */
async function signIn(
  configuration: client.Configuration,
  decision: Record<string, unknown>,
  more: Record<string, string> = {},
) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const expectedState = client.randomState();
  const url = client.buildAuthorizationUrl(configuration, {
    redirect_uri: REDIRECT_URI,
    scope: "read write",
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: "S256",
    state: expectedState,
    ...more,
  });
  expect(url.origin + url.pathname).toBe(`${ISSUER}/authorize`);
  const login = location(
    await server.http(url.pathname + url.search, { redirect: "manual" }),
  );
  const redirect = await decide(
    login.searchParams.get("request") ?? "",
    decision,
  );
  return { redirect, checks: { pkceCodeVerifier, expectedState } };
}

describe("openid-client", () => {
  it.each(authentications)(
    "signs in with %s, refreshes twice and revokes",
    async (_, metadata, authentication) => {
      const { client_id, client_secret } = await makeWebClient({
        scope: "read write",
        ...metadata,
      });
      const configuration = await discover(
        client_id,
        authentication(client_secret),
      );
      const { redirect, checks } = await signIn(configuration, {
        subject: "alice",
      });
      const tokens = await client.authorizationCodeGrant(
        configuration,
        redirect,
        checks,
      );
      expect(tokens).toMatchObject({
        token_type: "bearer",
        expires_in: 3600,
        scope: "read write",
      });

      const second = await client.refreshTokenGrant(
        configuration,
        tokens.refresh_token ?? "",
      );
      const third = await client.refreshTokenGrant(
        configuration,
        second.refresh_token ?? "",
        { scope: "read" },
      );
      expect(third.scope).toBe("read");
      await client.tokenRevocation(configuration, third.refresh_token ?? "");
      await expect(
        client.refreshTokenGrant(configuration, third.refresh_token ?? ""),
      ).rejects.toMatchObject({
        error: "invalid_grant",
        status: 400,
      });
    },
  );

  it("reports access_denied if the user denied the request", async () => {
    const { client_id, client_secret } = await makeWebClient({
      scope: "read write",
    });
    const configuration = await discover(
      client_id,
      client.ClientSecretBasic(client_secret),
    );
    const { redirect, checks } = await signIn(configuration, {
      error: "access_denied",
    });
    await expect(
      client.authorizationCodeGrant(configuration, redirect, checks),
    ).rejects.toMatchObject({ error: "access_denied" });
  });

  it("refuses a response with another iss, without iss (RFC 9207), or with another state", async () => {
    const { client_id, client_secret } = await makeWebClient({
      scope: "read write",
    });
    const configuration = await discover(
      client_id,
      client.ClientSecretBasic(client_secret),
    );
    const { redirect, checks } = await signIn(configuration, {
      subject: "alice",
    });
    const forged = new URL(redirect);
    forged.searchParams.set("iss", "https://other.example.com");
    await expect(
      client.authorizationCodeGrant(configuration, forged, checks),
    ).rejects.toMatchObject({
      cause: { message: expect.stringContaining('unexpected "iss"') },
    });
    const withoutIss = new URL(redirect);
    withoutIss.searchParams.delete("iss");
    await expect(
      client.authorizationCodeGrant(configuration, withoutIss, checks),
    ).rejects.toMatchObject({
      cause: { message: expect.stringContaining('"iss" (issuer) missing') },
    });
    const otherState = new URL(redirect);
    otherState.searchParams.set("state", "other");
    await expect(
      client.authorizationCodeGrant(configuration, otherState, checks),
    ).rejects.toMatchObject({
      cause: { message: expect.stringContaining('unexpected "state"') },
    });
    // The library sent none of these codes, so the code is still good.
    await client.authorizationCodeGrant(configuration, redirect, checks);
  });

  it("gets a token for the client itself by client credentials, and introspects it", async () => {
    const { client_id, client_secret } = await server.makeClient({
      scope: "read write",
      grant_types: ["client_credentials"],
    });
    const configuration = await discover(
      client_id,
      client.ClientSecretBasic(client_secret),
    );
    const tokens = await client.clientCredentialsGrant(configuration, {
      scope: "read",
    });
    expect(tokens).toMatchObject({ token_type: "bearer", scope: "read" });
    expect(tokens.refresh_token).toBeUndefined();
    expect(
      await client.tokenIntrospection(configuration, tokens.access_token),
    ).toMatchObject({ active: true, sub: client_id, scope: "read" });
  });
});
