import {
  DpopSession,
  exchangeAuthorization,
  refreshAuthorization,
  withDpop,
} from "@modelcontextprotocol/client";
import * as dpop from "dpop";
import * as oauth from "oauth4webapi";
import * as openid from "openid-client";
import { REDIRECT_URI, VERIFIER } from "../support/authorization.ts";
import { ISSUER, type TestServer } from "../support/server.ts";

/** Libraries that make DPoP proofs, each used as its documentation shows it. */

/** The answer of the token endpoint, in the spelling that a library gives to it. */
export interface Answer {
  access_token: string;
  token_type: string;
  refresh_token?: string | undefined;
  scope?: string | undefined;
}

/** A public client with a key of its own. */
export interface DPoPClient {
  /** The thumbprint of its key, for `dpop_jkt`. */
  thumbprint: string;
  /** @param redirect the URL that the browser has come back to */
  redeem(redirect: URL): Promise<Answer>;
  refresh(refreshToken: string, scope?: string): Promise<Answer>;
  /** Sends a GET request to an API. */
  call(url: string, accessToken: string): Promise<Response>;
  revoke?(refreshToken: string): Promise<void>;
}

/** Starts a client that has been registered with this id. @param server answers its requests, also those to other origins */
export type Start = (
  clientId: string,
  server: TestServer,
) => Promise<DPoPClient>;

/** Makes a `fetch` for a library. */
function fetchOf(server: TestServer) {
  return (url: string | URL, init?: object): Promise<Response> =>
    server.fetch(new Request(url, init));
}

/**
 * @param alg of its key
 * @param clockSkew how many seconds its clock is ahead
 */
export async function startOauth4webapi(
  client_id: string,
  server: TestServer,
  { alg = "ES256", clockSkew = 0 } = {},
): Promise<DPoPClient> {
  const options = { [oauth.customFetch]: fetchOf(server) };
  const issuer = new URL(ISSUER);
  const as = await oauth.processDiscoveryResponse(
    issuer,
    await oauth.discoveryRequest(issuer, { ...options, algorithm: "oauth2" }),
  );
  const client: oauth.Client = { client_id, [oauth.clockSkew]: clockSkew };
  const auth = oauth.None();
  const DPoP = oauth.DPoP(client, await oauth.generateKeyPair(alg));

  /** Sends a request, and again if the server asks for its nonce. */
  async function withNonce<T>(send: () => Promise<T>): Promise<T> {
    try {
      return await send();
    } catch (error) {
      if (!oauth.isDPoPNonceError(error)) throw error;
      return send();
    }
  }

  return {
    thumbprint: await DPoP.calculateThumbprint(),
    redeem(redirect) {
      const state = redirect.searchParams.get("state") ?? oauth.expectNoState;
      const answer = oauth.validateAuthResponse(as, client, redirect, state);
      return withNonce(async () =>
        oauth.processAuthorizationCodeResponse(
          as,
          client,
          await oauth.authorizationCodeGrantRequest(
            as,
            client,
            auth,
            answer,
            REDIRECT_URI,
            VERIFIER,
            { ...options, DPoP },
          ),
        ),
      );
    },
    refresh: (refreshToken, scope) =>
      withNonce(async () =>
        oauth.processRefreshTokenResponse(
          as,
          client,
          await oauth.refreshTokenGrantRequest(as, client, auth, refreshToken, {
            ...options,
            DPoP,
            ...(scope !== undefined && { additionalParameters: { scope } }),
          }),
        ),
      ),
    call: (url, accessToken) =>
      withNonce(() =>
        oauth.protectedResourceRequest(
          accessToken,
          "GET",
          new URL(url),
          undefined,
          undefined,
          { ...options, DPoP },
        ),
      ),
    async revoke(refreshToken) {
      await oauth.processRevocationResponse(
        await oauth.revocationRequest(as, client, auth, refreshToken, options),
      );
    },
  };
}

async function startOpenidClient(
  client_id: string,
  server: TestServer,
): Promise<DPoPClient> {
  const configuration = await openid.discovery(
    new URL(ISSUER),
    client_id,
    undefined,
    openid.None(),
    { algorithm: "oauth2", [openid.customFetch]: fetchOf(server) },
  );
  const keyPair = await openid.randomDPoPKeyPair();
  const DPoP = openid.getDPoPHandle(configuration, keyPair);
  return {
    thumbprint: await DPoP.calculateThumbprint(),
    redeem: (redirect) =>
      openid.authorizationCodeGrant(
        configuration,
        redirect,
        {
          pkceCodeVerifier: VERIFIER,
          expectedState: redirect.searchParams.get("state") ?? "",
        },
        {},
        { DPoP },
      ),
    refresh: (refreshToken, scope) =>
      openid.refreshTokenGrant(
        configuration,
        refreshToken,
        scope === undefined ? {} : { scope },
        { DPoP },
      ),
    call: (url, accessToken) =>
      openid.fetchProtectedResource(
        configuration,
        accessToken,
        new URL(url),
        "GET",
        undefined,
        undefined,
        { DPoP },
      ),
    revoke: (refreshToken) =>
      openid.tokenRevocation(configuration, refreshToken),
  };
}

/** The client of the MCP SDK makes its own proofs, and sends `client_id` in the body. */
async function startMcp(
  client_id: string,
  server: TestServer,
): Promise<DPoPClient> {
  const session = await DpopSession.create();
  const fetchFn = fetchOf(server);
  const answer = await server.http("/.well-known/oauth-authorization-server");
  const metadata =
    await answer.json<
      NonNullable<Parameters<typeof refreshAuthorization>[1]["metadata"]>
    >();
  const common = {
    metadata,
    clientInformation: { client_id },
    dpop: session,
    fetchFn,
  };
  return {
    thumbprint: session.thumbprint,
    redeem: ({ searchParams }) =>
      exchangeAuthorization(ISSUER, {
        ...common,
        authorizationCode: searchParams.get("code") ?? "",
        iss: searchParams.get("iss") ?? "",
        codeVerifier: VERIFIER,
        redirectUri: REDIRECT_URI,
      }),
    refresh: (refreshToken, scope) =>
      refreshAuthorization(ISSUER, {
        ...common,
        refreshToken,
        ...(scope !== undefined && { scope }),
      }),
    call: (url, accessToken) =>
      withDpop(session, () => accessToken)(fetchFn)(url),
  };
}

/** A client that is written by hand, with proofs of the package `dpop`. */
async function startByHand(
  client_id: string,
  server: TestServer,
): Promise<DPoPClient> {
  const keyPair = await dpop.generateKeyPair("Ed25519");
  /** The newest nonce of each server. */
  const nonces = new Map<string, string>();

  /** Sends a request with a proof, and again if it is refused and has brought the first nonce. */
  async function withProof(
    url: string,
    init: RequestInit,
    accessToken?: string,
  ): Promise<Response> {
    const { origin } = new URL(url);
    const nonce = nonces.get(origin);
    const headers = new Headers(init.headers);
    const method = init.method ?? "GET";
    headers.set(
      "DPoP",
      await dpop.generateProof(keyPair, url, method, nonce, accessToken),
    );
    const response = await server.fetch(new Request(url, { ...init, headers }));
    const newest = response.headers.get("DPoP-Nonce");
    if (newest !== null) nonces.set(origin, newest);
    const mayNeedNonce = !response.ok && nonce === undefined && newest !== null;
    return mayNeedNonce ? withProof(url, init, accessToken) : response;
  }

  async function send(form: Record<string, string>): Promise<Answer> {
    const response = await withProof(`${ISSUER}/access_token`, {
      method: "POST",
      body: new URLSearchParams({ client_id, ...form }),
    });
    const body = await response.json<Answer>();
    if (!response.ok) throw Object.assign(new Error("refused"), body);
    return body;
  }

  return {
    thumbprint: await dpop.calculateThumbprint(keyPair.publicKey),
    redeem: ({ searchParams }) =>
      send({
        grant_type: "authorization_code",
        code: searchParams.get("code") ?? "",
        redirect_uri: REDIRECT_URI,
        code_verifier: VERIFIER,
      }),
    refresh: (refresh_token, scope) =>
      send({
        grant_type: "refresh_token",
        refresh_token,
        ...(scope !== undefined && { scope }),
      }),
    call: (url, accessToken) =>
      withProof(
        url,
        { headers: { Authorization: `DPoP ${accessToken}` } },
        accessToken,
      ),
  };
}

export const dpopClients: readonly (readonly [string, Start])[] = [
  ["oauth4webapi", (...client) => startOauth4webapi(...client)],
  ["openid-client", startOpenidClient],
  ["@modelcontextprotocol/client", startMcp],
  ["dpop", startByHand],
];
