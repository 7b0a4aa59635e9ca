import { randomUUID } from "node:crypto";
import {
  createServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { type ClientMetadata, Provider } from "oidc-provider";
import { withStoreDelay } from "../far-store.ts";
import { signingKey } from "../sqlite.ts";
import { database, settings, SqliteAdapter } from "./adapter.ts";

const MONTH_SECONDS = 30 * 24 * 60 * 60;
const HOUR_SECONDS = 60 * 60;
/** The scope of a login. It lacks `openid`, because with it each refresh would also sign an ID token. */
const SCOPE = "read write";

const { issuer, audience, client_id, client_secret, agents } = settings;

/** The part of the client's record about its authentication. */
function authentication(): Partial<ClientMetadata> {
  if (!agents)
    return { client_secret, token_endpoint_auth_method: "client_secret_post" };
  if (!agents.jwk) return { token_endpoint_auth_method: "none" };
  return {
    token_endpoint_auth_method: "private_key_jwt",
    jwks: { keys: [agents.jwk] },
  };
}

const provider = new Provider(issuer, {
  adapter: (type) =>
    withStoreDelay(new SqliteAdapter(type), settings.storeDelay, [
      "upsert",
      "find",
      "findByUserCode",
      "findByUid",
      "consume",
      "destroy",
      "revokeByGrantId",
    ]),
  jwks: { keys: [{ ...signingKey(database), kty: "EC" }] },
  clients: [
    {
      client_id,
      ...authentication(),
      redirect_uris: ["https://client.example/callback"],
      grant_types: ["authorization_code", "refresh_token"],
      // The default is RS256, but there is no RSA key here.
      id_token_signed_response_alg: "ES256",
    },
  ],
  // The default rotates the tokens of public clients, as agents are, and others late in their life.
  ...(!agents && { rotateRefreshToken: true }),
  ...(agents?.rotation && { rotateRefreshToken: agents.rotation === "always" }),
  // The defaults, except that refresh tokens live for a month. A grant must live as long as they do.
  ttl: {
    AccessToken: HOUR_SECONDS,
    RefreshToken: MONTH_SECONDS,
    Grant: MONTH_SECONDS,
  },
  // Users belong to the application, so no contender looks them up.
  findAccount: (_ctx, accountId) => ({
    accountId,
    claims: () => ({ sub: accountId }),
  }),
  features: {
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => audience,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        audience,
        scope: SCOPE,
        accessTokenFormat: "jwt",
        jwt: { sign: { alg: "ES256" } },
      }),
    },
  },
});
provider.on("server_error", (_ctx, error) => console.error(error));

/** Stores what the authorization code grant stores for a login, with the library's own models. */
async function login(): Promise<string> {
  const client = await provider.Client.find(client_id);
  if (!client) throw new Error("The client is not known.");
  const accountId = randomUUID();

  const grant = new provider.Grant({ accountId, clientId: client_id });
  grant.addOIDCScope("offline_access");
  grant.addResourceScope(audience, SCOPE);

  return new provider.RefreshToken({
    client,
    accountId,
    grantId: await grant.save(),
    gty: "authorization_code",
    scope: `offline_access ${SCOPE}`,
    resource: audience,
    authTime: Math.floor(Date.now() / 1000),
    // As by default, tokens with `offline_access` outlive the session, so no refresh looks the session up.
    expiresWithSession: false,
    rotations: 0,
    ...(agents?.jkt !== undefined && { jkt: agents.jkt }),
  }).save();
}

const library = provider.callback();

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method === "POST" && request.url === "/bench/login") {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ refresh_token: await login() }));
  } else {
    await library(request, response);
  }
}

createServer((request, response) => void answer(request, response)).listen(
  settings.port,
  "127.0.0.1",
);
