import {
  type AuthorizationServerMetadata,
  createPrivateKeyJwtAuth,
} from "@modelcontextprotocol/client";
import { exportJWK } from "jose";
import * as oauth from "oauth4webapi";
import * as openid from "openid-client";
import { beforeAll, describe, expect, it } from "vitest";
import { fetchFromServer } from "../conformance/support.ts";
import { type ClientKey, KeyClient, makeKey } from "../support/assertions.ts";
import { decide, location, REDIRECT_URI } from "../support/authorization.ts";
import { ISSUER, server } from "../support/server.ts";

/** Assertions as independent libraries make them, from sign-in to revocation. */

const metadata = {
  scope: "read write",
  redirect_uris: [REDIRECT_URI],
  grant_types: ["authorization_code", "client_credentials", "refresh_token"],
};

const eachOnce = { single_use_client_assertions: true };

beforeAll(() => server.makeScopes("read", "write"));

/** Makes a client with a key, with the CryptoKey that the libraries want. */
async function makeClient(alg: string, fields = {}) {
  const key = await makeKey(alg, "one");
  const { client_id } = await KeyClient.make(
    { ...metadata, ...fields },
    { key },
  );
  return { client_id, key: named(key) };
}

function named({ privateKey }: ClientKey) {
  return { key: privateKey, kid: "one" };
}

/** Sends a browser to /authorize, and decides. @returns the redirect to the client */
async function signIn(url: URL): Promise<URL> {
  const response = await server.http(url.pathname + url.search, {
    redirect: "manual",
  });
  return decide(location(response).searchParams.get("request") ?? "");
}

describe("oauth4webapi", () => {
  const options = { [oauth.customFetch]: fetchFromServer };

  it.each([
    ["ES256", {}],
    ["PS256", {}],
    ["Ed25519", eachOnce],
  ])(
    "signs a user in with PrivateKeyJwt (%s, %j), refreshes, introspects and revokes",
    async (alg, fields) => {
      const { client_id, key } = await makeClient(alg, fields);
      const discovery = await oauth.discoveryRequest(new URL(ISSUER), {
        ...options,
        algorithm: "oauth2",
      });
      const as = await oauth.processDiscoveryResponse(
        new URL(ISSUER),
        discovery,
      );
      const client: oauth.Client = { client_id };
      const auth = oauth.PrivateKeyJwt(key, {
        [oauth.modifyAssertion](header) {
          header["typ"] = "client-authentication+jwt";
        },
      });
      const verifier = oauth.generateRandomCodeVerifier();
      const state = oauth.generateRandomState();
      const url = new URL(as.authorization_endpoint ?? "");
      url.search = new URLSearchParams({
        client_id,
        redirect_uri: REDIRECT_URI,
        response_type: "code",
        scope: "read write",
        state,
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: "S256",
      }).toString();
      const answer = oauth.validateAuthResponse(
        as,
        client,
        await signIn(url),
        state,
      );
      const tokens = await oauth.processAuthorizationCodeResponse(
        as,
        client,
        await oauth.authorizationCodeGrantRequest(
          as,
          client,
          auth,
          answer,
          REDIRECT_URI,
          verifier,
          options,
        ),
      );
      const refreshed = await oauth.processRefreshTokenResponse(
        as,
        client,
        await oauth.refreshTokenGrantRequest(
          as,
          client,
          auth,
          tokens.refresh_token ?? "",
          options,
        ),
      );
      const token = refreshed.refresh_token ?? "";
      const introspect = async () =>
        oauth.processIntrospectionResponse(
          as,
          client,
          await oauth.introspectionRequest(as, client, auth, token, options),
        );
      expect(await introspect()).toMatchObject({ active: true, client_id });
      await oauth.processRevocationResponse(
        await oauth.revocationRequest(as, client, auth, token, options),
      );
      expect(await introspect()).toEqual({ active: false });
      const own = await oauth.processClientCredentialsResponse(
        as,
        client,
        await oauth.clientCredentialsGrantRequest(
          as,
          client,
          auth,
          { scope: "read" },
          options,
        ),
      );
      expect(own.scope).toBe("read");
    },
  );
});

describe("the MCP client", () => {
  it("authenticates with its assertion", async () => {
    const key = await makeKey("ES256");
    const { client_id } = await KeyClient.make(metadata, { key });
    const authenticate = createPrivateKeyJwtAuth({
      issuer: client_id,
      subject: client_id,
      privateKey: { ...(await exportJWK(key.privateKey)) },
      alg: "ES256",
    });
    const form = new URLSearchParams({ grant_type: "client_credentials" });
    const response = await server.http(
      "/.well-known/oauth-authorization-server",
    );
    const found = await response.json<AuthorizationServerMetadata>();
    await authenticate(new Headers(), form, found.token_endpoint, found);
    expect((await server.token([...form])).status).toBe(200);
  });
});

describe("openid-client", () => {
  it.each([
    ["ES256", {}],
    ["RS256", eachOnce],
  ])(
    "signs a user in with PrivateKeyJwt (%s, %j), refreshes, introspects and revokes",
    async (alg, fields) => {
      const { client_id, key } = await makeClient(alg, fields);
      const configuration = await openid.discovery(
        new URL(ISSUER),
        client_id,
        undefined,
        openid.PrivateKeyJwt(key),
        { algorithm: "oauth2", [openid.customFetch]: fetchFromServer },
      );
      const pkceCodeVerifier = openid.randomPKCECodeVerifier();
      const expectedState = openid.randomState();
      const url = openid.buildAuthorizationUrl(configuration, {
        redirect_uri: REDIRECT_URI,
        scope: "read write",
        code_challenge:
          await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
        code_challenge_method: "S256",
        state: expectedState,
      });
      const checks = { pkceCodeVerifier, expectedState };
      const tokens = await openid.authorizationCodeGrant(
        configuration,
        await signIn(url),
        checks,
      );
      const next = await openid.refreshTokenGrant(
        configuration,
        tokens.refresh_token ?? "",
      );
      const token = next.refresh_token ?? "";
      expect(
        (await openid.tokenIntrospection(configuration, token)).active,
      ).toBe(true);
      await openid.tokenRevocation(configuration, token);
      expect(
        (await openid.tokenIntrospection(configuration, token)).active,
      ).toBe(false);
      const own = await openid.clientCredentialsGrant(configuration, {
        scope: "read",
      });
      expect(own.scope).toBe("read");
    },
  );
});
