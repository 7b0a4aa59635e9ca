import { createHash, randomBytes } from "node:crypto";
import { decodeJwt } from "jose";
import type { Reporter } from "./reporter.ts";
import {
  type Client,
  type DemoClient,
  type OpenIdTokens,
  REDIRECT_URI,
  SIGNED_OUT_URI,
} from "./client.ts";
import { type Expected, verifyIdToken } from "./id-token.ts";

/**
 * Plays the second chapter: a user signs in through `/authorize` and the development sign-in page, and signs out. The
 * demo sends the requests that a browser would send.
 *
 * @throws Error at the first step that fails
 */
export async function playSignIn(
  demoClient: DemoClient,
  reporter: Reporter,
  published: Pick<Expected, "issuer" | "keys">,
): Promise<void> {
  const check = reporter.check.bind(reporter);
  reporter.chapter("A user signs in, and the app learns who it is");

  reporter.step("Turn OpenID Connect on: two of its standard scopes");
  for (const scope of ["openid", "email"])
    await demoClient.admin("PUT", `/scopes/${scope}`, {});

  reporter.step("Create two clients: an app with users, and a nightly job");
  const app = await demoClient.registerClient({
    client_id: "diary-app",
    client_name: "Diary",
    scope: "openid email read write",
    redirect_uris: [REDIRECT_URI],
    post_logout_redirect_uris: [SIGNED_OUT_URI],
  });
  const job = await demoClient.registerClient({
    client_id: "nightly-job",
    scope: "read",
    grant_types: ["client_credentials"],
  });

  reporter.step("The app sends Bob's browser to /authorize");
  const nonce = randomBytes(16).toString("base64url");
  const authorization = authorizationRequest(
    app,
    "openid email read write",
    nonce,
  );
  const login = await demoClient.requestRedirect(authorization.path);
  check(
    "the browser is redirected to the sign-in page",
    login.pathname === "/dev/login",
  );
  const request = login.searchParams.get("request") ?? "";
  check(
    "the page gets one encrypted parameter",
    [...login.searchParams].length === 1,
  );

  reporter.step("The sign-in page shows which app asks, and for which scopes");
  const page = await demoClient.loadPage(login.pathname + login.search);
  check("it names the app", page.includes("Sign in to Diary"));
  check(
    "it shows the description of the scope read",
    page.includes("Read your notes"),
  );
  check(
    "it shows the description of the scope write",
    page.includes("Write notes for you"),
  );

  check("it asks for an e-mail address", page.includes('name="email"'));

  reporter.step(
    "Bob signs in, allows all but the scope write, and returns to the app with a code",
  );
  const back = await demoClient.requestRedirect(login.pathname, {
    request,
    subject: "bob",
    email: "bob@example.com",
    scope: ["openid", "email", "read"],
    answer: "allow",
  });
  check(
    "the browser is at the redirect URI",
    back.href.startsWith(REDIRECT_URI),
  );
  check(
    "state is the value that the app sent",
    back.searchParams.get("state") === authorization.state,
  );
  check("iss is this server", back.searchParams.get("iss") === login.origin);
  const redemption = {
    grant_type: "authorization_code",
    code: back.searchParams.get("code") ?? "",
    redirect_uri: REDIRECT_URI,
    code_verifier: authorization.verifier,
    client_id: app.client_id,
    client_secret: app.client_secret,
  };

  reporter.step("The code alone is useless: another code_verifier is refused");
  await demoClient.expectRefused(
    { ...redemption, code_verifier: newVerifier() },
    "invalid_grant",
  );

  reporter.step("The app exchanges the code for tokens");
  const first = await demoClient.requestOpenIdTokens(redemption);
  check(
    "the scope is the one that Bob allowed",
    first.scope === "openid email read",
  );
  check("sub is bob", decodeJwt(first.access_token).sub === "bob");

  reporter.step("The app verifies the ID token, which says who signed in");
  const expected = { ...published, client_id: app.client_id };
  const says = await verifyIdToken(first, { ...expected, nonce }, reporter);
  reporter.content("It says", says);
  const { sub, email, auth_time } = says;
  check("sub is bob", sub === "bob");
  check("email is bob@example.com", email === "bob@example.com");

  reporter.step("The access token gets the same from the UserInfo endpoint");
  const person = await demoClient.userInfo(first);
  check(
    "sub and email are those of the ID token",
    person.sub === sub && person["email"] === email,
  );

  reporter.step("The app refreshes the tokens");
  const second = await demoClient.refreshOpenId(app, first);
  check(
    "the refresh token is new",
    second.refresh_token !== first.refresh_token,
  );
  const renewed = await verifyIdToken(second, expected, reporter);
  check(
    "the new ID token is about the same sign-in of bob",
    renewed["sub"] === "bob" && renewed["auth_time"] === auth_time,
  );

  reporter.step(
    "The same code is sent again at once: it is refused, and Bob stays signed in",
  );
  await demoClient.expectRefused(redemption, "invalid_grant");
  const third = await demoClient.refreshOpenId(app, second);

  await playSignOut(demoClient, reporter, app, third);

  reporter.step("The app asks Bob again, and Bob denies the request");
  const secondLogin = await demoClient.requestRedirect(
    authorizationRequest(app, "read write").path,
  );
  const denied = await demoClient.requestRedirect(secondLogin.pathname, {
    request: secondLogin.searchParams.get("request") ?? "",
    answer: "deny",
  });
  check(
    "error is access_denied",
    denied.searchParams.get("error") === "access_denied",
  );
  check("the response has no code", !denied.searchParams.has("code"));

  reporter.step("The nightly job gets a token for itself: client credentials");
  const jobTokens = await demoClient.requestAccessToken({
    grant_type: "client_credentials",
    client_id: job.client_id,
    client_secret: job.client_secret,
  });
  check("the response has no refresh token", !("refresh_token" in jobTokens));
  check(
    "sub is nightly-job",
    decodeJwt(jobTokens.access_token).sub === "nightly-job",
  );
}

/** Plays how a user signs out of the app, which ends the login. */
async function playSignOut(
  demoClient: DemoClient,
  reporter: Reporter,
  app: Client,
  { id_token, refresh_token }: OpenIdTokens,
): Promise<void> {
  const check = reporter.check.bind(reporter);
  reporter.step("Bob signs out, and returns to the app");
  const state = randomBytes(16).toString("base64url");
  const query = new URLSearchParams({
    id_token_hint: id_token,
    post_logout_redirect_uri: SIGNED_OUT_URI,
    state,
  });
  const page = await demoClient.requestRedirect(
    `/end_session?${query.toString()}`,
  );
  check(
    "the browser is redirected to the page that ends Bob's session",
    page.pathname === "/dev/logout",
  );
  const back = await demoClient.requestRedirect(page.pathname + page.search);
  check("the browser is at the app", back.href.startsWith(SIGNED_OUT_URI));
  check(
    "state is the value that the app sent",
    back.searchParams.get("state") === state,
  );

  reporter.step("The login has ended: its newest refresh token is refused");
  await demoClient.expectRefreshRefused(app, refresh_token);
}

/** Builds an authorization request (RFC 6749 section 4.1.1) with PKCE (RFC 7636 section 4.1). */
export function authorizationRequest(
  { client_id }: Client,
  scope: string,
  nonce?: string,
) {
  const verifier = newVerifier();
  const state = randomBytes(16).toString("base64url");
  const query = new URLSearchParams({
    response_type: "code",
    client_id,
    redirect_uri: REDIRECT_URI,
    scope,
    state,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
    ...(nonce !== undefined && { nonce }),
  });
  return { path: `/authorize?${query.toString()}`, verifier, state };
}

function newVerifier(): string {
  return randomBytes(32).toString("base64url");
}
