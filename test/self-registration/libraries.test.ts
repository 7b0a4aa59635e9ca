import * as mcp from "@modelcontextprotocol/client";
import * as oauth from "oauth4webapi";
import * as openid from "openid-client";
import { beforeAll, describe, expect, it } from "vitest";
import { fetchFrom } from "../conformance/support.ts";
import { makeToken } from "../support/administrators.ts";
import { agent, writeResources } from "../support/registration.ts";
import { ISSUER, serverWith } from "../support/server.ts";

/** Independent libraries register clients and use them, without code for this server alone. */

const open = serverWith({ DYNAMIC_REGISTRATION: "open" });
const guarded = serverWith({ DYNAMIC_REGISTRATION: "token" });
const fetchOpen = fetchFrom(open);

let as: oauth.AuthorizationServer;

beforeAll(async () => {
  await writeResources();
  const response = await oauth.discoveryRequest(new URL(ISSUER), {
    [oauth.customFetch]: fetchOpen,
    algorithm: "oauth2",
  });
  as = await oauth.processDiscoveryResponse(new URL(ISSUER), response);
});

describe("oauth4webapi", () => {
  it("registers a client and refreshes with its secret", async () => {
    const response = await oauth.dynamicClientRegistrationRequest(
      as,
      { redirect_uris: ["https://agent.example/callback"] },
      { [oauth.customFetch]: fetchOpen },
    );
    const client =
      await oauth.processDynamicClientRegistrationResponse(response);
    expect(client["token_endpoint_auth_method"]).toBe("client_secret_basic");
    const { refresh_token } = await open.login(client);
    const refreshed = await oauth.refreshTokenGrantRequest(
      as,
      client,
      oauth.ClientSecretBasic(client.client_secret as string),
      refresh_token,
      { [oauth.customFetch]: fetchOpen },
    );
    const tokens = await oauth.processRefreshTokenResponse(
      as,
      client,
      refreshed,
    );
    expect(tokens.refresh_token).not.toBe(refresh_token);
  });

  it("registers with an initial access token", async () => {
    const { token } = await makeToken("register");
    const response = await oauth.dynamicClientRegistrationRequest(as, agent, {
      [oauth.customFetch]: fetchFrom(guarded),
      initialAccessToken: token,
    });
    const client =
      await oauth.processDynamicClientRegistrationResponse(response);
    expect(client.client_id).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe("openid-client", () => {
  it("registers a client and refreshes", async () => {
    const configuration = await openid.dynamicClientRegistration(
      new URL(ISSUER),
      agent,
      openid.None(),
      { [openid.customFetch]: fetchOpen, algorithm: "oauth2" },
    );
    const { client_id } = configuration.clientMetadata();
    const { refresh_token } = await open.login({ client_id });
    const tokens = await openid.refreshTokenGrant(configuration, refresh_token);
    expect(tokens.refresh_token).not.toBe(refresh_token);
  });
});

describe("the client of MCP's SDK", () => {
  it("registers, and reads the refusal of metadata that cannot be registered", async () => {
    const metadata = as as mcp.AuthorizationServerMetadata;
    const fetchFn = fetchOpen as unknown as typeof fetch;
    const clientMetadata = { ...agent, application_type: "native", scope: "" };
    const options = { metadata, clientMetadata, fetchFn };
    const made = await mcp.registerClient(ISSUER, options);
    expect(made).toMatchObject({ token_endpoint_auth_method: "none" });
    await expect(
      mcp.registerClient(ISSUER, {
        ...options,
        clientMetadata: { ...clientMetadata, redirect_uris: [] },
      }),
    ).rejects.toThrow("invalid_redirect_uri");
  });
});
