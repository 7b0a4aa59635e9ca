import { randomUUID } from "node:crypto";
import express, { type RequestHandler } from "express";
import { decodeJwt } from "jose";
import { describe, expect, it, onTestFinished } from "vitest";
import { Browser } from "./live/browser.ts";
import { listen } from "./live/listen.ts";
import { ISSUER, makeClient, refreshError } from "./live/server.ts";

/** Tests the server with Auth.js as a provider of the type oauth, in an Express app in which a browser signs in. */

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
  access_token?: string;
  refresh_token?: string;
}

/** Starts an app with Auth.js alone, whose page `session` is shown after the sign-in. */
async function startApp(
  change: Record<string, unknown> = {},
  metadata: Record<string, unknown> = {},
  scope = "read write",
) {
  const app = express();
  const site = await listen(app);
  onTestFinished(() => site.stop());
  const client = await makeClient({
    redirect_uris: [`${site.url}/auth/callback/baton`],
    ...metadata,
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
        type: "oauth",
        issuer: ISSUER,
        authorization: { url: `${ISSUER}/authorize`, params: { scope } },
        token: `${ISSUER}/access_token`,
        userinfo: {
          request: ({ tokens }: { tokens: { access_token: string } }) =>
            decodeJwt(tokens.access_token),
        },
        profile: ({ sub }: { sub: string }) => ({ id: sub, name: sub }),
        checks: ["pkce", "state"],
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
  /** Sends the form of the sign-in page of Auth.js. */
  const open = async () => {
    const page = await browser.open(`${site.url}/auth/csrf`);
    const { csrfToken } = JSON.parse(page.text) as { csrfToken: string };
    const form = [
      ["csrfToken", csrfToken],
      ["callbackUrl", session],
    ];
    return browser.open(`${site.url}/auth/signin/baton`, { form });
  };
  const signIn = async (answer = "allow") =>
    browser.signIn((await open()).url, { answer });
  return {
    url: site.url,
    /** The session that Auth.js tells the pages of the app. */
    session: async () => (await browser.open(session)).text,
    client,
    open,
    signIn,
    errors,
    account: () => account,
  };
}

const post = { token_endpoint_auth_method: "client_secret_post" };
const none = { token_endpoint_auth_method: "none" };
const variants: [
  string,
  Record<string, unknown>,
  Record<string, unknown>,
  scope?: string,
][] = [
  ["with its checks pkce and state", {}, {}],
  ["with client_secret_post", { client: post }, post],
  ["as a public client", { client: none }, none],
  [
    "at the authorization endpoint that it discovers",
    { authorization: { params: { scope: "read write" } } },
    {},
  ],
  [
    "with its check state alone, because the operator waived PKCE",
    { checks: ["state"] },
    { require_pkce: false },
  ],
  [
    "with the scopes of its examples, of which there is none, beside those of the client",
    {},
    {},
    "openid profile email read write",
  ],
];

describe("Auth.js", () => {
  it.each(variants)(
    "signs a user in %s",
    async (_, change, metadata, scope) => {
      const { client, signIn, session, account, errors } = await startApp(
        change,
        metadata,
        scope,
      );
      await signIn();
      expect(JSON.parse(await session())).toMatchObject({
        user: { name: "alice" },
      });
      const { refresh_token = "", ...rest } = account() ?? {};
      expect(rest).toMatchObject({
        scope: "read write",
        providerAccountId: "alice",
      });
      expect(await refreshError(client, refresh_token)).toBeUndefined();
      expect(errors).toEqual([]);
    },
  );

  it("shows its own page to a user who denies the request", async () => {
    const { url, session, signIn, errors } = await startApp();
    const page = await signIn("deny");
    expect(page.url).toBe(`${url}/auth/signin?error=OAuthCallbackError`);
    expect(errors).toMatchObject([{ name: "OAuthCallbackError" }]);
    expect(await session()).toBe("null");
  });

  it.each<[string, Record<string, unknown>, object]>([
    [
      "its secret is wrong",
      { clientSecret: "wrong" },
      { status: 401, code: "OAUTH_WWW_AUTHENTICATE_CHALLENGE" },
    ],
    [
      "its secret is wrong, in the body",
      { clientSecret: "wrong", client: post },
      { status: 401, error: "invalid_client" },
    ],
    [
      "it expects another issuer (RFC 9207)",
      { issuer: "https://other.example.com" },
      { message: expect.stringContaining('unexpected "iss"') },
    ],
  ])("does not sign a user in if %s", async (_, change, err) => {
    const { url, session, signIn, errors } = await startApp(change);
    const page = await signIn();
    expect(page.url).toBe(`${url}/auth/error?error=Configuration`);
    expect(errors).toMatchObject([
      { name: "CallbackRouteError", cause: { err } },
    ]);
    expect(await session()).toBe("null");
  });

  it("does not sign a user in without PKCE if the operator did not waive it", async () => {
    const { url, open, errors } = await startApp({ checks: ["state"] });
    const page = await open();
    expect(page.url).toBe(`${url}/auth/signin?error=OAuthCallbackError`);
    expect(errors).toMatchObject([{ name: "OAuthCallbackError" }]);
  });
});
