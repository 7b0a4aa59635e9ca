import { randomUUID } from "node:crypto";
import express, { type ErrorRequestHandler } from "express";
import session from "express-session";
import { decodeJwt } from "jose";
import { Passport } from "passport";
import OAuth2Strategy from "passport-oauth2";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Tokens } from "../support/server.ts";
import { Browser } from "./live/browser.ts";
import { listen } from "./live/listen.ts";
import { ISSUER, makeClient } from "./live/server.ts";

/** Tests the server with passport-oauth2 in an Express app, in which a browser signs in. */

interface User {
  sub: string;
  tokens: Tokens;
}

/** Adds what the library leaves to its user: a profile, here the subject in the access token. */
class Strategy extends OAuth2Strategy {
  override userProfile(
    accessToken: string,
    done: (error: unknown, profile?: unknown) => void,
  ): void {
    done(null, decodeJwt(accessToken));
  }

  /** Refreshes as passport-oauth2-refresh does. Rejects with the status and the body of a refusal. */
  refresh(
    refreshToken: string,
  ): Promise<Pick<Tokens, "access_token" | "refresh_token">> {
    const { _oauth2: oauth2 } = this;
    return new Promise((resolve, reject) => {
      oauth2.getOAuthAccessToken(
        refreshToken,
        { grant_type: "refresh_token" },
        (error, access_token = "", refresh_token = "") => {
          if (error) reject(error);
          else resolve({ access_token, refresh_token });
        },
      );
    });
  }
}

/** Starts an app whose /login signs in, and whose home page shows the user. */
async function startApp(
  options: Partial<OAuth2Strategy.StrategyOptions>,
  metadata: Record<string, unknown> = {},
) {
  const app = express();
  const site = await listen(app);
  onTestFinished(() => site.stop());
  const callbackURL = `${site.url}/callback`;
  const client = await makeClient({
    redirect_uris: [callbackURL],
    ...metadata,
  });

  const strategy = new Strategy(
    {
      authorizationURL: `${ISSUER}/authorize`,
      tokenURL: `${ISSUER}/access_token`,
      clientID: client.client_id,
      clientSecret: client.client_secret ?? "",
      callbackURL,
      scope: ["read", "write"],
      ...options,
    },
    (
      access_token: string,
      refresh_token: string,
      results: Tokens,
      { sub }: { sub: string },
      done: OAuth2Strategy.VerifyCallback,
    ) => {
      const tokens = { ...results, access_token, refresh_token };
      done(null, { sub, tokens } satisfies User);
    },
  );
  const passport = new Passport();
  passport.use(strategy);
  passport.serializeUser((user, done) => done(null, user));
  passport.deserializeUser((user: User, done) => done(null, user));

  const secret = randomUUID();
  app.use(session({ secret, resave: false, saveUninitialized: false }));
  app.use(passport.session());
  app.get("/login", passport.authenticate("oauth2"));
  app.get("/callback", passport.authenticate("oauth2"), (_, response) =>
    response.redirect("/"),
  );
  app.get("/", (request, response) => {
    response.json(request.user);
  });
  app.use(((error: OAuth2Strategy.TokenError, _, response, __) => {
    const { name, code, message } = error;
    response.status(500).json({ name, code, message });
  }) satisfies ErrorRequestHandler);
  return { client, strategy, url: site.url };
}

const variants: [
  string,
  Partial<OAuth2Strategy.StrategyOptions>,
  Record<string, unknown>,
][] = [
  ["with state and PKCE", { state: true, pkce: true }, {}],
  [
    "as a public client with state and PKCE",
    { state: true, pkce: true },
    { token_endpoint_auth_method: "none" },
  ],
  [
    "with state and without PKCE, which the operator waived",
    { state: true, pkce: false },
    { require_pkce: false },
  ],
  [
    "without state and PKCE, which the operator waived",
    { state: false, pkce: false },
    { require_pkce: false },
  ],
];

describe("passport-oauth2", () => {
  it.each(variants)(
    "signs a user in %s, and refreshes",
    async (_, options, metadata) => {
      const { client, strategy, url } = await startApp(options, metadata);
      const browser = new Browser();
      const home = await browser.signIn(`${url}/login`, { subject: "bob" });
      expect(home).toMatchObject({ url: `${url}/`, status: 200 });
      const { sub, tokens } = JSON.parse(home.text) as User;
      expect([sub, tokens.scope]).toEqual(["bob", "read write"]);
      // The session of the app goes on without the server.
      const again = await browser.open(url);
      expect(JSON.parse(again.text)).toMatchObject({ sub: "bob" });

      const next = await strategy.refresh(tokens.refresh_token);
      expect(decodeJwt(next.access_token)).toMatchObject({
        sub: "bob",
        client_id: client.client_id,
      });
      expect(next.refresh_token).not.toBe(tokens.refresh_token);
      const used = strategy.refresh(tokens.refresh_token);
      await expect(used).rejects.toMatchObject({
        statusCode: 400,
        data: expect.stringContaining('"invalid_grant"'),
      });
    },
  );

  it("signs a user in if neither the request nor the exchange has a redirect_uri", async () => {
    // A relative URL of an app is completed by the library, so only undefined leaves it out.
    const { url } = await startApp({
      state: true,
      pkce: true,
      callbackURL: undefined,
    });
    const home = await new Browser().signIn(`${url}/login`);
    expect(JSON.parse(home.text)).toMatchObject({ sub: "alice" });
  });

  it("does not sign in a user who denies the request", async () => {
    const { url } = await startApp({ state: true, pkce: true });
    const page = await new Browser().signIn(`${url}/login`, { answer: "deny" });
    expect(page).toMatchObject({ status: 401, text: "Unauthorized" });
  });

  it("reports a request without PKCE, which the operator did not waive, as invalid_request", async () => {
    const { url } = await startApp({ state: true, pkce: false });
    const page = await new Browser().open(`${url}/login`);
    expect([page.status, JSON.parse(page.text)]).toEqual([
      500,
      {
        name: "AuthorizationError",
        code: "invalid_request",
        message: expect.stringContaining("code_challenge"),
      },
    ]);
  });

  it("reports a wrong secret as invalid_client", async () => {
    const clientSecret = (await makeClient()).client_secret;
    const { url } = await startApp({ state: true, pkce: true, clientSecret });
    const page = await new Browser().signIn(`${url}/login`);
    expect([page.status, JSON.parse(page.text)]).toMatchObject([
      500,
      { name: "TokenError", code: "invalid_client" },
    ]);
  });

  it("reports a code that was exchanged as invalid_grant", async () => {
    const { url } = await startApp(
      { state: false, pkce: false },
      { require_pkce: false },
    );
    const browser = new Browser();
    const callback = await browser.signIn(`${url}/login`, { stopAt: url });
    await browser.open(callback.url);
    const page = await browser.open(callback.url);
    expect([page.status, JSON.parse(page.text)]).toMatchObject([
      500,
      { name: "TokenError", code: "invalid_grant" },
    ]);
  });

  it("refuses a redirect with the state of another browser before it sends the code", async () => {
    const { url } = await startApp({ state: true, pkce: true });
    const stopAt = url;
    const mine = await new Browser().signIn(`${url}/login`, { stopAt });
    const browser = new Browser();
    await browser.open(`${url}/login`);
    expect(await browser.open(mine.url)).toMatchObject({ status: 403 });
  });
});
