import { runDurableObjectAlarm } from "cloudflare:test";
import { SignJWT, importJWK, type JWK, type JWTPayload } from "jose";
import { env } from "cloudflare:workers";
import { expect, vi } from "vitest";
import { BUSY } from "./busy.ts";
import {
  familyOf,
  grantIdOf,
  type HasAccessToken,
  withStorage,
} from "./login-object.ts";
import type { OpenIdTokens } from "./openid.ts";
import {
  server,
  serverWith,
  type TestClient,
  type TestServer,
} from "./server.ts";

/** Acts as the browser, the app and the login in the tests of logout. */

export const LOGOUT_URL = "https://login.example.com/sign-out";
export const SIGNED_OUT = "https://app.example.com/signed-out";

/** The server with a page of the login for signing out. */
export const withLogin = serverWith({ LOGOUT_URL });

/** Makes a client of OpenID Connect with one post-logout redirect URI. */
export async function makeOpenIdClient(
  metadata: Record<string, unknown> = {},
): Promise<TestClient> {
  await server.makeScopes("openid", "read");
  return server.makeClient({
    scope: "openid read",
    post_logout_redirect_uris: [SIGNED_OUT],
    ...metadata,
  });
}

/** Starts a login with an ID token. */
export function openIdLogin(
  client: { client_id: string },
  grant: Record<string, unknown> = {},
): Promise<OpenIdTokens> {
  return server.login(client, grant) as Promise<OpenIdTokens>;
}

type Query = Record<string, string | undefined> | string;

/** Sends the browser to the end session endpoint. */
export function endSession(
  query: Query,
  to: TestServer = server,
): Promise<Response> {
  return to.http(`/end_session?${encoded(query)}`, { redirect: "manual" });
}

/** Sends the browser there with a form. */
export function postEndSession(
  form: Query,
  to: TestServer = server,
  headers: Record<string, string> = {
    "Content-Type": "application/x-www-form-urlencoded",
  },
): Promise<Response> {
  return to.http("/end_session", {
    method: "POST",
    redirect: "manual",
    headers,
    body: encoded(form),
  });
}

function encoded(query: Query): string {
  if (typeof query === "string") return query;
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]],
  );
  return new URLSearchParams(pairs).toString();
}

/** Sends the browser to the end session endpoint. @returns the encrypted request that the login gets */
export async function logoutAtLogin(query: Query): Promise<string> {
  const response = await endSession(query, withLogin);
  expect(response.status).toBe(303);
  const login = new URL(response.headers.get("Location")!);
  expect(login.origin + login.pathname).toBe(LOGOUT_URL);
  expect([...login.searchParams.keys()]).toEqual(["request"]);
  return login.searchParams.get("request")!;
}

/** Tells whether a login goes on, as the admin API shows it. */
export async function isAlive(tokens: HasAccessToken): Promise<boolean> {
  const { status } = await server.admin("GET", `/grants/${grantIdOf(tokens)}`);
  return status === 200;
}

/** Reads what the login's object keeps. */
export function kept(tokens: HasAccessToken) {
  return withStorage(tokens, async (storage) => ({
    record: storage.kv.get<{ logout?: { failed: number } }>("family"),
    alarm: await storage.getAlarm(),
    keys: [...storage.kv.list()].length,
  }));
}

/**
 * Waits until the alarm of an ended login has done its work, and has deleted everything or set itself again. It is due
 * at once: it goes off by itself, or here.
 */
export async function alarmOf(tokens: HasAccessToken): Promise<void> {
  await runDurableObjectAlarm(familyOf(tokens));
  await vi.waitFor(async () => {
    const { alarm, keys } = await kept(tokens);
    expect(keys === 0 || (alarm !== null && alarm > Date.now())).toBe(true);
  }, BUSY);
}

/** Ends a login, as an administrator does. */
export function end(tokens: HasAccessToken): Promise<unknown> {
  return server.expectAdmin("DELETE", `/grants/${grantIdOf(tokens)}`);
}

/** Signs claims with the server's own key, as somebody could who has it. */
export async function signed(
  claims: JWTPayload,
  header: { typ?: string; kid?: string } = {},
): Promise<string> {
  const { keys } = await (
    await server.http("/.well-known/jwks.json")
  ).json<{ keys: { kid: string }[] }>();
  const key = await importJWK(JSON.parse(env.PRIVATE_KEY) as JWK, "ES256");
  return new SignJWT(claims)
    .setProtectedHeader({
      alg: "ES256",
      typ: "JWT",
      kid: keys[0]!.kid,
      ...header,
    })
    .sign(key);
}
