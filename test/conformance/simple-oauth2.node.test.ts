import {
  type AccessToken,
  AuthorizationCode,
  ClientCredentials,
  type ModuleOptions,
} from "simple-oauth2";
import { describe, expect, it } from "vitest";
import type { TestClient } from "../support/server.ts";
import { Browser } from "./live/browser.ts";
import {
  ISSUER,
  login,
  makeClient,
  newPkce,
  REDIRECT_URI,
  refreshError,
} from "./live/server.ts";

/** Tests the server with simple-oauth2, which parses every answer strictly as JSON. */

type Options = ModuleOptions["options"];

const auth = {
  tokenHost: ISSUER,
  tokenPath: "/access_token",
  revokePath: "/revoke",
};

function app(
  { client_id, client_secret }: TestClient,
  options: Options = {},
): AuthorizationCode {
  return new AuthorizationCode({
    client: { id: client_id, secret: client_secret },
    auth: { ...auth, authorizePath: "/authorize" },
    options,
  });
}

/** The error of the library for a refusal by the server. */
function refused(statusCode: number, error: string) {
  return {
    isBoom: true,
    output: { statusCode },
    data: { payload: { error, error_description: expect.any(String) } },
  };
}

/** Signs alice in. @returns the query of the redirect to the client */
async function signIn(
  library: AuthorizationCode,
  more: Record<string, string> = {},
): Promise<URLSearchParams> {
  const request = {
    redirect_uri: REDIRECT_URI,
    scope: ["read", "write"],
    state: "ab+cd/ef==",
    ...more,
  };
  const { url } = await new Browser().signIn(library.authorizeURL(request));
  return new URL(url).searchParams;
}

/** Exchanges a code. The types of the library know no verifier, and the library sends what it gets. */
function exchange(
  library: AuthorizationCode,
  answer: URLSearchParams,
  more: { redirect_uri?: string; code_verifier?: string } = {},
): Promise<AccessToken> {
  const code = answer.get("code") ?? "";
  return library.getToken({ code, redirect_uri: REDIRECT_URI, ...more });
}

/** Makes a login and gives its tokens to the library. */
async function startLogin(client: TestClient, options?: Options) {
  const tokens = await login(client);
  return app(client, options).createToken({ ...tokens });
}

const methods: [string, Options][] = [
  ["header", { authorizationMethod: "header" }],
  ["body", { authorizationMethod: "body" }],
];

describe.each(methods)(
  "simple-oauth2 with its credentials in the %s",
  (_, options) => {
    it("signs a user in with PKCE and refreshes twice; a used refresh token is invalid_grant", async () => {
      const library = app(await makeClient(), options);
      const { challenge, verifier } = newPkce();
      const answer = await signIn(library, challenge);
      expect(answer.get("state")).toBe("ab+cd/ef==");

      const first = await exchange(library, answer, verifier);
      expect(first.token).toMatchObject({
        token_type: "Bearer",
        expires_in: 3600,
        scope: "read write",
      });
      expect(first.expired()).toBe(false);
      const second = await first.refresh({ scope: ["read"] });
      expect(second.token["scope"]).toBe("read");
      const third = await second.refresh();
      expect(third.token["scope"]).toBe("read write");
      expect(third.token["refresh_token"]).not.toBe(
        second.token["refresh_token"],
      );
      await expect(second.refresh()).rejects.toMatchObject(
        refused(400, "invalid_grant"),
      );
    });

    it("gets a token for the client itself", async () => {
      const { client_id, client_secret } = await makeClient({
        grant_types: ["client_credentials"],
      });
      const library = new ClientCredentials({
        client: { id: client_id, secret: client_secret },
        auth,
        options,
      });
      const { token } = await library.getToken({ scope: "read" });
      expect(token).toMatchObject({ token_type: "Bearer", scope: "read" });
      expect(token["refresh_token"]).toBeUndefined();
      await expect(library.getToken({ scope: "admin" })).rejects.toMatchObject(
        refused(400, "invalid_scope"),
      );
    });

    it.each(["refresh_token", "access_token"] as const)(
      "revokes a login by its %s",
      async (type) => {
        const client = await makeClient();
        const token = await startLogin(client, options);
        await token.revoke(type);
        await expect(token.refresh()).rejects.toMatchObject(
          refused(400, "invalid_grant"),
        );
      },
    );

    it("revokes both tokens of a login", async () => {
      const client = await makeClient();
      const token = await startLogin(client, options);
      await token.revokeAll();
      // A second time, and a token that never was: there is nothing to revoke (RFC 7009 section 2.2).
      await token.revokeAll();
      await app(client, options)
        .createToken({ refresh_token: "unknown" })
        .revoke("refresh_token");
      await expect(token.refresh()).rejects.toMatchObject(
        refused(400, "invalid_grant"),
      );
    });

    it("reports a wrong secret as invalid_client, and the login goes on", async () => {
      const client = await makeClient();
      const tokens = await login(client);
      const other = await makeClient();
      const impostor = { ...client, client_secret: other.client_secret };
      const token = app(impostor, options).createToken({ ...tokens });
      await expect(token.refresh()).rejects.toMatchObject(
        refused(401, "invalid_client"),
      );
      await expect(token.revokeAll()).rejects.toMatchObject(
        refused(401, "invalid_client"),
      );
      expect(await refreshError(client, tokens.refresh_token)).toBeUndefined();
    });

    it("is a public client if its secret is empty, and a confidential client needs its secret", async () => {
      const open = await makeClient({ token_endpoint_auth_method: "none" });
      const library = app({ ...open, client_secret: "" }, options);
      const { challenge, verifier } = newPkce();
      const answer = await signIn(library, challenge);
      const token = await exchange(library, answer, verifier);
      await (await token.refresh()).revokeAll();

      const confidential = await makeClient();
      const login = await startLogin(
        { ...confidential, client_secret: "" },
        options,
      );
      await expect(login.refresh()).rejects.toMatchObject(
        refused(401, "invalid_client"),
      );
    });
  },
);

describe("simple-oauth2", () => {
  it("exchanges a code with PKCE without redirect_uri; another one is invalid_grant", async () => {
    const library = app(await makeClient());
    const { challenge, verifier } = newPkce();
    const answer = await signIn(library, challenge);
    const redirect_uri = `${REDIRECT_URI}/other`;
    await expect(
      exchange(library, answer, { ...verifier, redirect_uri }),
    ).rejects.toMatchObject(refused(400, "invalid_grant"));
    // The library sends an empty parameter.
    const { token } = await exchange(library, answer, {
      ...verifier,
      redirect_uri: "",
    });
    expect(token["scope"]).toBe("read write");
  });

  it("refuses a code with the verifier of another request, and a code that was exchanged", async () => {
    const library = app(await makeClient());
    const { challenge, verifier } = newPkce();
    const answer = await signIn(library, challenge);
    await expect(
      exchange(library, answer, newPkce().verifier),
    ).rejects.toMatchObject(refused(400, "invalid_grant"));
    await exchange(library, answer, verifier);
    await expect(exchange(library, answer, verifier)).rejects.toMatchObject(
      refused(400, "invalid_grant"),
    );
  });

  it("signs a user in without PKCE if the operator waived it for the client, which then sends its redirect_uri", async () => {
    const library = app(await makeClient({ require_pkce: false }));
    const answer = await signIn(library);
    await expect(
      exchange(library, answer, { redirect_uri: "" }),
    ).rejects.toMatchObject(refused(400, "invalid_request"));
    const { token } = await exchange(library, answer);
    expect(token["scope"]).toBe("read write");
  });

  it("needs PKCE otherwise", async () => {
    const library = app(await makeClient());
    const { url } = await new Browser().open(
      library.authorizeURL({ redirect_uri: REDIRECT_URI, state: "xyz" }),
    );
    const answer = new URL(url).searchParams;
    expect(answer.get("error")).toBe("invalid_request");
    expect(answer.get("error_description")).toContain("code_challenge");
    expect(answer.get("state")).toBe("xyz");
  });

  it("may leave out the encoding of its Basic credentials", async () => {
    const client = await makeClient({
      client_id: `billing+eu 100% ${crypto.randomUUID()}`,
    });
    const loose: Options = { credentialsEncodingMode: "loose" };
    const token = await startLogin(client, loose);
    await (await token.refresh()).revokeAll();

    const { client_secret } = await makeClient();
    const impostor = await startLogin({ ...client, client_secret }, loose);
    await expect(impostor.refresh()).rejects.toMatchObject(
      refused(401, "invalid_client"),
    );
  });
});
