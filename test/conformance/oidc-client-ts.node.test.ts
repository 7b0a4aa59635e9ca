import { decodeJwt } from "jose";
import {
  type Browser,
  type BrowserContext,
  chromium,
  type Page,
  type Route,
} from "playwright-core";
import {
  afterAll,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  onTestFinished,
} from "vitest";
import { chromiumPath } from "../browser/browser.ts";
import {
  errorOf,
  exampleFor,
  failure,
  inApp,
  refreshed,
  reportedError,
  type User,
  user,
} from "./live/notes-app.ts";
import { ISSUER, makeClient, refreshError } from "./live/server.ts";
import { startSinglePageApp } from "./live/single-page-app.ts";

/**
 * Tests the server with oidc-client-ts in a real browser, as a public client of another origin. The app is the
 * example in docs/clients.md. Its client does not have the scope openid, so that all is as with OAuth 2.0 alone.
 */

let browser: Browser;
let apps: Awaited<ReturnType<typeof startSinglePageApp>>[];
/** The app, with a client that has a retry window. */
let appUrl: string;
/** The app with a strict client. */
let strictAppUrl: string;
/** The app with a strict client and a key. */
let keyAppUrl: string;
let clientId: string;

describe("oidc-client-ts in a browser", () => {
  beforeEach(({ skip }) => {
    skip(
      chromiumPath === undefined,
      "No Chromium was found: install one, or set CHROMIUM_PATH.",
    );
  });

  beforeAll(async () => {
    if (chromiumPath === undefined) return;
    const metadata = {
      token_endpoint_auth_method: "none",
      // Only the port of a loopback address may differ, and it is not known yet.
      redirect_uris: ["http://127.0.0.1/callback"],
    };
    const [client, strictClient] = await Promise.all([
      makeClient({ ...metadata, refresh_token_retry_window: "PT30S" }),
      makeClient(metadata),
    ]);
    clientId = client.client_id;
    [browser, ...apps] = await Promise.all([
      chromium.launch({
        executablePath: chromiumPath,
        args: ["--no-sandbox"],
      }),
      startSinglePageApp(exampleFor(client)),
      startSinglePageApp(exampleFor(strictClient)),
      startSinglePageApp(withKey(exampleFor(strictClient))),
    ]);
    [appUrl = "", strictAppUrl = "", keyAppUrl = ""] = apps.map(
      ({ url }) => url,
    );
  });

  afterAll(() =>
    Promise.all([browser?.close(), ...(apps ?? []).map((app) => app.stop())]),
  );

  async function newContext(): Promise<BrowserContext> {
    const context = await browser.newContext();
    onTestFinished(() => context.close());
    return context;
  }

  async function openApp(context: BrowserContext, url = appUrl) {
    const page = await context.newPage();
    await page.goto(url);
    return page;
  }

  /** Starts a sign-in by redirect. @param scope asks for other scopes than the app's */
  async function startSignIn(page: Page, scope = ""): Promise<void> {
    await page.getByLabel("Scopes").fill(scope);
    await page.getByRole("button", { name: "Sign in" }).click();
  }

  /** Signs alice in. Returns when the app has its tokens, or throws what the app reports. */
  async function signIn(page: Page, scope?: string): Promise<User> {
    const signedIn = async () => {
      await startSignIn(page, scope);
      await page.getByLabel("User name (sub)").fill("alice");
      await page.getByRole("button", { name: "Allow" }).click();
      await page.waitForURL((url) => url.pathname === "/");
      return user(page);
    };
    return Promise.race([signedIn(), failure(page)]);
  }

  describe("a sign-in by redirect", () => {
    it("gets tokens with PKCE, from the metadata at /.well-known/openid-configuration", async () => {
      const page = await openApp(await newContext());
      const complaints: string[] = [];
      page.on("console", (message) => complaints.push(message.text()));
      const sent: string[] = [];
      page.on("request", (request) => sent.push(request.url()));
      const { access_token, refresh_token, scope } = await signIn(page);
      expect(decodeJwt(access_token)).toMatchObject({
        iss: ISSUER,
        sub: "alice",
        client_id: clientId,
      });
      expect(refresh_token).toMatch(/^baton_rt_/);
      expect(scope).toBe("read write");
      expect(sent).toContain(`${ISSUER}/.well-known/openid-configuration`);
      const asked = sent.find((url) => url.startsWith(`${ISSUER}/authorize?`));
      expect(asked).toContain("code_challenge_method=S256");
      expect(complaints).toEqual([]);
    });

    it("that also asks for openid, profile and offline_access gets the client's scopes, and no ID token is missed", async () => {
      const page = await openApp(await newContext());
      const { scope } = await signIn(
        page,
        "openid profile offline_access read",
      );
      expect(scope).toBe("read");
      expect(await refreshed(page)).toMatchObject({ scope: "read" });
    });

    it("that asks for openid alone is refused by redirect", async () => {
      const page = await openApp(await newContext());
      const reported = reportedError(page);
      await startSignIn(page, "openid");
      expect(await reported).toBe("invalid_scope");
    });

    it("that the person denies tells the app access_denied, and the app can start another one", async () => {
      const page = await openApp(await newContext());
      const reported = reportedError(page);
      await startSignIn(page);
      await page.getByRole("button", { name: "Deny" }).click();
      expect(await reported).toBe("access_denied");
      await page.waitForURL(`${appUrl}/`);
      expect(await inApp(page, "users.getUser()")).toBeNull();
      expect(await signIn(page)).toMatchObject({ scope: "read write" });
    });
  });

  describe("two tabs that refresh at once", () => {
    it("both get the same successor if the client has a retry window, and the login lives", async () => {
      const context = await newContext();
      const first = await openApp(context);
      const before = await signIn(first);
      const second = await openApp(context);
      const met = await meetAtTheTokenEndpoint(context, 2);
      const [one, other] = await Promise.all([
        refreshed(first),
        refreshed(second),
      ]);
      expect(met.tokens).toEqual([before.refresh_token, before.refresh_token]);
      expect(one.refresh_token).not.toBe(before.refresh_token);
      expect(other.refresh_token).toBe(one.refresh_token);
      expect(other.access_token).not.toBe(one.access_token);

      await met.end();
      const next = await refreshed(second);
      expect(next.refresh_token).not.toBe(one.refresh_token);
      expect(await refreshed(first)).toMatchObject({ scope: "read write" });
    });

    it("end the login if the client is strict: one gets tokens, and the other invalid_grant", async () => {
      const context = await newContext();
      const first = await openApp(context, strictAppUrl);
      await signIn(first);
      const second = await openApp(context, strictAppUrl);
      const met = await meetAtTheTokenEndpoint(context, 2);
      const errors = await Promise.all(
        [first, second].map((page) => errorOf(page, "users.signinSilent()")),
      );
      expect(errors.toSorted()).toEqual(["invalid_grant", "none"]);
      await met.end();
      expect(await errorOf(first, "users.signinSilent()")).toBe(
        "invalid_grant",
      );
    });
  });

  describe("a login with a key (DPoP)", () => {
    it("is bound to it from the authorization request on, and two tabs that refresh at once stay in it", async () => {
      const context = await newContext();
      const first = await openApp(context, keyAppUrl);
      const asked = first.waitForRequest((request) =>
        request.url().startsWith(`${ISSUER}/authorize?`),
      );
      const { access_token } = await signIn(first);
      const { searchParams } = new URL((await asked).url());
      const jkt = searchParams.get("dpop_jkt");
      expect(jkt).toMatch(/^[\w-]{43}$/);
      expect(decodeJwt(access_token)).toMatchObject({ cnf: { jkt } });

      const second = await openApp(context, keyAppUrl);
      const met = await meetAtTheTokenEndpoint(context, 2);
      const [one, other] = await Promise.all([
        refreshed(first),
        refreshed(second),
      ]);
      expect(other.refresh_token).toBe(one.refresh_token);
      await met.end();
      expect((await refreshed(second)).refresh_token).not.toBe(
        one.refresh_token,
      );
      expect(await refreshed(first)).toMatchObject({ scope: "read write" });
    });

    it("has the error of a refusal, because no other refusal than use_dpop_nonce has a nonce", async () => {
      const page = await openApp(await newContext(), keyAppUrl);
      await signIn(page);
      const refused = `(async () => {
        const user = await users.getUser();
        await users.storeUser(new User({ ...user, refresh_token: "baton_rt_wrong" }));
        await users.signinSilent();
      })()`;
      expect(await errorOf(page, refused)).toBe("invalid_grant");
    });
  });

  describe("logging out", () => {
    it("revokes the tokens, after which the refresh token is refused", async () => {
      const page = await openApp(await newContext());
      const { refresh_token } = await signIn(page);
      expect(await errorOf(page, "users.revokeTokens()")).toBe("none");
      expect(await refreshError({ client_id: clientId }, refresh_token)).toBe(
        "invalid_grant",
      );
    });

    it.each(["access_token", "refresh_token"])(
      "by the %s alone ends the login as well",
      async (type) => {
        const page = await openApp(await newContext());
        const { refresh_token } = await signIn(page);
        const revoke = `users.revokeTokens(["${type}"])`;
        expect(await errorOf(page, revoke)).toBe("none");
        expect(await refreshError({ client_id: clientId }, refresh_token)).toBe(
          "invalid_grant",
        );
      },
    );
  });

  describe("prompt=none in a hidden frame", () => {
    const questions: [string, string, string][] = [
      [
        "a silent sign-in without a refresh token",
        "users.signinSilent({ forceIframeAuth: true })",
        "login_required",
      ],
      [
        "a question about the session with the app's scope",
        "users.querySessionStatus({ scope: 'read' })",
        "login_required",
      ],
      [
        "a question about the session as the library asks it, for openid alone",
        "users.querySessionStatus()",
        "invalid_scope",
      ],
    ];

    it.each(questions)(
      "%s gets an error and no page",
      async (_, ask, error) => {
        const page = await openApp(await newContext());
        const shown: string[] = [];
        page.on("response", (response) => {
          if (response.url().startsWith(ISSUER) && response.ok())
            shown.push(new URL(response.url()).pathname);
        });
        expect(await errorOf(page, ask)).toBe(error);
        expect(new Set(shown)).toEqual(
          new Set(["/.well-known/openid-configuration"]),
        );
      },
    );

    it("leaves the tokens of the app as they are", async () => {
      const page = await openApp(await newContext());
      const before = await signIn(page);
      const ask = "users.signinSilent({ forceIframeAuth: true })";
      expect(await errorOf(page, ask)).toBe("login_required");
      expect(await user(page)).toEqual(before);
      expect(await refreshed(page)).toMatchObject({ scope: "read write" });
    });
  });

  describe("across origins", () => {
    it("requests may carry headers of tracing, of MCP and of the app's own", async () => {
      const page = await openApp(await newContext());
      const { refresh_token } = await signIn(page);
      const headers = {
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "sentry-trace": "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
        "MCP-Protocol-Version": "2025-11-25",
        "X-Notes-Version": "7",
      };
      const traced = `new UserManager({ ...users.settings, extraHeaders: ${JSON.stringify(headers)} })`;
      // A new manager reads the metadata again, so that all three endpoints are asked with the headers.
      const all = `(async () => {
        const traced = ${traced};
        await traced.signinSilent();
        await traced.revokeTokens();
      })()`;
      const asked: string[] = [];
      page.on("request", (request) => {
        if ("x-notes-version" in request.headers())
          asked.push(new URL(request.url()).pathname);
      });
      expect(await errorOf(page, all)).toBe("none");
      expect(new Set(asked)).toEqual(
        new Set([
          "/.well-known/openid-configuration",
          "/access_token",
          "/revoke",
        ]),
      );
      expect(await refreshError({ client_id: clientId }, refresh_token)).toBe(
        "invalid_grant",
      );
    });

    it("an error is read with its code and description, and no wrong token ends a login", async () => {
      const page = await openApp(await newContext());
      const { refresh_token } = await signIn(page);
      const wrong = `(async () => {
        const user = await users.getUser();
        const manager = new UserManager({ ...users.settings, automaticSilentRenew: false });
        await manager.storeUser(new User({ ...user, refresh_token: "baton_rt_wrong" }));
        try {
          return await manager.signinSilent();
        } catch ({ name, error, error_description }) {
          return { name, error, error_description };
        } finally {
          await manager.storeUser(user);
        }
      })()`;
      expect(await inApp(page, wrong)).toEqual({
        name: "ErrorResponse",
        error: "invalid_grant",
        error_description: expect.stringMatching(/refresh token/),
      });
      const next = await refreshed(page);
      expect(next.refresh_token).not.toBe(refresh_token);
    });

    it("the page reads the status and the request id of a refusal", async () => {
      const page = await openApp(await newContext());
      const ask = `fetch("${ISSUER}/access_token", {
        method: "POST",
        body: new URLSearchParams({ grant_type: "refresh_token", client_id: "nobody" }),
      }).then(async (response) => ({
        status: response.status,
        id: response.headers.get("X-Request-Id"),
        error: (await response.json()).error,
      }))`;
      expect(await inApp(page, ask)).toEqual({
        status: 401,
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        error: "invalid_client",
      });
    });
  });

  it("gets no user info, because its tokens do not have the scope openid", async () => {
    const page = await openApp(await newContext());
    await signIn(page);
    const asked: number[] = [];
    page.on("response", (response) => {
      if (response.url() === `${ISSUER}/userinfo`)
        asked.push(response.status());
    });
    const ask =
      "new UserManager({ ...users.settings, loadUserInfo: true }).signinSilent()";
    expect(await errorOf(page, ask)).not.toBe("none");
    expect(asked).toEqual([403]);
  });
});

/** Adds a key to the app, as docs/clients.md says. */
function withKey(app: string): string {
  const changed = app
    .replace("{ UserManager,", "{ IndexedDbDPoPStore, UserManager,")
    .replace(
      "  userStore:",
      "  dpop: { bind_authorization_code: true, store: new IndexedDbDPoPStore() },\n  userStore:",
    );
  expect(changed.match(/IndexedDbDPoPStore/g)).toHaveLength(2);
  return changed;
}

/** Holds the requests to the token endpoint until as many of them wait, and then lets all of them go. */
async function meetAtTheTokenEndpoint(context: BrowserContext, number: number) {
  const waiting: Route[] = [];
  const tokens: (string | null)[] = [];
  const endpoint = `${ISSUER}/access_token`;
  await context.route(endpoint, async (route) => {
    waiting.push(route);
    const form = new URLSearchParams(route.request().postData() ?? "");
    tokens.push(form.get("refresh_token"));
    if (waiting.length === number)
      await Promise.all(waiting.map((one) => one.continue()));
  });
  return { tokens, end: () => context.unroute(endpoint) };
}
