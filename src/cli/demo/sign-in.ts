import { createHash, randomBytes } from "node:crypto";
import { decodeJwt } from "jose";
import type { Reporter } from "./reporter.ts";
import { type Client, REDIRECT_URI, type DemoClient } from "./client.ts";

/**
 * Plays the second chapter: a user signs in through `/authorize` and the development sign-in page. The
 * demo sends the requests that a browser would send.
 *
 * @throws Error at the first step that fails
 */
export async function playSignIn(
  demoClient: DemoClient,
  reporter: Reporter,
): Promise<void> {
  const check = reporter.check.bind(reporter);
  reporter.chapter("A user signs in");

  reporter.step("Create two clients: an app with users, and a nightly job");
  const app = await demoClient.registerClient({
    client_id: "diary-app",
    client_name: "Diary",
    scope: "read write",
    redirect_uris: [REDIRECT_URI],
  });
  const job = await demoClient.registerClient({
    client_id: "nightly-job",
    scope: "read",
    grant_types: ["client_credentials"],
  });

  reporter.step("The app sends Bob's browser to /authorize");
  const authorization = authorizationRequest(app, "read write");
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

  reporter.step(
    "Bob allows the scope read, and returns to the app with a code",
  );
  const back = await demoClient.requestRedirect(login.pathname, {
    request,
    subject: "bob",
    scope: "read",
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
  const first = await demoClient.requestTokens(redemption);
  check("the scope is the one that Bob allowed", first.scope === "read");
  check("sub is bob", decodeJwt(first.access_token).sub === "bob");

  reporter.step("The app refreshes the tokens");
  const second = await demoClient.refresh(app, first);
  check(
    "the refresh token is new",
    second.refresh_token !== first.refresh_token,
  );

  reporter.step(
    "The same code is sent again at once: it is refused, and Bob stays signed in",
  );
  await demoClient.expectRefused(redemption, "invalid_grant");
  await demoClient.refresh(app, second);

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

/** Builds an authorization request (RFC 6749 section 4.1.1) with PKCE (RFC 7636 section 4.1). */
export function authorizationRequest({ client_id }: Client, scope: string) {
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
  });
  return { path: `/authorize?${query.toString()}`, verifier, state };
}

function newVerifier(): string {
  return randomBytes(32).toString("base64url");
}
