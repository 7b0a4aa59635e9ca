import { createRemoteJWKSet, jwtVerify } from "jose";
import { z } from "zod";
import { playSignIn } from "./sign-in.ts";
import type { Narrator } from "./reporter.ts";
import { StoryTeller } from "./client.ts";

const metadata = z.looseObject({ issuer: z.url(), jwks_uri: z.url() });

/** ACCESS_TOKEN_TTL of wrangler.toml, PT1H. */
const ONE_HOUR = 3600;

/**
 * The story in two chapters: a refresh token, from the first login to the theft that is noticed; and
 * how a person signs in.
 *
 * @throws Error at the first step that does not go as it should
 */
export async function playStory(
  url: string,
  adminToken: string,
  narrator: Narrator,
): Promise<void> {
  const teller = new StoryTeller(url, adminToken, narrator);
  await playRefresh(teller, narrator);
  await playSignIn(teller, narrator);
}

async function playRefresh(
  teller: StoryTeller,
  narrator: Narrator,
): Promise<void> {
  const check = narrator.check.bind(narrator);
  narrator.chapter("A refresh token is passed on");

  narrator.step("The scopes that there are");
  for (const [scope, description] of [
    ["read", "Read your notes"],
    ["write", "Write notes for you"],
  ])
    await teller.admin("PUT", `/scopes/${scope}`, { description });

  narrator.step("A client, which gets its secret this one time");
  const client = await teller.registerClient({
    client_id: "notes-app",
    client_name: "Notes",
    scope: "read write",
  });
  check("the secret is a new one", client.client_secret.length > 0);

  narrator.step("Alice logs in on her phone");
  const phone = await teller.logIn("alice");

  narrator.step("Alice logs in on her laptop: a family of its own");
  const first = await teller.logIn("alice");
  check(
    "the two logins share no token",
    first.refresh_token !== phone.refresh_token,
  );

  narrator.step("The laptop's refresh token is passed on");
  const second = await teller.refresh(client, first);
  check("the access token is new", second.access_token !== first.access_token);
  check(
    "the refresh token is new",
    second.refresh_token !== first.refresh_token,
  );
  check("its type is Bearer", second.token_type === "Bearer");
  check("it lives for an hour", second.expires_in === ONE_HOUR);
  check("it has all of the scope", second.scope === "read write");

  narrator.step("A refresh that asks for less");
  const narrowed = await teller.refresh(client, second, { scope: "read" });
  check("the answer is narrowed", narrowed.scope === "read");

  narrator.step("Anybody can verify the narrowed access token by the JWKS");
  const { issuer, jwks_uri } = metadata.parse(
    await teller.get("/.well-known/oauth-authorization-server"),
  );
  await teller.get(new URL(jwks_uri).pathname);
  const keys = createRemoteJWKSet(new URL(jwks_uri));
  const verify = (token: string) =>
    jwtVerify(token, keys, { issuer, audience: issuer, typ: "at+jwt" });
  const { payload } = await verify(narrowed.access_token);
  check(`the signature, iss and aud (${issuer}) and typ are right`, true);
  check("sub is alice", payload.sub === "alice");
  check("client_id is notes-app", payload["client_id"] === "notes-app");
  check("scope is read, and no more", payload["scope"] === "read");

  narrator.step("The next refresh has the full scope again");
  const full = await teller.refresh(client, narrowed);
  check("the answer has it", full.scope === "read write");
  const claims = (await verify(full.access_token)).payload;
  check("so has the access token", claims["scope"] === "read write");

  narrator.step("A forged refresh token is refused and does no harm");
  await teller.refreshRefused(client, forged(full.refresh_token));
  const newest = await teller.refresh(client, full);
  check("the genuine one works", newest.refresh_token !== full.refresh_token);

  narrator.step("A thief plays a token that was used before");
  await teller.refreshRefused(client, first.refresh_token);

  narrator.step("The theft ends this login: its newest token is dead");
  await teller.refreshRefused(client, newest.refresh_token);

  narrator.step("Alice's phone is still logged in");
  const still = await teller.refresh(client, phone);
  check("it got a new pair", still.refresh_token !== phone.refresh_token);
}

/** One character changed, in the part that only the server can make. */
function forged(token: string): string {
  return token.slice(0, -1) + (token.endsWith("A") ? "B" : "A");
}
