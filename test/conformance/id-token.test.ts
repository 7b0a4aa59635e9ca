import { env } from "cloudflare:workers";
import {
  base64url,
  decodeJwt,
  decodeProtectedHeader,
  generateKeyPair,
  importJWK,
  type JWK,
  SignJWT,
} from "jose";
import * as client from "openid-client";
import { beforeAll, describe, expect, inject, it } from "vitest";
import {
  decide,
  location,
  makeWebClient,
  REDIRECT_URI,
} from "../support/authorization.ts";
import type { OpenIdTokens } from "../support/openid.ts";
import {
  ISSUER,
  server,
  serverWith,
  type TestClient,
  type TestServer,
} from "../support/server.ts";
import { fetchFrom, fetchFromServer } from "./support.ts";

/**
 * Tests ID tokens with openid-client, which finds the server by OpenID Connect Discovery and makes every check that it
 * can. It takes the server's own ID tokens, and refuses each that a relying party must refuse (OpenID Connect Core
 * section 3.1.3.7).
 */

type Claims = Record<string, unknown>;

/** Puts something else in the place of the ID token. */
type Tamper = (tokens: OpenIdTokens) => string | Promise<string>;

const genuine: Tamper = ({ id_token }) => id_token;

let web: TestClient;

beforeAll(async () => {
  await server.makeScopes("openid", "read");
  web = await makeWebClient({ scope: "openid read" });
});

async function discover(tamper: Tamper): Promise<client.Configuration> {
  const { client_id, client_secret } = web;
  return client.discovery(
    new URL(ISSUER),
    client_id,
    undefined,
    client.ClientSecretBasic(client_secret),
    {
      execute: [client.enableNonRepudiationChecks],
      async [client.customFetch](url, init) {
        const response = await fetchFromServer(url, init);
        if (!url.endsWith("/access_token")) return response;
        const tokens = await response.json<OpenIdTokens>();
        const id_token = await tamper(tokens);
        return Response.json({ ...tokens, id_token }, response);
      },
    },
  );
}

/** Signs a user in. The client gets what `tamper` makes of the ID token. */
async function signIn(
  tamper: Tamper,
  { nonce, ...more }: { nonce?: string; maxAge?: number } = {
    nonce: client.randomNonce(),
  },
) {
  const configuration = await discover(tamper);
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const expectedState = client.randomState();
  const url = client.buildAuthorizationUrl(configuration, {
    redirect_uri: REDIRECT_URI,
    scope: "openid read",
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: "S256",
    state: expectedState,
    ...(nonce !== undefined && { nonce }),
  });
  const login = location(
    await server.http(url.pathname + url.search, { redirect: "manual" }),
  );
  const back = await decide(login.searchParams.get("request") ?? "");
  const tokens = await client.authorizationCodeGrant(configuration, back, {
    pkceCodeVerifier,
    expectedState,
    idTokenExpected: true,
    ...(nonce !== undefined && { expectedNonce: nonce }),
    ...more,
  });
  return { configuration, tokens };
}

/** Signs other claims with the server's own key, so that nothing but the claims is wrong. */
function withClaims(changes: Claims | ((genuine: Claims) => Claims)): Tamper {
  return async ({ id_token }) => {
    const { alg = "", ...header } = decodeProtectedHeader(id_token);
    const key = await importJWK(JSON.parse(env.PRIVATE_KEY) as JWK, alg);
    const claims = decodeJwt(id_token);
    const changed = typeof changes === "function" ? changes(claims) : changes;
    return new SignJWT({ ...claims, ...changed })
      .setProtectedHeader({ ...header, alg })
      .sign(key);
  };
}

/** All that the library says about a refusal, which stands in the causes of the error. */
async function refusalOf(signingIn: Promise<unknown>): Promise<string> {
  const messages: string[] = [];
  let error: unknown = await signingIn.catch((thrown: unknown) => thrown);
  while (error instanceof Error) {
    messages.push(error.message);
    error = error.cause;
  }
  return messages.join(": ");
}

describe("openid-client", () => {
  it("signs a user in by default discovery with nonce, state, PKCE and signature, and refreshes", async () => {
    const nonce = client.randomNonce();
    const { configuration, tokens } = await signIn(genuine, { nonce });
    expect(tokens.claims()).toMatchObject({
      iss: ISSUER,
      sub: "alice",
      aud: web.client_id,
      nonce,
    });
    const refreshed = await client.refreshTokenGrant(
      configuration,
      tokens.refresh_token ?? "",
    );
    const sid = tokens.claims()?.["sid"];
    expect(refreshed.claims()).toMatchObject({ sub: "alice", sid });
    expect(refreshed.claims()).not.toHaveProperty("nonce");
  });

  it("signs a user in without nonce, because PKCE is used", async () => {
    const { tokens } = await signIn(genuine, {});
    expect(tokens.claims()?.sub).toBe("alice");
  });

  it.each<[string, Claims | ((genuine: Claims) => Claims), string]>([
    ["another nonce", { nonce: "other" }, '"nonce" claim value'],
    ["no nonce", { nonce: undefined }, '"nonce" (nonce) claim missing'],
    ["the audience of another client", { aud: "other" }, '"aud" (audience)'],
    [
      "a second audience",
      ({ aud }) => ({ aud: [String(aud), "o"] }),
      "untrusted audiences",
    ],
    ["another issuer", { iss: `${ISSUER}/` }, '"iss" (issuer)'],
    ["no issuer", { iss: undefined }, '"iss" (issuer) claim missing'],
    ["no subject", { sub: undefined }, '"sub" (subject) claim missing'],
    ["no time of issue", { iat: undefined }, '"iat" (issued at) claim miss'],
    ["no expiry", { exp: undefined }, '"exp" (expiration time) claim miss'],
    ["its expiry over", ({ iat }) => ({ exp: Number(iat) - 60 }), '"exp"'],
  ])("refuses an ID token with %s", async (_, claims, message) => {
    expect(await refusalOf(signIn(withClaims(claims)))).toContain(message);
  });

  it("refuses a nonce where it has sent none", async () => {
    const tamper = withClaims({ nonce: "somebody-else's" });
    expect(await refusalOf(signIn(tamper, {}))).toContain('"nonce"');
  });

  it.each<[string, Claims, string]>([
    ["no auth_time", {}, '"auth_time" (authentication time) claim missing'],
    ["an older auth_time", { auth_time: 1_700_000_000 }, "too much time"],
  ])("refuses %s where it has sent max_age", async (_, claims, message) => {
    const signingIn = signIn(withClaims(claims), { maxAge: 300 });
    expect(await refusalOf(signingIn)).toContain(message);
  });

  it.each<[string, Tamper, string]>([
    [
      "signed with none",
      ({ id_token }) => {
        const header = base64url.encode('{"alg":"none","typ":"JWT"}');
        return `${header}.${id_token.split(".")[1]}.`;
      },
      '"alg"',
    ],
    [
      "signed with the client's secret",
      ({ id_token }) =>
        new SignJWT(decodeJwt(id_token))
          .setProtectedHeader({ alg: "HS256", typ: "JWT" })
          .sign(new TextEncoder().encode(web.client_secret)),
      '"alg"',
    ],
    [
      "signed with another key of the same kid",
      async ({ id_token }) => {
        const { alg = "", ...header } = decodeProtectedHeader(id_token);
        const { privateKey } = await generateKeyPair(alg);
        return new SignJWT(decodeJwt(id_token))
          .setProtectedHeader({ ...header, alg })
          .sign(privateKey);
      },
      "signature",
    ],
    ["that is the access token", ({ access_token }) => access_token, '"nonce"'],
    ["that is no JWT", () => "x", "Invalid JWT"],
  ])("refuses an ID token %s", async (_, tamper, message) => {
    expect(await refusalOf(signIn(tamper))).toContain(message);
  });
});

describe("openid-client as a library that knows RS256 alone, which is the default of many", () => {
  async function refreshAt(at: TestServer) {
    const { client_id, client_secret } = web;
    const configuration = await client.discovery(
      new URL(ISSUER),
      client_id,
      { id_token_signed_response_alg: "RS256" },
      client.ClientSecretBasic(client_secret),
      {
        execute: [client.enableNonRepudiationChecks],
        [client.customFetch]: fetchFrom(at),
      },
    );
    const { refresh_token } = await at.login(web);
    return client.refreshTokenGrant(configuration, refresh_token);
  }

  it("takes the ID tokens of a server with an RSA key", async () => {
    const rsa = inject("testKeys").plain.find(([, , alg]) => alg === "RS256")!;
    const tokens = await refreshAt(serverWith({ PRIVATE_KEY: rsa[1] }));
    expect(tokens.claims()).toMatchObject({ sub: "alice" });
  });

  it("refuses those of a server with another key", async () => {
    expect(await refusalOf(refreshAt(server))).toContain('"alg"');
  });
});
