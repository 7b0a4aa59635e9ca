import { randomBytes, randomUUID } from "node:crypto";
import {
  createServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { text } from "node:stream/consumers";
import OAuth2Server from "@node-oauth/oauth2-server";
import { withStoreDelay } from "../far-store.ts";
import { model, settings } from "./model.ts";

const HOUR_SECONDS = 60 * 60;
const MONTH_SECONDS = 30 * 24 * HOUR_SECONDS;

withStoreDelay(model, settings.storeDelay, [
  "getClient",
  "getRefreshToken",
  "revokeToken",
  "saveToken",
  "getAccessToken",
]);

const oauth = new OAuth2Server({
  model,
  accessTokenLifetime: HOUR_SECONDS,
  refreshTokenLifetime: MONTH_SECONDS,
  ...(settings.agents && {
    // Agents are public clients.
    requireClientAuthentication: { refresh_token: false },
    alwaysIssueNewRefreshToken: settings.agents.rotation !== "never",
  }),
});

/** Stores what the authorization code grant stores for a login. */
async function login(): Promise<string> {
  const client = await model.getClient(
    settings.client_id,
    settings.client_secret,
  );
  if (!client) throw new Error("The client is not known.");
  const refreshToken = randomToken();
  await model.saveToken(
    {
      accessToken: randomToken(),
      accessTokenExpiresAt: new Date(Date.now() + HOUR_SECONDS * 1000),
      refreshToken,
      refreshTokenExpiresAt: new Date(Date.now() + MONTH_SECONDS * 1000),
      scope: ["read", "write"],
      client,
      user: {},
    },
    client,
    { id: randomUUID() },
  );
  return refreshToken;
}

/** A token as the library makes it. The library does not export its function. */
function randomToken(): string {
  return randomBytes(32).toString("hex");
}

// An adapter for plain node:http, after the library's docs/guide/adapters.md.
async function answer(
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const oauthResponse = new OAuth2Server.Response();
  try {
    const { method, url } = request;
    if (method === "POST" && url === "/token") {
      await oauth.token(await oauthRequest(request), oauthResponse);
    } else if (method === "POST" && url === "/bench/login") {
      oauthResponse.body = { refresh_token: await login() };
    } else if (method === "GET" && url === "/bench/resource") {
      await oauth.authenticate(await oauthRequest(request), oauthResponse);
    } else {
      oauthResponse.status = 404;
    }
  } catch (error) {
    const refused = error instanceof OAuth2Server.OAuthError;
    oauthResponse.status = refused ? error.code : 500;
    oauthResponse.body = refused
      ? { error: error.name, error_description: error.message }
      : { error: "server_error" };
    if (oauthResponse.status >= 500) console.error(error);
  }
  send(response, oauthResponse);
}

async function oauthRequest(
  request: IncomingMessage,
): Promise<OAuth2Server.Request> {
  return new OAuth2Server.Request({
    // Only Set-Cookie could be an array, and no request has it.
    headers: request.headers as Record<string, string>,
    method: request.method ?? "",
    query: {},
    body: Object.fromEntries(new URLSearchParams(await text(request))),
  });
}

function send(
  response: ServerResponse,
  { status = 200, headers = {}, body }: OAuth2Server.Response,
): void {
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers))
    response.setHeader(name, value);
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(body));
}

createServer((request, response) => void answer(request, response)).listen(
  settings.port,
  "127.0.0.1",
);
