import { createRemoteJWKSet, jwtVerify } from "jose";
import { z } from "zod";
import type { Expected } from "./id-token.ts";
import { playKey } from "./key.ts";
import { playSignIn } from "./sign-in.ts";
import type { Reporter } from "./reporter.ts";
import { DemoClient, type PlayedServer } from "./client.ts";

/** The members of the server metadata (RFC 8414) that the demo uses. */
const metadata = z.looseObject({ issuer: z.url(), jwks_uri: z.url() });

/** ACCESS_TOKEN_TTL of wrangler.toml, PT1H. */
const ONE_HOUR = 3600;

/**
 * Plays the demo in three chapters: the life of a refresh token up to a detected theft, a login that is bound to a
 * key, and how a user signs in.
 *
 * @throws Error at the first step that fails
 */
export async function playDemo(
  server: PlayedServer,
  reporter: Reporter,
): Promise<void> {
  const demoClient = new DemoClient(server, reporter);
  const published = await playRefresh(demoClient, reporter);
  await playKey(demoClient, reporter, published.issuer);
  await playSignIn(demoClient, reporter, published);
}

/** @returns what the server publishes about its tokens */
async function playRefresh(
  demoClient: DemoClient,
  reporter: Reporter,
): Promise<Pick<Expected, "issuer" | "keys">> {
  const check = reporter.check.bind(reporter);
  reporter.chapter("A refresh token is exchanged");

  reporter.step("Create two scopes");
  for (const [scope, description] of [
    ["read", "Read your notes"],
    ["write", "Write notes for you"],
  ])
    await demoClient.admin("PUT", `/scopes/${scope}`, { description });

  reporter.step("Create a client: its secret is shown only once");
  const client = await demoClient.registerClient({
    client_id: "notes-app",
    client_name: "Notes",
    scope: "read write",
  });
  check("the response has a client secret", client.client_secret.length > 0);

  reporter.step("Alice logs in on her phone");
  const phone = await demoClient.logIn(client.client_id, "alice");

  reporter.step(
    "Alice logs in on her laptop: this login has a token family of its own",
  );
  const first = await demoClient.logIn(client.client_id, "alice");
  check(
    "the two logins share no token",
    first.refresh_token !== phone.refresh_token,
  );

  reporter.step("The laptop exchanges its refresh token");
  const second = await demoClient.refresh(client, first);
  check("the access token is new", second.access_token !== first.access_token);
  check(
    "the refresh token is new",
    second.refresh_token !== first.refresh_token,
  );
  check("token_type is Bearer", second.token_type === "Bearer");
  check(
    "the access token is valid for one hour",
    second.expires_in === ONE_HOUR,
  );
  check("the scope is the full scope", second.scope === "read write");
  const { refresh_token_timeout = 0, authorization_expires_in = 0 } = second;
  check(
    "the answer says how long the refresh token may be held, and how long the login lasts",
    refresh_token_timeout > 0 &&
      refresh_token_timeout <= authorization_expires_in,
  );

  reporter.step("The laptop asks for less scope");
  const narrowed = await demoClient.refresh(client, second, { scope: "read" });
  check("the response has the narrower scope", narrowed.scope === "read");

  reporter.step("Anybody can verify this access token with the JWKS");
  const { issuer, jwks_uri } = metadata.parse(
    await demoClient.get("/.well-known/oauth-authorization-server"),
  );
  await demoClient.get(new URL(jwks_uri).pathname);
  const keys = createRemoteJWKSet(new URL(jwks_uri));
  const verify = (token: string) =>
    jwtVerify(token, keys, { issuer, audience: issuer, typ: "at+jwt" });
  const { payload } = await verify(narrowed.access_token);
  check(`signature, typ, iss and aud (${issuer}) are correct`, true);
  check("sub is alice", payload.sub === "alice");
  check("client_id is notes-app", payload["client_id"] === "notes-app");
  check("scope is read only", payload["scope"] === "read");

  reporter.step("The next refresh has the full scope again");
  const full = await demoClient.refresh(client, narrowed);
  check("the response has the full scope", full.scope === "read write");
  const claims = (await verify(full.access_token)).payload;
  check(
    "the access token has the full scope",
    claims["scope"] === "read write",
  );

  reporter.step("A forged refresh token is refused and does no harm");
  await demoClient.expectRefreshRefused(client, forged(full.refresh_token));
  const newest = await demoClient.refresh(client, full);
  check(
    "the genuine token still works",
    newest.refresh_token !== full.refresh_token,
  );

  reporter.step("A thief uses a refresh token that was already used");
  await demoClient.expectRefreshRefused(client, first.refresh_token);

  reporter.step(
    "The theft was detected: the newest refresh token of this login is refused too",
  );
  await demoClient.expectRefreshRefused(client, newest.refresh_token);

  reporter.step("Alice's phone is still logged in");
  const phoneRefreshed = await demoClient.refresh(client, phone);
  check(
    "the phone gets a new refresh token",
    phoneRefreshed.refresh_token !== phone.refresh_token,
  );
  return { issuer, keys };
}

/** Changes the last character, which is in the part that only the server can make. */
function forged(token: string): string {
  return token.slice(0, -1) + (token.endsWith("A") ? "B" : "A");
}
