import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { z } from "zod";
import {
  type Client,
  type DemoClient,
  REDIRECT_URI,
  type Tokens,
  UnexpectedStatus,
} from "./client.ts";
import type { Reporter } from "./reporter.ts";
import { authorizationRequest } from "./sign-in.ts";

const metadata = z.looseObject({
  issuer: z.url(),
  jwks_uri: z.url(),
  authorization_endpoint: z.url().optional(),
});
const introspection = z.looseObject({ active: z.boolean() });
const decided = z.looseObject({ redirect_to: z.url() });

/** KV may take a minute until it shows a new record, and its cache another half. */
const RECORD_TIMEOUT_MS = 120_000;
const RECORD_RETRY_MS = 2_000;

/** The names of what a try makes. They are random, so that they can't be those of something real. */
export interface TryNames {
  scope: string;
  client_id: string;
  subject: string;
}

/** What a try has begun to make. What the server has refused for certain is not in it. */
export type Begun = Set<"scope" | "client" | "login">;

export function newTryNames(): TryNames {
  const name = `baton-try-${randomBytes(8).toString("hex")}`;
  return { scope: name, client_id: name, subject: name };
}

/**
 * Tries a server: a sign-in, a refresh, the check of the access token, and the detection of a stolen refresh token.
 * What it makes is left to `cleanUp`.
 *
 * @param begun gets what is made
 * @throws Error at the first step that fails
 */
export async function playTry(
  demoClient: DemoClient,
  reporter: Reporter,
  { scope, client_id, subject }: TryNames,
  begun: Begun,
): Promise<void> {
  const check = reporter.check.bind(reporter);

  reporter.step("Read the server's metadata");
  const { issuer, jwks_uri, authorization_endpoint } = metadata.parse(
    await demoClient.get("/.well-known/oauth-authorization-server"),
  );

  reporter.step("Create a scope for this test");
  const description = "Made by `baton try`, and deleted at its end";
  await begin(begun, "scope", () =>
    demoClient.admin("PUT", `/scopes/${scope}`, { description }),
  );

  reporter.step("Create a client for this test");
  const client = await begin(begun, "client", () =>
    demoClient.registerClient({
      client_id,
      client_name: "Made by `baton try`, and deleted at its end",
      scope,
      redirect_uris: [REDIRECT_URI],
      // Strict, whatever the server's default is.
      refresh_token_retry_window: "PT0S",
    }),
  );

  reporter.step(
    authorization_endpoint === undefined
      ? "Log a test user in (there is no LOGIN_URL, so not by /authorize)"
      : "Sign a test user in by /authorize, with the decision that a sign-in page sends",
  );
  begun.add("login");
  const first = await untilRecordsAreSeen(() =>
    authorization_endpoint === undefined
      ? demoClient.logIn(client_id, subject)
      : signIn(demoClient, client, scope, subject),
  );
  check("the scope is that of the test", first.scope === scope);

  reporter.step("Exchange the refresh token");
  const second = await demoClient.refresh(client, first);
  check("the access token is new", second.access_token !== first.access_token);
  check(
    "the refresh token is new",
    second.refresh_token !== first.refresh_token,
  );

  reporter.step("Verify the access token with the published keys");
  const { payload } = await jwtVerify(
    second.access_token,
    createRemoteJWKSet(new URL(jwks_uri)),
    { issuer, typ: "at+jwt" },
  );
  check(`signature, typ and iss (${issuer}) are correct`, true);
  check("sub is the test user", payload.sub === subject);
  check("client_id is the test client", payload["client_id"] === client_id);

  reporter.step("Ask the server about the access token");
  const { active } = introspection.parse(
    await demoClient.introspect(client, second.access_token),
  );
  check("it is active", active);

  reporter.step("A used refresh token comes back, as from a thief");
  await demoClient.expectRefreshRefused(client, first.refresh_token);

  reporter.step("The login has ended: its newest refresh token is refused too");
  await demoClient.expectRefreshRefused(client, second.refresh_token);
  reporter.end();
}

/** Makes something, and notes it before the request is sent, so that an answer that is lost leaves nothing behind. */
async function begin<T>(
  begun: Begun,
  what: "scope" | "client",
  make: () => Promise<T>,
): Promise<T> {
  begun.add(what);
  try {
    return await make();
  } catch (error) {
    const wasRefused =
      error instanceof UnexpectedStatus &&
      error.status >= 400 &&
      error.status < 500;
    if (wasRefused) begun.delete(what);
    throw error;
  }
}

/** Plays the browser, and the sign-in page as far as the server sees it. */
async function signIn(
  demoClient: DemoClient,
  client: Client,
  scope: string,
  subject: string,
): Promise<Tokens> {
  const { path, verifier, state } = authorizationRequest(client, scope);
  const login = await demoClient.requestRedirect(path);
  const request = login.searchParams.get("request") ?? "";
  const { redirect_to } = decided.parse(
    await demoClient.admin("POST", "/authorizations", { request, subject }),
  );
  const back = new URL(redirect_to);
  if (back.searchParams.get("state") !== state)
    throw new Error("state is not the value that the app sent");
  return demoClient.requestTokens({
    grant_type: "authorization_code",
    code: back.searchParams.get("code") ?? "",
    redirect_uri: REDIRECT_URI,
    code_verifier: verifier,
    client_id: client.client_id,
    client_secret: client.client_secret,
  });
}

/** Repeats what the server refuses while it does not see the new client and scope. */
async function untilRecordsAreSeen<T>(attempt: () => Promise<T>): Promise<T> {
  const giveUpAt = Date.now() + RECORD_TIMEOUT_MS;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const mayBeLag =
        error instanceof UnexpectedStatus &&
        error.status < 500 &&
        error.status !== 403;
      // A role is not a matter of time.
      if (!mayBeLag || Date.now() >= giveUpAt) throw error;
      await sleep(RECORD_RETRY_MS);
    }
  }
}

/**
 * Ends the logins of a try and deletes its client and its scope. Something that was never made counts as deleted.
 *
 * @returns what is left because the server did not delete it
 */
export async function cleanUp(
  demoClient: DemoClient,
  reporter: Reporter,
  { scope, client_id, subject }: TryNames,
  begun: Begun,
): Promise<string[]> {
  if (begun.size === 0) return [];
  reporter.step("Delete what this test has made");
  const left: string[] = [];
  for (const [kind, what, path, status] of [
    ["login", `logins of ${subject}`, `/subjects/${subject}/grants`, 200],
    ["client", `client ${client_id}`, `/clients/${client_id}`, 204],
    ["scope", `scope ${scope}`, `/scopes/${scope}`, 204],
  ] as const) {
    if (!begun.has(kind)) continue;
    try {
      await demoClient.admin("DELETE", path, undefined, status);
    } catch (error) {
      const wasNeverMade =
        error instanceof UnexpectedStatus && error.status === 404;
      if (!wasNeverMade) left.push(what);
    }
  }
  reporter.end();
  return left;
}
