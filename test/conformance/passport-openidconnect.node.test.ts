import { randomUUID } from "node:crypto";
import express, { type ErrorRequestHandler } from "express";
import session from "express-session";
import { decodeJwt } from "jose";
import { Passport, type Profile } from "passport";
import OpenIDConnectStrategy, {
  type StrategyOptions,
  type VerifyCallback,
  type VerifyFunction,
} from "passport-openidconnect";
import { describe, expect, it, onTestFinished } from "vitest";
import { Browser } from "./live/browser.ts";
import { listen } from "./live/listen.ts";
import { decide, ISSUER, makeClient, refreshError } from "./live/server.ts";
import { alice } from "./person.ts";

/**
 * Tests the server with passport-openidconnect in an Express app. The library does no PKCE, which the operator waived.
 * It compares the issuer, the audience, the expiry, the nonce and the time of the sign-in. It verifies neither the
 * signature nor at_hash. The test is the login: it says who alice is.
 */

interface User {
  profile: Profile;
  context: { timestamp?: string; class?: string; methods?: string[] };
  idToken: string;
  refreshToken: string;
}

/** Has the profile of the ID token. */
function keepIdProfile(
  _issuer: string,
  profile: Profile,
  context: object,
  idToken: string | object,
  _accessToken: string | object,
  refreshToken: string,
  done: VerifyCallback,
): void {
  done(null, { profile, context, idToken, refreshToken });
}

/** Has the profile of the user info endpoint, which the library asks only for a function of nine parameters. */
function keepUserInfo(
  _issuer: string,
  uiProfile: object,
  _idProfile: object,
  context: object,
  idToken: string | object,
  _accessToken: string | object,
  refreshToken: string,
  _params: unknown,
  done: VerifyCallback,
): void {
  done(null, { profile: uiProfile, context, idToken, refreshToken });
}

/** Starts an app whose /login signs in, and whose home page shows the user. */
async function startApp(
  options: Partial<StrategyOptions> = {},
  verify: VerifyFunction = keepIdProfile,
) {
  const app = express();
  const site = await listen(app);
  onTestFinished(() => site.stop());
  const callbackURL = `${site.url}/callback`;
  const client = await makeClient({
    scope: "openid profile email read write",
    redirect_uris: [callbackURL],
    require_pkce: false,
  });
  const strategy = new OpenIDConnectStrategy(
    {
      issuer: ISSUER,
      authorizationURL: `${ISSUER}/authorize`,
      tokenURL: `${ISSUER}/access_token`,
      userInfoURL: `${ISSUER}/userinfo`,
      clientID: client.client_id,
      clientSecret: client.client_secret,
      callbackURL,
      scope: ["profile", "email"],
      nonce: "on",
      maxAge: "300",
      ...options,
    },
    verify,
  );
  const passport = new Passport();
  passport.use(strategy);
  passport.serializeUser((user, done) => done(null, user));
  passport.deserializeUser((user: User, done) => done(null, user));

  const secret = randomUUID();
  app.use(session({ secret, resave: false, saveUninitialized: false }));
  app.use(passport.session());
  app.get("/login", passport.authenticate("openidconnect"));
  app.get(
    "/callback",
    passport.authenticate("openidconnect", { failWithError: true }),
    (_, response) => response.redirect("/"),
  );
  app.get("/", (request, response) => {
    response.json(request.user);
  });
  app.use(((error: Error & { status?: number }, _, response, __) => {
    response.status(error.status ?? 500).json({ message: error.message });
  }) satisfies ErrorRequestHandler);

  const browser = new Browser();
  return {
    client,
    /** Signs alice in. @param change alters the authorization request @param decision what the login says */
    signIn: async (
      change: (query: URLSearchParams) => void = () => {},
      decision: Record<string, unknown> = alice(),
    ) => {
      const start = `${site.url}/login`;
      const url = new URL((await browser.open(start, { stopAt: ISSUER })).url);
      change(url.searchParams);
      return browser.signInBy(url.href, (request) => decide(request, decision));
    },
  };
}

describe("passport-openidconnect", () => {
  it("signs a person in, and has the profile of the ID token", async () => {
    const { client, signIn } = await startApp();
    const person = alice();
    const home = await signIn(undefined, person);
    const user = JSON.parse(home.text) as User;
    expect(user).toMatchObject({
      profile: {
        id: "alice",
        displayName: "Alice Liddell",
        emails: [{ value: "alice@example.com" }],
      },
      context: {
        timestamp: new Date(person.auth_time * 1000).toISOString(),
        class: "urn:example:two-factors",
        methods: ["pwd", "otp"],
      },
    });
    expect(decodeJwt(user.idToken)["nonce"]).toMatch(/^\S{20}$/);
    expect(await refreshError(client, user.refreshToken)).toBeUndefined();
  });

  it("has the profile of the user info endpoint, if the app wants that", async () => {
    const { signIn } = await startApp({}, keepUserInfo);
    const home = await signIn();
    expect(JSON.parse(home.text)).toMatchObject({
      profile: {
        id: "alice",
        displayName: "Alice Liddell",
        _json: { picture: "https://login.example.com/alice.png" },
      },
    });
  });

  it.each<[string, (query: URLSearchParams) => void]>([
    ["another nonce", (query) => query.set("nonce", "another")],
    ["no nonce", (query) => query.delete("nonce")],
  ])(
    "does not sign a person in if the request came to the server with %s",
    async (_, change) => {
      const { signIn } = await startApp();
      expect(await signIn(change)).toMatchObject({ status: 403 });
    },
  );

  it("does not sign a person in whose sign-in is older than the app allows", async () => {
    const { signIn } = await startApp();
    const longAgo = { ...alice(), auth_time: alice().auth_time - 3600 };
    const withoutMaxAge = (query: URLSearchParams) => query.delete("max_age");
    expect(await signIn(withoutMaxAge, longAgo)).toMatchObject({ status: 403 });
  });

  it("does not take an ID token of another issuer", async () => {
    const { signIn } = await startApp({ issuer: "https://other.example.com" });
    expect(await signIn()).toMatchObject({ status: 403 });
  });

  it("does not sign in a person who denies the request", async () => {
    const { signIn } = await startApp();
    const denied = { error: "access_denied" };
    expect(await signIn(undefined, denied)).toMatchObject({ status: 401 });
  });
});
