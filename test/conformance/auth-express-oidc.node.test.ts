import { randomUUID } from "node:crypto";
import express, { type RequestHandler } from "express";
import { describe, expect, it, onTestFinished } from "vitest";
import { Browser } from "./live/browser.ts";
import { listen } from "./live/listen.ts";
import { decide, ISSUER, makeClient, refreshError } from "./live/server.ts";
import { alice } from "./person.ts";

/**
 * Tests the server with Auth.js as a provider of the type oidc, of which it knows the issuer alone. The test is the
 * login: it says who alice is.
 */

/** The part of Auth.js that the test uses. */
interface AuthJs {
  ExpressAuth: (config: object) => RequestHandler;
}

// A name, because the types of Auth.js add those of the DOM to the whole program, where they contradict those
// of Workers.
const packageName: string = "@auth/express";
const { ExpressAuth } = (await import(packageName)) as AuthJs;

interface Account {
  scope?: string;
  id_token?: string;
  refresh_token?: string;
}

/** Starts an app with Auth.js alone, whose page `session` is shown after the sign-in. */
async function startApp(change: Record<string, unknown> = {}) {
  const app = express();
  const site = await listen(app);
  onTestFinished(() => site.stop());
  const client = await makeClient({
    scope: "openid profile email read write",
    redirect_uris: [`${site.url}/auth/callback/baton`],
  });
  const errors: Error[] = [];
  let account: Account | undefined;
  const config = {
    secret: randomUUID(),
    trustHost: true,
    logger: { error: (error: Error) => errors.push(error) },
    providers: [
      {
        id: "baton",
        name: "Baton",
        type: "oidc",
        issuer: ISSUER,
        checks: ["pkce", "state", "nonce"],
        clientId: client.client_id,
        clientSecret: client.client_secret,
        ...change,
      },
    ],
    callbacks: {
      signIn: (login: { account: Account }) => {
        ({ account } = login);
        return true;
      },
    },
  };
  app.use("/auth", ExpressAuth(config));

  const browser = new Browser();
  const session = `${site.url}/auth/session`;
  /** Sends the form of the sign-in page of Auth.js. @returns the authorization request, which is not sent yet */
  const start = async () => {
    const page = await browser.open(`${site.url}/auth/csrf`);
    const { csrfToken } = JSON.parse(page.text) as { csrfToken: string };
    const form = [
      ["csrfToken", csrfToken],
      ["callbackUrl", session],
    ];
    const stopAt = ISSUER;
    return browser.open(`${site.url}/auth/signin/baton`, { form, stopAt });
  };
  return {
    url: site.url,
    /** The session that Auth.js tells the pages of the app. */
    session: async () =>
      JSON.parse((await browser.open(session)).text) as object | null,
    client,
    /** Signs alice in. @param change alters the authorization request */
    signIn: async (change: (query: URLSearchParams) => void = () => {}) => {
      const url = new URL((await start()).url);
      change(url.searchParams);
      return browser.signInBy(url.href, (request) => decide(request, alice()));
    },
    errors,
    account: () => account,
  };
}

describe("Auth.js with OpenID Connect", () => {
  it("signs a person in with the issuer alone, and has name and e-mail from the ID token", async () => {
    const { client, signIn, session, account, errors } = await startApp();
    await signIn();
    expect(errors).toEqual([]);
    expect(await session()).toMatchObject({
      user: { name: "Alice Liddell", email: "alice@example.com" },
    });
    const { refresh_token = "", ...rest } = account() ?? {};
    expect(rest).toMatchObject({
      scope: "openid profile email",
      providerAccountId: "alice",
      id_token: expect.any(String),
    });
    expect(await refreshError(client, refresh_token)).toBeUndefined();
  });

  it("takes the profile from the user info endpoint, if the app does not want that of the ID token", async () => {
    const { signIn, session, errors } = await startApp({ idToken: false });
    await signIn();
    expect(errors).toEqual([]);
    expect(await session()).toMatchObject({
      user: {
        name: "Alice Liddell",
        email: "alice@example.com",
        image: "https://login.example.com/alice.png",
      },
    });
  });

  it("gets the scopes of the API as well, if the app asks for them", async () => {
    const scope = "openid profile email read";
    const { signIn, account } = await startApp({
      authorization: { params: { scope } },
    });
    await signIn();
    expect(account()).toMatchObject({ scope });
  });

  it.each<[string, (query: URLSearchParams) => void, RegExp]>([
    ["another nonce", (query) => query.set("nonce", "another"), /"nonce"/],
    ["no nonce", (query) => query.delete("nonce"), /"nonce"/],
    ["another state", (query) => query.set("state", "another"), /"state"/],
  ])(
    "does not sign a person in if the request came to the server with %s",
    async (_, change, message) => {
      const { url, session, signIn, errors } = await startApp();
      const page = await signIn(change);
      expect(page.url).toBe(`${url}/auth/error?error=Configuration`);
      expect(errors).toMatchObject([
        {
          name: "CallbackRouteError",
          cause: { err: { message: expect.stringMatching(message) } },
        },
      ]);
      expect(await session()).toBeNull();
    },
  );
});
