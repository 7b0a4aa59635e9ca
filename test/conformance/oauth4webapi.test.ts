import * as oauth from "oauth4webapi";
import { beforeAll, describe, expect, it } from "vitest";
import {
  decide,
  location,
  makeWebClient,
  REDIRECT_URI,
} from "../support/authorization.ts";
import { ISSUER, refusal, server } from "../support/server.ts";
import { fetchFromServer } from "./support.ts";

/** Tests the server with an independent client library, from discovery to revocation. */

const options = { [oauth.customFetch]: fetchFromServer };

let as: oauth.AuthorizationServer;

beforeAll(async () => {
  await server.makeScopes("read", "write");
  const response = await oauth.discoveryRequest(new URL(ISSUER), {
    ...options,
    algorithm: "oauth2",
  });
  as = await oauth.processDiscoveryResponse(new URL(ISSUER), response);
});

const authentications: [
  string,
  Record<string, unknown>,
  (secret: string) => oauth.ClientAuth,
][] = [
  ["client_secret_basic", {}, oauth.ClientSecretBasic],
  ["client_secret_post", {}, oauth.ClientSecretPost],
  ["none", { token_endpoint_auth_method: "none" }, oauth.None],
];

describe("oauth4webapi", () => {
  it.each(authentications)(
    "discovers, refreshes with %s and verifies the access token",
    async (_, metadata, authentication) => {
      const { client_id, client_secret } = await server.makeClient({
        scope: "read write",
        ...metadata,
      });
      const client: oauth.Client = { client_id };
      const auth = authentication(client_secret);
      const login = await server.login({ client_id });

      let { refresh_token } = login;
      for (const scope of ["read", "read write"]) {
        const response = await oauth.refreshTokenGrantRequest(
          as,
          client,
          auth,
          refresh_token,
          {
            ...options,
            additionalParameters: { scope },
          },
        );
        const answer = await oauth.processRefreshTokenResponse(
          as,
          client,
          response,
        );
        expect(answer).toMatchObject({
          token_type: "bearer",
          expires_in: 3600,
          scope,
        });
        expect(answer.refresh_token).not.toBe(refresh_token);
        refresh_token = answer.refresh_token ?? "";

        const request = new Request("https://api.example.com/notes", {
          headers: { Authorization: `Bearer ${answer.access_token}` },
        });
        const claims = await oauth.validateJwtAccessToken(
          as,
          request,
          ISSUER,
          options,
        );
        expect(claims).toMatchObject({ sub: "alice", client_id, scope });
      }
    },
  );

  it("understands the refusal of a used token", async () => {
    const { client_id, client_secret } = await server.makeClient();
    const { refresh_token } = await server.login({ client_id });
    const request = async () => {
      const auth = oauth.ClientSecretPost(client_secret);
      const response = await oauth.refreshTokenGrantRequest(
        as,
        { client_id },
        auth,
        refresh_token,
        options,
      );
      return oauth.processRefreshTokenResponse(as, { client_id }, response);
    };
    await request();
    await expect(request()).rejects.toMatchObject({
      error: "invalid_grant",
      status: 400,
    });
  });

  it.each(authentications)(
    "signs a user in with %s, refreshes twice and revokes",
    async (_, metadata, authentication) => {
      const { client_id, client_secret } = await makeWebClient({
        scope: "read write",
        ...metadata,
      });
      const client: oauth.Client = { client_id };
      const auth = authentication(client_secret);
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
      const login = location(
        await server.http(url.pathname + url.search, { redirect: "manual" }),
      );
      const redirect = await decide(login.searchParams.get("request") ?? "");

      const answer = oauth.validateAuthResponse(as, client, redirect, state);
      const response = await oauth.authorizationCodeGrantRequest(
        as,
        client,
        auth,
        answer,
        REDIRECT_URI,
        verifier,
        options,
      );
      const tokens = await oauth.processAuthorizationCodeResponse(
        as,
        client,
        response,
      );
      expect(tokens).toMatchObject({ expires_in: 3600, scope: "read write" });

      let { refresh_token = "" } = tokens;
      for (let round = 1; round <= 2; round++) {
        const refreshed = await oauth.processRefreshTokenResponse(
          as,
          client,
          await oauth.refreshTokenGrantRequest(
            as,
            client,
            auth,
            refresh_token,
            options,
          ),
        );
        expect(refreshed.refresh_token).not.toBe(refresh_token);
        refresh_token = refreshed.refresh_token ?? "";
      }
      const revoke = await oauth.revocationRequest(
        as,
        client,
        auth,
        refresh_token,
        options,
      );
      await oauth.processRevocationResponse(revoke);
      const refused = await server.refresh(
        { client_id, ...(client_secret && { client_secret }) },
        refresh_token,
      );
      expect(await refusal(refused)).toEqual([
        400,
        "invalid_grant",
        "family_ended",
      ]);
    },
  );
});
