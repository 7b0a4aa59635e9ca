import { decodeJwt } from "jose";
import * as oauth from "oauth4webapi";
import { beforeAll, describe, expect, it } from "vitest";
import { protectedResource } from "../../src/resource/index.ts";
import {
  decide,
  makeWebClient,
  requestAtLogin,
} from "../support/authorization.ts";
import { ISSUER, refusal, serverWith, TestServer } from "../support/server.ts";
import {
  type DPoPClient,
  dpopClients,
  startOauth4webapi,
} from "./dpop-clients.ts";
import { alice, openIdScopes } from "./person.ts";

/** Tests logins that are bound to a key (RFC 9449) with the clients that developers use. */

const API = "https://api.example.com/notes";
const SCOPE = "openid profile read write";

const byTime = serverWith({});
const byNonce = serverWith({ DPOP_NONCE_REQUIRED: "on" });

beforeAll(() => byTime.makeScopes("read", "write", ...openIdScopes));

/** A server and an API behind Baton's guard, as their clients see them. It counts the requests for tokens, and keeps those to the API. */
class World extends TestServer {
  tokenRequests = 0;
  readonly apiRequests: Request[] = [];

  constructor(server: TestServer) {
    const guard = protectedResource({
      resource: API,
      issuer: ISSUER,
      fetch: (url, init) => server.fetch(new Request(url, init)),
    });
    const notes = guard.protect((_request, token) => Response.json(token.sub));
    super((request) => {
      if (request.url === API) {
        this.apiRequests.push(request);
        return Promise.resolve(notes(request));
      }
      if (request.url === `${ISSUER}/access_token`) this.tokenRequests += 1;
      return server.fetch(request);
    });
  }
}

async function register(): Promise<{ client_id: string }> {
  const { client_id } = await makeWebClient({
    scope: SCOPE,
    token_endpoint_auth_method: "none",
    resources: [API],
  });
  return { client_id };
}

/** Signs alice in. @returns the URL that the browser comes back to */
async function signIn(
  client: { client_id: string },
  more: Record<string, string> = {},
): Promise<URL> {
  const request = await requestAtLogin(client, { scope: SCOPE, ...more });
  return decide(request, alice());
}

function boundTo(accessToken: string): unknown {
  return decodeJwt<{ cnf?: { jkt?: string } }>(accessToken).cnf?.jkt;
}

/** The error code of an answer, wherever the library puts it. */
async function errorOf(request: Promise<unknown>): Promise<unknown> {
  const error = await request.then(
    () => expect.unreachable("the request was answered with tokens"),
    (thrown: unknown) => thrown,
  );
  const { error: code, code: codeOfMcp } = error as Record<string, unknown>;
  return code ?? codeOfMcp;
}

/** The answer behind an error of oauth4webapi and openid-client, which throw if an answer has a challenge. */
function challenged(error: unknown): Response {
  return (error as { response: Response }).response;
}

const servers = [
  { nonces: "not required", server: byTime, retries: 0 },
  { nonces: "required", server: byNonce, retries: 1 },
];

describe.each(dpopClients)("%s", (_, start) => {
  describe.each(servers)("where nonces are $nonces", ({ server, retries }) => {
    const world = new World(server);
    let registered: { client_id: string };
    let client: DPoPClient;

    beforeAll(async () => {
      registered = await register();
      client = await start(registered.client_id, world);
    });

    it("signs in with dpop_jkt, refreshes and narrows a login that is bound to its key", async () => {
      const { thumbprint } = client;
      const redirect = await signIn(registered, { dpop_jkt: thumbprint });
      const first = await client.redeem(redirect);
      expect(first.token_type).toMatch(/^dpop$/i);
      expect(first.scope).toBe(SCOPE);
      const second = await client.refresh(first.refresh_token ?? "");
      const third = await client.refresh(second.refresh_token ?? "", "read");
      expect(third.scope).toBe("read");
      for (const { access_token } of [first, second, third])
        expect(boundTo(access_token)).toBe(thumbprint);
      // The first request has brought the nonce.
      expect(world.tokenRequests).toBe(3 + retries);
    });

    it("alone can use its tokens, however late it comes, until it ends the login", async () => {
      const first = await client.redeem(await signIn(registered));
      const { refresh_token: used = "" } = first;
      const { refresh_token: newest = "" } = await client.refresh(used);
      const thief = await start(registered.client_id, server);
      for (const token of [used, newest]) {
        expect(await refusal(await server.refresh(registered, token))).toEqual([
          400,
          "invalid_dpop_proof",
          "refresh_token_proof_missing",
        ]);
        expect(await errorOf(thief.refresh(token))).toBe("invalid_grant");
      }
      expect((await client.refresh(used)).refresh_token).toBe(newest);
      await client.refresh(newest);
      if (!client.revoke) return;
      await client.revoke(newest);
      expect(await errorOf(client.refresh(newest))).toBe("invalid_grant");
    });

    it("alone can show its access token to an API and to /userinfo", async () => {
      const { access_token } = await client.redeem(await signIn(registered));
      const thief = await start(registered.client_id, world);
      for (const url of [API, `${ISSUER}/userinfo`]) {
        const answer = await client.call(url, access_token);
        expect([answer.status, await answer.text()]).toEqual([
          200,
          expect.stringContaining("alice"),
        ]);
        const headers = { Authorization: `Bearer ${access_token}` };
        const bearer = await world.fetch(new Request(url, { headers }));
        const stolen = await thief.call(url, access_token).catch(challenged);
        for (const { status } of [bearer, stolen]) expect(status).toBe(401);
      }
    });
  });
});

describe("oauth4webapi", () => {
  /** Signs alice in. @returns the client and its tokens after a refresh */
  async function refreshed(options: Parameters<typeof startOauth4webapi>[2]) {
    const registered = await register();
    const world = new World(byTime);
    const client = await startOauth4webapi(
      registered.client_id,
      world,
      options,
    );
    const first = await client.redeem(await signIn(registered));
    return {
      client,
      world,
      tokens: await client.refresh(first.refresh_token ?? ""),
    };
  }

  it.each([-1800, 1800])(
    "gets in with a clock that is wrong by %i seconds, because the server's nonce stands in for the time",
    async (clockSkew) => {
      const { world, client, tokens } = await refreshed({ clockSkew });
      expect(boundTo(tokens.access_token)).toBe(client.thumbprint);
      // The first request was refused for its time, and has brought the nonce.
      expect(world.tokenRequests).toBe(3);
    },
  );

  it("proves keys of each algorithm that the metadata lists", async () => {
    const answer = await byTime.http("/.well-known/oauth-authorization-server");
    const { dpop_signing_alg_values_supported: algorithms } =
      await answer.json<Record<string, string[]>>();
    expect(algorithms).toContain("ES256");
    for (const alg of algorithms ?? []) {
      const { client, tokens } = await refreshed({ alg });
      expect([alg, boundTo(tokens.access_token)]).toEqual([
        alg,
        client.thumbprint,
      ]);
    }
  });

  it("verifies the bound token and its proof as the library of an API", async () => {
    const { client, world, tokens } = await refreshed({});
    await client.call(API, tokens.access_token);
    const request = world.apiRequests.at(-1) ?? new Request(API);
    const claims = await oauth.validateJwtAccessToken(
      { issuer: ISSUER, jwks_uri: `${ISSUER}/.well-known/jwks.json` },
      request,
      API,
      {
        requireDPoP: true,
        [oauth.customFetch]: (url) => byTime.fetch(new Request(url)),
      },
    );
    expect(claims).toMatchObject({
      sub: "alice",
      cnf: { jkt: client.thumbprint },
    });
  });
});
