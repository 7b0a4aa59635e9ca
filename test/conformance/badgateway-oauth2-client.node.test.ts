import {
  generateCodeVerifier,
  OAuth2Client,
  OAuth2Fetch,
  type OAuth2Token,
} from "@badgateway/oauth2-client";
import express from "express";
import { auth } from "express-oauth2-jwt-bearer";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { TestClient, Tokens } from "../support/server.ts";
import { Browser } from "./live/browser.ts";
import { listen } from "./live/listen.ts";
import {
  ISSUER,
  login,
  makeClient,
  REDIRECT_URI,
  refreshError,
} from "./live/server.ts";

/** Tests the server with @badgateway/oauth2-client, which finds the endpoints in the metadata. */

function newClient(
  { client_id, client_secret }: TestClient,
  settings: Partial<ConstructorParameters<typeof OAuth2Client>[0]> = {},
): OAuth2Client {
  return new OAuth2Client({
    server: ISSUER,
    clientId: client_id,
    ...(client_secret !== undefined && { clientSecret: client_secret }),
    ...settings,
  });
}

function asToken({ access_token, refresh_token }: Tokens): OAuth2Token {
  return {
    accessToken: access_token,
    refreshToken: refresh_token,
    expiresAt: Date.now() + 3_600_000,
  };
}

/** The error of the library for a refusal by the server. */
function refused(httpCode: number, oauth2Code: string) {
  return { httpCode, oauth2Code };
}

async function signIn(client: OAuth2Client, answer = "allow") {
  const codeVerifier = await generateCodeVerifier();
  const checks = {
    redirectUri: REDIRECT_URI,
    state: crypto.randomUUID(),
    codeVerifier,
  };
  const url = await client.authorizationCode.getAuthorizeUri({
    scope: ["read", "write"],
    ...checks,
  });
  const redirect = await new Browser().signIn(url, { answer });
  return { redirect: redirect.url, checks };
}

const clients: [
  string,
  Record<string, unknown>,
  Parameters<typeof newClient>[1],
][] = [
  ["the method that the metadata lists first", {}, {}],
  [
    "client_secret_post",
    { token_endpoint_auth_method: "client_secret_post" },
    { authenticationMethod: "client_secret_post" },
  ],
  ["no secret", { token_endpoint_auth_method: "none" }, {}],
];

describe("@badgateway/oauth2-client", () => {
  it.each(clients)(
    "discovers the server, signs a user in with %s, refreshes twice and revokes",
    async (_, metadata, settings) => {
      const client = newClient(await makeClient(metadata), settings);
      const { redirect, checks } = await signIn(client);
      const first = await client.authorizationCode.getTokenFromCodeRedirect(
        redirect,
        checks,
      );
      expect(first.scope).toEqual(["read", "write"]);
      expect(first.expiresAt).toBeGreaterThan(Date.now() + 3_500_000);

      const second = await client.refreshToken(first, { scope: ["read"] });
      expect(second.scope).toEqual(["read"]);
      const third = await client.refreshToken(second);
      expect(third.scope).toEqual(["read", "write"]);
      await client.revoke(third, "refresh_token");
      await expect(client.refreshToken(third)).rejects.toMatchObject(
        refused(400, "invalid_grant"),
      );
    },
  );

  it("introspects an access token until it is revoked", async () => {
    const record = await makeClient();
    const client = newClient(record);
    const token = asToken(await login(record));
    expect(await client.introspect(token)).toMatchObject({
      active: true,
      sub: "alice",
      client_id: record.client_id,
      scope: "read write",
    });
    await client.revoke(token);
    expect(await client.introspect(token)).toEqual({ active: false });
  });

  it("gets a token for the client itself, for a resource", async () => {
    const resource = "https://api.example.com/notes";
    const record = await makeClient({
      grant_types: ["client_credentials"],
      resources: [resource, "https://api.example.com/other"],
    });
    const client = newClient(record);
    const token = await client.clientCredentials({ scope: ["read"], resource });
    expect(token).toMatchObject({ scope: ["read"], refreshToken: null });
    expect(await client.introspect(token)).toMatchObject({
      aud: resource,
      sub: record.client_id,
    });
    await expect(
      client.clientCredentials({ resource: "https://evil.example.com/" }),
    ).rejects.toMatchObject(refused(400, "invalid_target"));
    await expect(
      client.clientCredentials({ scope: ["read", "admin"] }),
    ).rejects.toMatchObject(refused(400, "invalid_scope"));
  });

  it("gets a token for its one resource without naming it, and in another spelling of RFC 3986", async () => {
    const aud = "https://api.example.com/notes";
    const record = await makeClient({
      grant_types: ["client_credentials"],
      resources: [aud],
    });
    const client = newClient(record);
    for (const resource of [undefined, "HTTPS://API.Example.com:443/notes"]) {
      const token = await client.clientCredentials({
        scope: ["read"],
        ...(resource !== undefined && { resource }),
      });
      expect(await client.introspect(token)).toMatchObject({ aud });
    }
    await expect(
      client.clientCredentials({ resource: `${aud}/` }),
    ).rejects.toMatchObject(refused(400, "invalid_target"));
  });

  it("reports a used refresh token as invalid_grant, and a wrong secret as invalid_client", async () => {
    const record = await makeClient();
    const tokens = await login(record);
    const { client_secret } = await makeClient();
    const impostor = newClient({ ...record, client_secret });
    await expect(impostor.refreshToken(asToken(tokens))).rejects.toMatchObject(
      refused(401, "invalid_client"),
    );
    const client = newClient(record);
    await client.refreshToken(asToken(tokens));
    await expect(client.refreshToken(asToken(tokens))).rejects.toMatchObject(
      refused(400, "invalid_grant"),
    );
  });

  it("reports access_denied, and refuses a redirect with another state", async () => {
    const client = newClient(await makeClient());
    const denied = await signIn(client, "deny");
    await expect(
      client.authorizationCode.getTokenFromCodeRedirect(
        denied.redirect,
        denied.checks,
      ),
    ).rejects.toMatchObject({ oauth2Code: "access_denied" });
    const { redirect, checks } = await signIn(client);
    await expect(
      client.authorizationCode.getTokenFromCodeRedirect(redirect, {
        ...checks,
        state: "other",
      }),
    ).rejects.toThrow('"state"');
  });

  it("signs a user in without PKCE only if the operator waived it for the client", async () => {
    const request = { redirectUri: REDIRECT_URI, state: "xyz" };
    const strict = newClient(await makeClient());
    const page = await new Browser().open(
      await strict.authorizationCode.getAuthorizeUri(request),
    );
    expect(() =>
      strict.authorizationCode.validateResponse(page.url, request),
    ).toThrow("code_challenge");

    const client = newClient(await makeClient({ require_pkce: false }));
    const { url } = await new Browser().signIn(
      await client.authorizationCode.getAuthorizeUri(request),
    );
    const token = await client.authorizationCode.getTokenFromCodeRedirect(
      url,
      request,
    );
    expect(token.scope).toEqual(["read", "write"]);
  });

  it("may leave out the encoding of its Basic credentials, as it does without discovery", async () => {
    const record = await makeClient({
      client_id: `billing+eu 100% ${crypto.randomUUID()}`,
    });
    const settings = { tokenEndpoint: "/access_token" };
    const client = newClient(record, settings);
    const token = await client.refreshToken(asToken(await login(record)));
    expect(token.scope).toEqual(["read", "write"]);

    const { client_secret } = await makeClient();
    const impostor = newClient({ ...record, client_secret }, settings);
    await expect(
      impostor.refreshToken(asToken(await login(record))),
    ).rejects.toMatchObject(refused(401, "invalid_client"));
  });
});

describe("OAuth2Fetch of @badgateway/oauth2-client", () => {
  let api: Awaited<ReturnType<typeof listen>>;

  beforeAll(async () => {
    const app = express();
    app.use(auth({ issuerBaseURL: ISSUER, audience: ISSUER }));
    app.get("/notes", (request, response) => {
      response.json({ of: request.auth?.payload.sub });
    });
    api = await listen(app);
  });

  afterAll(() => api.stop());

  /** Makes a fetch with a stored token. `storeToken` and `getNewToken` tell what it did. */
  async function newFetch(change: Partial<OAuth2Token>) {
    const record = await makeClient();
    const tokens = await login(record);
    const storeToken = vi.fn<(token: OAuth2Token) => void>();
    const getNewToken = vi.fn<() => Promise<OAuth2Token>>(async () =>
      asToken(await login(record, { subject: "bob" })),
    );
    const wrapper = new OAuth2Fetch({
      client: newClient(record),
      getStoredToken: () => ({ ...asToken(tokens), ...change }),
      storeToken,
      getNewToken,
      scheduleRefresh: false,
    });
    const notes = async () => {
      const response = await wrapper.fetch(`${api.url}/notes`);
      expect(response.status).toBe(200);
      return response.json();
    };
    return { record, tokens, storeToken, getNewToken, notes };
  }

  it.each<[string, Partial<OAuth2Token>]>([
    ["has expired", { expiresAt: Date.now() - 1 }],
    ["the API does not accept", { accessToken: "stale" }],
  ])(
    "refreshes by itself, once for calls at the same time, if the API gets a token that %s",
    async (_, change) => {
      const { record, tokens, storeToken, getNewToken, notes } =
        await newFetch(change);
      expect(await Promise.all([notes(), notes(), notes()])).toEqual(
        Array.from({ length: 3 }, () => ({ of: "alice" })),
      );
      expect(await notes()).toEqual({ of: "alice" });
      expect(storeToken).toHaveBeenCalledOnce();
      expect(getNewToken).not.toHaveBeenCalled();
      const stored = storeToken.mock.calls[0]?.[0].refreshToken ?? "";
      expect(stored).not.toBe(tokens.refresh_token);
      expect(await refreshError(record, stored)).toBeUndefined();
    },
  );

  it("asks for a new login if the refresh token was used", async () => {
    const { record, tokens, getNewToken, notes } = await newFetch({
      expiresAt: Date.now() - 1,
    });
    await refreshError(record, tokens.refresh_token);
    expect(await notes()).toEqual({ of: "bob" });
    expect(getNewToken).toHaveBeenCalledOnce();
  });
});
