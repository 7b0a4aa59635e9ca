import { beforeAll, describe, expect, it } from "vitest";
import {
  expectTokens,
  redeem,
  REDIRECT_URI,
  requestAtLogin,
} from "../support/authorization.ts";
import {
  logoutAtLogin,
  makeOpenIdClient,
  SIGNED_OUT,
} from "../support/logout.ts";
import type { OpenIdTokens } from "../support/openid.ts";
import { server, type TestClient } from "../support/server.ts";
import { newVisitor } from "./isolated.ts";
import type { Visitor, VisitedPage } from "./visitor.ts";

/** Tests that the example login signs people out, when an app asks and when they want it themselves. */

let notes: TestClient;
let diary: TestClient;

beforeAll(async () => {
  const redirect_uris = [REDIRECT_URI];
  notes = await makeOpenIdClient({ redirect_uris, client_name: "Notes" });
  diary = await makeOpenIdClient({ redirect_uris, client_name: "Diary" });
});

/** Signs in to an app, and gets its tokens. */
async function signIn(
  visitor: Visitor,
  client: TestClient,
  ...person: [username: string, password: string] | []
): Promise<OpenIdTokens> {
  let page = await visitor.begin(await requestAtLogin(client));
  if (page.forms.has("/sign-in")) page = await visitor.signIn(page, ...person);
  if (page.forms.has("/consent"))
    page = await visitor.send(page, "/consent", { answer: "allow" });
  const code = page.location?.searchParams.get("code") ?? "";
  return (await expectTokens(await redeem(client, code))) as OpenIdTokens;
}

/** Makes a visitor who has signed in to two apps. */
async function visitorOfBoth() {
  const visitor = newVisitor();
  const tokens = await signIn(visitor, notes);
  const others = await signIn(visitor, diary);
  return { visitor, tokens, others };
}

/** Comes to the login as an app sends the browser there. */
async function arrive(visitor: Visitor, query: Record<string, string>) {
  const request = await logoutAtLogin(query);
  return visitor.open(
    `/sign-out?${new URLSearchParams({ request }).toString()}`,
  );
}

const back = (more = {}) => ({
  client_id: notes.client_id,
  post_logout_redirect_uri: SIGNED_OUT,
  state: "xyz",
  ...more,
});

function expectBack({ status, location }: VisitedPage): void {
  expect(status).toBe(303);
  expect(location?.href).toBe(`${SIGNED_OUT}?state=xyz`);
}

const isSignedIn = async (visitor: Visitor) =>
  (await visitor.open("/account")).title?.startsWith("Signed in as");

const isAlive = async (client: TestClient, { refresh_token }: OpenIdTokens) =>
  (await server.refresh(client, refresh_token)).ok;

describe("an app that signs a person out", () => {
  it("ends the session and the logins of all its apps at once, if it has an ID token of this session", async () => {
    const { visitor, tokens, others } = await visitorOfBoth();
    const id_token_hint = tokens.id_token;
    expectBack(await arrive(visitor, back({ id_token_hint })));
    expect(visitor.cookie).toMatch(/=$/);
    expect(await isSignedIn(visitor)).toBe(false);
    expect(await isAlive(notes, tokens)).toBe(false);
    expect(await isAlive(diary, others)).toBe(false);
  });

  it("does so without a page to go back to: the person reads that they are signed out", async () => {
    const { visitor, tokens } = await visitorOfBoth();
    const page = await arrive(visitor, { id_token_hint: tokens.id_token });
    expect([page.status, page.title]).toEqual([200, "You are signed out"]);
    expect(await isSignedIn(visitor)).toBe(false);
  });

  it("leads to a question if it has no ID token, because any site can send the browser there", async () => {
    const { visitor, tokens, others } = await visitorOfBoth();
    const page = await arrive(visitor, back());
    expect([page.status, page.title]).toEqual([200, "Sign out of all apps?"]);
    expect(page.html).toContain("Notes asks to sign you out.");
    expect(page.html).toContain("alice@example.com");
    expect(await isSignedIn(visitor)).toBe(true);
    expectBack(await visitor.send(page, "/sign-out"));
    expect(await isSignedIn(visitor)).toBe(false);
    expect(await isAlive(notes, tokens)).toBe(false);
    expect(await isAlive(diary, others)).toBe(false);
  });

  it("gets the person back if they stay: their session and all other logins go on", async () => {
    const { visitor, tokens, others } = await visitorOfBoth();
    const page = await arrive(visitor, back());
    expect(page.html).toContain("you go back to app.example.com");
    expect(page.html).not.toContain("has ended already");
    expectBack(await visitor.send(page, "/sign-out", { answer: "stay" }));
    expect(await isSignedIn(visitor)).toBe(true);
    expect(await isAlive(notes, tokens)).toBe(true);
    expect(await isAlive(diary, others)).toBe(true);
  });

  it("gets the person back if they stay, also with an ID token of an older session, which says that its own login has ended", async () => {
    const { visitor, tokens, others } = await visitorOfBoth();
    await visitor.send(await visitor.open("/account"), "/switch");
    const newer = await signIn(visitor, diary);
    const page = await arrive(
      visitor,
      back({ id_token_hint: tokens.id_token }),
    );
    expect(page.html).toContain("has ended already");
    expectBack(await visitor.send(page, "/sign-out", { answer: "stay" }));
    expect(await isSignedIn(visitor)).toBe(true);
    expect(await isAlive(notes, tokens)).toBe(false);
    expect(await isAlive(diary, others)).toBe(true);
    expect(await isAlive(diary, newer)).toBe(true);
  });

  it("shows a page to a person who stays and has no app to go back to", async () => {
    const { visitor, tokens } = await visitorOfBoth();
    const page = await arrive(visitor, {});
    const stays = await visitor.send(page, "/sign-out", { answer: "stay" });
    const { status, title } = stays;
    expect([status, title]).toEqual([200, "You are still signed in"]);
    expect(await isSignedIn(visitor)).toBe(true);
    expect(await isAlive(notes, tokens)).toBe(true);
  });

  it("does nothing if another site sends the form", async () => {
    const { visitor, tokens, others } = await visitorOfBoth();
    const page = await arrive(visitor, {});
    expect(page.html).toContain("An app asks to sign you out.");
    const forged = await visitor.send(page, "/sign-out", { csrf: "x" });
    expect([forged.status, forged.location]).toEqual([403, undefined]);
    expect(forged.html).toContain('href="/sign-out?request=');
    expect(await isSignedIn(visitor)).toBe(true);
    expect(await isAlive(notes, tokens)).toBe(true);
    expect(await isAlive(diary, others)).toBe(true);
  });

  it("leads to a question if its ID token is of somebody else or of an older session", async () => {
    const { visitor, tokens } = await visitorOfBoth();
    await visitor.send(await visitor.open("/account"), "/switch");
    const alice = await signIn(visitor, diary);
    const hint = back({ id_token_hint: tokens.id_token });
    const older = await arrive(visitor, hint);
    expect(older.title).toBe("Sign out of all apps?");
    await visitor.send(await visitor.open("/account"), "/switch");
    const bob = await signIn(visitor, diary, "bob", "can-we-fix-it");
    const page = await arrive(visitor, hint);
    expect(page.title).toBe("Sign out of all apps?");
    expect(page.html).toContain("bob@example.com");
    // The login of the ID token itself has ended at Baton.
    expect(await isAlive(notes, tokens)).toBe(false);
    expectBack(await visitor.send(page, "/sign-out"));
    expect(await isAlive(diary, bob)).toBe(false);
    expect(await isAlive(diary, alice)).toBe(true);
  });

  it("sends a person back who is not signed in, without a question", async () => {
    expectBack(await arrive(newVisitor(), back()));
    const nobody = newVisitor();
    const page = await arrive(nobody, {});
    expect(page.title).toBe("You are signed out");
  });

  it("shows an error page for a request that Baton did not make, and the session goes on", async () => {
    const { visitor } = await visitorOfBoth();
    const asks = await arrive(visitor, back());
    const altered = { request: "x" };
    for (const page of [
      await visitor.open("/sign-out"),
      await visitor.open("/sign-out?request=x"),
      await visitor.send(asks, "/sign-out", altered),
    ]) {
      const { status, title } = page;
      expect([status, title]).toEqual([400, "This sign-out cannot go on"]);
    }
    expect(await isSignedIn(visitor)).toBe(true);
  });
});

describe("a person who signs out by themselves", () => {
  it("is signed out of the login, and told that apps go on", async () => {
    const { visitor, tokens } = await visitorOfBoth();
    const account = await visitor.open("/account");
    const page = await visitor.send(account, "/account/sign-out");
    expect(page.title).toBe("You are signed out");
    expect(page.html).toContain("may still be signed in");
    expect(await isSignedIn(visitor)).toBe(false);
    expect(await isAlive(notes, tokens)).toBe(true);
    const again = await visitor.begin(await requestAtLogin(notes));
    expect(again.title).toBe("Sign in to Notes");
  });
});
