import {
  auth,
  type OAuthClientProvider,
  type OAuthTokens,
} from "@modelcontextprotocol/client";
import { beforeAll, describe, expect, it } from "vitest";
import { decide, location } from "../support/authorization.ts";
import { ISSUER, serverWith, type TestServer } from "../support/server.ts";

/** MCP's own client asks for `offline_access` where the metadata lists it, and then gets a refresh token. */

const REDIRECT_URI = "http://127.0.0.1:8765/callback";
const required = serverWith({ OFFLINE_ACCESS_REQUIRED: "on" });
const notRequired = serverWith({});

beforeAll(() => required.makeScopes("read"));

/** Signs a user in with the client's own code. @returns its tokens and the authorization request */
async function signIn(server: TestServer, grant_types?: string[]) {
  const { client_id } = await server.makeClient({
    token_endpoint_auth_method: "none",
    scope: "read",
    redirect_uris: [REDIRECT_URI],
  });
  let tokens: OAuthTokens | undefined;
  let verifier = "";
  let asked: URL | undefined;
  const provider: OAuthClientProvider = {
    redirectUrl: REDIRECT_URI,
    clientMetadata: {
      redirect_uris: [REDIRECT_URI],
      scope: "read",
      ...(grant_types && { grant_types }),
    },
    clientInformation: () => ({ client_id }),
    tokens: () => tokens,
    saveTokens: (saved) => void (tokens = saved),
    redirectToAuthorization: (url) => void (asked = url),
    saveCodeVerifier: (saved) => void (verifier = saved),
    codeVerifier: () => verifier,
  };
  const fetchFn = (url: string | URL, init?: RequestInit) =>
    server.fetch(new Request(url, init));
  const options = { serverUrl: ISSUER, fetchFn };
  expect(await auth(provider, options)).toBe("REDIRECT");
  const login = location(
    await server.fetch(new Request(asked!, { redirect: "manual" })),
  );
  const request = login.searchParams.get("request") ?? "";
  const back = await decide(request, { subject: "alice" }, server);
  const authorizationCode = back.searchParams.get("code") ?? "";
  const iss = back.searchParams.get("iss") ?? "";
  expect(await auth(provider, { ...options, authorizationCode, iss })).toBe(
    "AUTHORIZED",
  );
  return { tokens: tokens!, asked: asked!.searchParams, provider, options };
}

describe("@modelcontextprotocol/client", () => {
  it("asks for offline_access where it is required, and stays signed in", async () => {
    const { tokens, asked, provider, options } = await signIn(required, [
      "authorization_code",
      "refresh_token",
    ]);
    expect(asked.get("scope")).toBe("read offline_access");
    expect(asked.get("prompt")).toBe("consent");
    expect(tokens.refresh_token).toMatch(/^baton_rt_/);
    expect(await auth(provider, options)).toBe("AUTHORIZED");
    expect((await provider.tokens())?.refresh_token).not.toBe(
      tokens.refresh_token,
    );
  });

  it("does not ask for it if it does not say that it refreshes, and has an access token alone", async () => {
    const { tokens, asked } = await signIn(required);
    expect(asked.get("scope")).toBe("read");
    expect(tokens.scope).toBe("read");
    expect(tokens.refresh_token).toBeUndefined();
  });

  it("does not ask for it where it is not required, and stays signed in", async () => {
    const { tokens, asked, provider, options } = await signIn(notRequired, [
      "authorization_code",
      "refresh_token",
    ]);
    expect(asked.get("scope")).toBe("read");
    expect(tokens.refresh_token).toMatch(/^baton_rt_/);
    expect(await auth(provider, options)).toBe("AUTHORIZED");
  });
});
