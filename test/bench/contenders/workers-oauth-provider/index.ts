import {
  type OAuthHelpers,
  OAuthProvider,
} from "@cloudflare/workers-oauth-provider";

/**
 * A Worker with @cloudflare/workers-oauth-provider, after its README ("One Worker: OAuthProvider"). All
 * settings keep their defaults: access tokens live for an hour, refresh tokens for 30 days.
 */

interface Bindings {
  OAUTH_KV: KVNamespace;
  OAUTH_PROVIDER: OAuthHelpers;
}

/** The address without its port. The port differs in each run, but tokens are made for one resource. */
const ORIGIN = "http://localhost";
const REDIRECT_URI = "https://client.example/callback";
const SCOPE = "read";
/** RFC 7636 appendix B. */
const PKCE = {
  challenge: {
    code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    code_challenge_method: "S256",
  },
  verifier: { code_verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" },
};

const provider = new OAuthProvider<Bindings>({
  apiRoute: "/api",
  apiHandler: { fetch: () => new Response(null, { status: 204 }) },
  defaultHandler: { fetch: serve },
  authorizeEndpoint: "/authorize",
  tokenEndpoint: "/oauth/token",
  scopesSupported: [SCOPE],
  resourceMetadata: { resource: `${ORIGIN}/api` },
  requiredScopes: [SCOPE],
});

export default provider;

/** Two endpoints for the benchmark only, because they authenticate nobody. */
async function serve(
  request: Request,
  env: Bindings,
  ctx: ExecutionContext,
): Promise<Response> {
  switch (new URL(request.url).pathname) {
    case "/bench/client": {
      const { clientId, clientSecret } = await env.OAUTH_PROVIDER.createClient({
        clientName: "Benchmark",
        redirectUris: [REDIRECT_URI],
        // The query is the method, such as `?none` for a public client.
        tokenEndpointAuthMethod:
          new URL(request.url).search.slice(1) || "client_secret_post",
      });
      return Response.json({
        client_id: clientId,
        client_secret: clientSecret,
      });
    }
    case "/bench/login": {
      const credentials = await request.json<Record<string, string>>();
      return login(credentials, env, ctx);
    }
    default:
      return new Response(null, { status: 404 });
  }
}

/** Does what a browser and a client do together: an authorization, and the exchange of its code. */
async function login(
  credentials: Record<string, string>,
  env: Bindings,
  ctx: ExecutionContext,
): Promise<Response> {
  const query = new URLSearchParams({
    response_type: "code",
    client_id: credentials["client_id"] ?? "",
    redirect_uri: REDIRECT_URI,
    scope: SCOPE,
    state: "state",
    // Required of public clients.
    ...(credentials["client_secret"] === undefined && PKCE.challenge),
  });
  const asked = new Request(`${ORIGIN}/authorize?${query.toString()}`);
  const authorization = await env.OAUTH_PROVIDER.parseAuthRequest(asked);
  // A new user each time, because a second login of a user would end that user's earlier grants.
  const userId = crypto.randomUUID();
  const { redirectTo } = await env.OAUTH_PROVIDER.completeAuthorization({
    request: authorization,
    userId,
    metadata: {},
    scope: authorization.scope,
    props: { userId },
  });
  const exchange = new Request(`${ORIGIN}/oauth/token`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "authorization_code",
      code: new URL(redirectTo).searchParams.get("code") ?? "",
      redirect_uri: REDIRECT_URI,
      ...credentials,
      ...(credentials["client_secret"] === undefined && PKCE.verifier),
    }),
  });
  return provider.fetch(exchange, env, ctx);
}
