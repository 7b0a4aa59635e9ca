import { createHash, randomBytes } from "node:crypto";
import { decodeJwt } from "jose";
import type { Narrator } from "./reporter.ts";
import { type Client, REDIRECT_URI, type StoryTeller } from "./client.ts";

/**
 * The second chapter: how a person signs in, played by a client without a browser that goes through
 * `/authorize` and the development sign-in page.
 *
 * @throws Error at the first step that does not go as it should
 */
export async function playSignIn(
  teller: StoryTeller,
  narrator: Narrator,
): Promise<void> {
  const check = narrator.check.bind(narrator);
  narrator.chapter("A person signs in");

  narrator.step("A client that signs people in, and one that is a nightly job");
  const app = await teller.registerClient({
    client_id: "diary-app",
    client_name: "Diary",
    scope: "read write",
    redirect_uris: [REDIRECT_URI],
  });
  const job = await teller.registerClient({
    client_id: "nightly-job",
    scope: "read",
    grant_types: ["client_credentials"],
  });

  narrator.step("The app sends Bob's browser to /authorize");
  const asked = authorizationRequest(app);
  const login = await teller.redirected(asked.path);
  check("it goes on to the sign-in page", login.pathname === "/dev/login");
  const request = login.searchParams.get("request") ?? "";
  check("with one sealed parameter", [...login.searchParams].length === 1);

  narrator.step("The page says who asks, and for what");
  const page = await teller.browse(login.pathname + login.search);
  check("it names the app", page.includes("Sign in to Diary"));
  check("it says what read allows", page.includes("Read your notes"));
  check("it says what write allows", page.includes("Write notes for you"));

  narrator.step("Bob allows the app to read, and goes back to it with a code");
  const back = await teller.redirected(login.pathname, {
    request,
    subject: "bob",
    scope: "read",
    answer: "allow",
  });
  check("he is where the app wants him", back.href.startsWith(REDIRECT_URI));
  check(
    "state is the app's own",
    back.searchParams.get("state") === asked.state,
  );
  check(
    "iss says which server it was",
    back.searchParams.get("iss") === login.origin,
  );
  const redemption = {
    grant_type: "authorization_code",
    code: back.searchParams.get("code") ?? "",
    redirect_uri: REDIRECT_URI,
    code_verifier: asked.verifier,
    client_id: app.client_id,
    client_secret: app.client_secret,
  };

  narrator.step("Somebody who has seen the code can do nothing with it");
  await teller.refused(
    { ...redemption, code_verifier: newVerifier() },
    "invalid_grant",
  );

  narrator.step("The app redeems the code");
  const first = await teller.obtain(redemption);
  check("the scope is what Bob allowed", first.scope === "read");
  check("the tokens are Bob's", decodeJwt(first.access_token).sub === "bob");

  narrator.step("From here on the app lives on refresh tokens");
  const second = await teller.refresh(app, first);
  check("it got a new pair", second.refresh_token !== first.refresh_token);

  narrator.step("The same code once more: refused, and its login ends");
  await teller.refused(redemption, "invalid_grant");
  await teller.refreshRefused(app, second.refresh_token);

  narrator.step("Bob is asked again, and says no");
  const again = authorizationRequest(app);
  const page2 = await teller.redirected(again.path);
  const denied = await teller.redirected(page2.pathname, {
    request: page2.searchParams.get("request") ?? "",
    answer: "deny",
  });
  check(
    "the app is told so",
    denied.searchParams.get("error") === "access_denied",
  );
  check("there is no code", !denied.searchParams.has("code"));

  narrator.step("The job needs nobody: client credentials");
  const own = await teller.obtainAccess({
    grant_type: "client_credentials",
    client_id: job.client_id,
    client_secret: job.client_secret,
  });
  check("there is no refresh token", !("refresh_token" in own));
  check(
    "the token is the job's own",
    decodeJwt(own.access_token).sub === "nightly-job",
  );
}

/** An authorization request (RFC 6749 section 4.1.1) with PKCE (RFC 7636 section 4.1). */
function authorizationRequest({ client_id }: Client) {
  const verifier = newVerifier();
  const state = randomBytes(16).toString("base64url");
  const query = new URLSearchParams({
    response_type: "code",
    client_id,
    redirect_uri: REDIRECT_URI,
    scope: "read write",
    state,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
  });
  return { path: `/authorize?${query.toString()}`, verifier, state };
}

function newVerifier(): string {
  return randomBytes(32).toString("base64url");
}
