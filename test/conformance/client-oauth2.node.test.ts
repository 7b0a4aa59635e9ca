import ClientOAuth2 from "client-oauth2";
import { describe, expect, it } from "vitest";
import type { TestClient, Tokens } from "../support/server.ts";
import { Browser } from "./live/browser.ts";
import {
  ISSUER,
  login,
  makeClient,
  newPkce,
  REDIRECT_URI,
  refreshError,
} from "./live/server.ts";

/**
 * Tests the server with client-oauth2. It does not encode its Basic credentials, knows no PKCE, and sends
 * empty parameters for what its user leaves out.
 */

function newClient(
  { client_id, client_secret }: TestClient,
  options: ClientOAuth2.Options = {},
): ClientOAuth2 {
  return new ClientOAuth2({
    clientId: client_id,
    ...(client_secret !== undefined && { clientSecret: client_secret }),
    accessTokenUri: `${ISSUER}/access_token`,
    authorizationUri: `${ISSUER}/authorize`,
    redirectUri: REDIRECT_URI,
    scopes: ["read", "write"],
    ...options,
  });
}

/** The error of the library for a refusal by the server. */
function refused(error: string) {
  return { code: "EAUTH", body: { error } };
}

/** Signs alice in with PKCE. @returns the redirect to the client, and the verifier */
async function signIn(client: ClientOAuth2, more: ClientOAuth2.Options = {}) {
  const { challenge, verifier } = newPkce();
  const { url } = await new Browser().signIn(
    client.code.getUri({ query: challenge, ...more }),
  );
  return { redirect: url, options: { body: verifier, ...more } };
}

function asToken(client: ClientOAuth2, tokens: Tokens): ClientOAuth2.Token {
  const { access_token, refresh_token, token_type } = tokens;
  return client.createToken(access_token, refresh_token, token_type, {});
}

describe("client-oauth2", () => {
  it.each<[string, Record<string, unknown>]>([
    ["a confidential client", {}],
    ["a public client", { token_endpoint_auth_method: "none" }],
  ])(
    "signs a user in with PKCE as %s, and refreshes twice",
    async (_, metadata) => {
      const client = newClient(await makeClient(metadata));
      const { redirect, options } = await signIn(client, { state: "a+b/c=" });
      const first = await client.code.getToken(redirect, options);
      expect(first.tokenType).toBe("bearer");
      expect(first.expired()).toBe(false);
      expect(first.data).toMatchObject({ scope: "read write" });
      const second = await first.refresh();
      expect(second.accessToken).not.toBe(first.accessToken);
      expect(second.refreshToken).not.toBe(first.refreshToken);
      await second.refresh();
      await expect(first.refresh()).rejects.toMatchObject(
        refused("invalid_grant"),
      );
    },
  );

  it("signs a user in without state, for which it sends an empty parameter", async () => {
    const client = newClient(await makeClient());
    const { redirect, options } = await signIn(client);
    expect(new URL(redirect).searchParams.has("state")).toBe(false);
    const { data } = await client.code.getToken(redirect, options);
    expect(data).toMatchObject({ scope: "read write" });
  });

  it("signs a user in without redirect_uri, for which it sends an empty parameter", async () => {
    const record = await makeClient();
    const { redirect, options } = await signIn(newClient(record));
    const { data } = await new ClientOAuth2({
      clientId: record.client_id,
      clientSecret: record.client_secret,
      accessTokenUri: `${ISSUER}/access_token`,
    }).code.getToken(redirect, options);
    expect(data).toMatchObject({ scope: "read write" });
  });

  it("signs a user in without PKCE only if the operator waived it for the client", async () => {
    const strict = newClient(await makeClient());
    const refusal = await new Browser().open(strict.code.getUri());
    await expect(strict.code.getToken(refusal.url)).rejects.toMatchObject(
      refused("invalid_request"),
    );
    const client = newClient(await makeClient({ require_pkce: false }));
    const { url } = await new Browser().signIn(client.code.getUri());
    const { data } = await client.code.getToken(url);
    expect(data).toMatchObject({ scope: "read write" });
    await expect(client.code.getToken(url)).rejects.toMatchObject(
      refused("invalid_grant"),
    );
  });

  it("reports access_denied, a wrong verifier as invalid_grant, and a wrong secret as invalid_client", async () => {
    const record = await makeClient();
    const client = newClient(record);
    const denied = await new Browser().signIn(
      client.code.getUri({ query: newPkce().challenge }),
      { answer: "deny" },
    );
    await expect(client.code.getToken(denied.url)).rejects.toMatchObject(
      refused("access_denied"),
    );
    const { redirect, options } = await signIn(client);
    const body = newPkce().verifier;
    await expect(
      client.code.getToken(redirect, { body }),
    ).rejects.toMatchObject(refused("invalid_grant"));
    const { client_secret } = await makeClient();
    const impostor = newClient({ ...record, client_secret });
    await expect(
      impostor.code.getToken(redirect, options),
    ).rejects.toMatchObject(refused("invalid_client"));
    await client.code.getToken(redirect, options);
  });

  it("gets a token for the client itself", async () => {
    const client = newClient(
      await makeClient({ grant_types: ["client_credentials"] }),
    );
    const token = await client.credentials.getToken({ scopes: ["read"] });
    expect(token.data).toMatchObject({ scope: "read" });
    expect(token.refreshToken).toBeUndefined();
    await expect(
      client.credentials.getToken({ scopes: ["read", "admin"] }),
    ).rejects.toMatchObject(refused("invalid_scope"));
  });

  it("may have empty scopes in its list, for which it sends additional spaces", async () => {
    const client = newClient(
      await makeClient({ grant_types: ["client_credentials"] }),
    );
    const { data } = await client.credentials.getToken({
      scopes: ["", "read", "", "write"],
    });
    expect(data).toMatchObject({ scope: "read write" });
    await expect(
      client.credentials.getToken({ scopes: ["read\twrite"] }),
    ).rejects.toMatchObject(refused("invalid_scope"));
  });

  it("may have a client id that Basic credentials should encode", async () => {
    const record = await makeClient({
      client_id: `billing+eu 100% ${crypto.randomUUID()}`,
    });
    const client = newClient(record);
    await asToken(client, await login(record)).refresh();

    const { client_secret } = await makeClient();
    const tokens = await login(record);
    const impostor = newClient({ ...record, client_secret });
    await expect(asToken(impostor, tokens).refresh()).rejects.toMatchObject(
      refused("invalid_client"),
    );
    expect(await refreshError(record, tokens.refresh_token)).toBeUndefined();
  });

  it("is not a confidential client without its secret", async () => {
    const record = await makeClient();
    const tokens = await login(record);
    const client = new ClientOAuth2({
      clientId: record.client_id,
      accessTokenUri: `${ISSUER}/access_token`,
    });
    await expect(asToken(client, tokens).refresh()).rejects.toMatchObject(
      refused("invalid_client"),
    );
  });
});
