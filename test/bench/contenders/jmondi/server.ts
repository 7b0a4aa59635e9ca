import { randomUUID } from "node:crypto";
import {
  createServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { text } from "node:stream/consumers";
import {
  AuthorizationServer,
  OAuthException,
  type ResponseInterface,
} from "@jmondi/oauth2-server";
import { handleVanillaError } from "@jmondi/oauth2-server/vanilla";
import { withStoreDelay } from "../far-store.ts";
import { database, hash, settings } from "./database.ts";
import { jwt, publicJwk } from "./jwt.ts";
import {
  ACCESS_TOKEN_TTL,
  ClientRepository,
  SCOPES,
  ScopeRepository,
  TokenRepository,
} from "./repositories.ts";

database
  .prepare(
    `INSERT INTO oauth_clients (id, name, secret, redirect_uris, allowed_grants, scopes)
     VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
  )
  .run(
    settings.client_id,
    "Bench",
    // Agents are public clients.
    settings.agents ? null : hash(settings.client_secret),
    JSON.stringify(["https://client.example/callback"]),
    JSON.stringify(["authorization_code", "refresh_token"]),
    JSON.stringify(SCOPES.map((scope) => scope.name)),
  );

const clients = withStoreDelay(new ClientRepository(), settings.storeDelay, [
  "getByIdentifier",
]);
const tokens = withStoreDelay(
  new TokenRepository(clients),
  settings.storeDelay,
  ["persist", "issueRefreshToken", "getByRefreshToken", "revoke"],
);
const authorizationServer = new AuthorizationServer(
  clients,
  tokens,
  new ScopeRepository(),
  jwt,
  {
    issuer: settings.issuer,
    // The default wraps the random refresh token in a JWT. That would add one ES256 signature and one
    // verification, which no other contender has.
    useOpaqueRefreshTokens: true,
  },
);
authorizationServer.enableGrantType("refresh_token", ACCESS_TOKEN_TTL);

/** Stores what the authorization code grant stores for a login. */
async function login(): Promise<string> {
  const client = await clients.getByIdentifier(settings.client_id);
  const token = await tokens.issueToken(client, SCOPES, { id: randomUUID() });
  await tokens.persist(token);
  const { refreshToken } = await tokens.issueRefreshToken(token);
  return String(refreshToken);
}

function send(
  response: ServerResponse,
  answer: Pick<ResponseInterface, "status" | "headers" | "body">,
): void {
  response.statusCode = answer.status;
  for (const [name, value] of Object.entries(answer.headers))
    response.setHeader(name, String(value));
  response.end(JSON.stringify(answer.body));
}

const json = { "content-type": "application/json" };

// The library's adapters are for web frameworks. This one is for plain node:http.
async function answer(
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const { method, url, headers } = request;
    if (method === "POST" && url === "/token") {
      const body = Object.fromEntries(new URLSearchParams(await text(request)));
      const oauthRequest = { headers, query: {}, body };
      send(
        response,
        await authorizationServer.respondToAccessTokenRequest(oauthRequest),
      );
    } else if (method === "POST" && url === "/bench/login") {
      const body = { refresh_token: await login() };
      send(response, { status: 200, headers: json, body });
    } else if (method === "GET" && url === "/jwks") {
      const body = { keys: [publicJwk] };
      send(response, { status: 200, headers: json, body });
    } else {
      send(response, { status: 404, headers: json, body: {} });
    }
  } catch (error) {
    if (!(error instanceof OAuthException)) console.error(error);
    send(response, handleVanillaError(error));
  }
}

createServer((request, response) => void answer(request, response)).listen(
  settings.port,
  "127.0.0.1",
);
