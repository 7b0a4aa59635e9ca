import { decodeJwt } from "jose";
import {
  type Browser,
  type BrowserContext,
  chromium,
  type Page,
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
  type User,
  user,
} from "./live/notes-app.ts";
import { decide, ISSUER, makeClient, refreshError } from "./live/server.ts";
import { startSinglePageApp } from "./live/single-page-app.ts";
import { alice } from "./person.ts";

/**
 * Tests the server with oidc-client-ts in a real browser, as an OpenID provider. The app is the example in
 * docs/clients.md. The login is the sign-in page for development, or the test.
 */

const SCOPE = "openid profile email read write";

/** The profile that the library makes of the ID token. It leaves out the claims of the protocol. */
const profile = {
  sub: "alice",
  name: "Alice Liddell",
  email: "alice@example.com",
  email_verified: true,
};

let browser: Browser;
let app: Awaited<ReturnType<typeof startSinglePageApp>>;
let clientId: string;

describe("oidc-client-ts with OpenID Connect in a browser", () => {
  beforeEach(({ skip }) => {
    skip(
      chromiumPath === undefined,
      "No Chromium was found: install one, or set CHROMIUM_PATH.",
    );
  });

  beforeAll(async () => {
    if (chromiumPath === undefined) return;
    const client = await makeClient({
      token_endpoint_auth_method: "none",
      scope: SCOPE,
      // Only the port of a loopback address may differ, and it is not known yet.
      redirect_uris: ["http://127.0.0.1/callback"],
      post_logout_redirect_uris: ["http://127.0.0.1/signed-out"],
      refresh_token_retry_window: "PT30S",
    });
    clientId = client.client_id;
    [browser, app] = await Promise.all([
      chromium.launch({
        executablePath: chromiumPath,
        args: ["--no-sandbox"],
      }),
      startSinglePageApp(exampleFor(client)),
    ]);
  });

  afterAll(() => Promise.all([browser?.close(), app?.stop()]));

  async function openApp(): Promise<Page> {
    const context = await browser.newContext();
    onTestFinished(() => context.close());
    const page = await context.newPage();
    await page.goto(app.url);
    return page;
  }

  /** Leaves the sign-in page as a login of the operator does, which knows who alice is. */
  async function decideAtOnce(page: Page): Promise<void> {
    const request = new URL(page.url()).searchParams.get("request") ?? "";
    await page.goto(await decide(request, alice()));
  }

  /** Types who alice is into the sign-in page for development. */
  async function typeIn(page: Page): Promise<void> {
    await page.getByLabel("User name (sub)").fill("alice");
    await page.getByLabel("Display name").fill(profile.name);
    await page.getByLabel("E-mail address").fill(profile.email);
    await page.getByRole("button", { name: "Allow" }).click();
  }

  /** Signs in by redirect. Returns when the app has its tokens, or throws what the app reports. */
  async function signIn(
    page: Page,
    {
      args = {},
      answer = decideAtOnce,
    }: {
      args?: Record<string, unknown>;
      answer?: (page: Page) => Promise<unknown>;
    } = {},
  ): Promise<User> {
    const signedIn = async () => {
      const start = `void users.signinRedirect(${JSON.stringify(args)})`;
      await inApp(page, start);
      await page.waitForURL(`${ISSUER}/dev/login?*`);
      await answer(page);
      await page.waitForURL((url) => url.pathname === "/");
      return user(page);
    };
    return Promise.race([signedIn(), failure(page)]);
  }

  it("signs in by redirect, and has the profile of the ID token, whose nonce is that of the request", async () => {
    const page = await openApp();
    const complaints: string[] = [];
    page.on("console", (message) => complaints.push(message.text()));
    const args = { nonce: "a nonce of the app", max_age: 300 };
    const signedIn = await signIn(page, { args, answer: typeIn });
    expect(signedIn).toMatchObject({ scope: SCOPE, profile });
    expect(decodeJwt(signedIn.id_token ?? "")).toMatchObject({
      iss: ISSUER,
      aud: clientId,
      nonce: args.nonce,
      auth_time: expect.any(Number),
    });
    expect(complaints).toEqual([]);
  });

  it("renews with the refresh token, and takes the new ID token and the user info", async () => {
    const page = await openApp();
    const first = await signIn(page);
    const second = await refreshed(page);
    expect(second).toMatchObject({ scope: SCOPE, profile });
    expect(second.id_token).not.toBe(first.id_token);
    expect(second.refresh_token).not.toBe(first.refresh_token);

    const withUserInfo =
      "new UserManager({ ...users.settings, loadUserInfo: true })";
    const third = `${withUserInfo}.signinSilent().then(({ profile }) => profile)`;
    expect(await inApp(page, third)).toMatchObject({
      ...profile,
      picture: "https://login.example.com/alice.png",
    });
  });

  describe("prompt=none in a hidden frame", () => {
    /** Keeps somebody signed in at the login: it decides at once, and shows no page. */
    async function keepSession(
      context: BrowserContext,
      decision: Record<string, unknown>,
    ): Promise<void> {
      // A route sees no target of a redirect, so the server's own redirect is read here and answered for the login.
      await context.route(`${ISSUER}/authorize?*`, async (route) => {
        const response = await route.fetch({ maxRedirects: 0 });
        const login = new URL(response.headers()["location"] ?? "");
        expect(login.pathname).toBe("/dev/login");
        const request = login.searchParams.get("request") ?? "";
        const headers = { Location: await decide(request, decision) };
        await route.fulfill({ status: 303, headers });
      });
    }

    const withHint =
      "new UserManager({ ...users.settings, includeIdTokenInSilentRenew: true })";
    const silently = `${withHint}.signinSilent({ forceIframeAuth: true })`;

    it("signs in the person whom the ID token names, and gets login_required for nobody and for somebody else", async () => {
      const page = await openApp();
      const before = await signIn(page);
      expect(await errorOf(page, silently)).toBe("login_required");

      await keepSession(page.context(), { ...alice(), subject: "bob" });
      // The library would refuse another person as well, so the server's answer is looked at.
      const answered = page.waitForRequest(`${app.url}/callback?*`);
      expect(await errorOf(page, silently)).toBe("login_required");
      const answer = new URL((await answered).url()).searchParams;
      expect([answer.get("error"), answer.get("code")]).toEqual([
        "login_required",
        null,
      ]);
      expect(await user(page)).toEqual(before);

      await keepSession(page.context(), alice());
      const after = await inApp<User>(
        page,
        `${silently}.then((user) => ({ ...user }))`,
      );
      expect(after).toMatchObject({ scope: SCOPE, profile });
      expect(after.refresh_token).not.toBe(before.refresh_token);
    });

    it("tells no session state, because there is no session management", async () => {
      const page = await openApp();
      await keepSession(page.context(), alice());
      expect(await inApp(page, "users.querySessionStatus()")).toBeNull();
    });
  });

  it("signs out with signoutRedirect, which ends the login and comes back to the app with state", async () => {
    const page = await openApp();
    const { refresh_token } = await signIn(page);
    // A page of the app that is not the one to which the sign-out leads.
    await page.goto(`${app.url}/notes`);
    const sent: URL[] = [];
    page.on("request", (request) => sent.push(new URL(request.url())));
    const state = { to: "the welcome page" };
    const signOut = `void users.signoutRedirect(${JSON.stringify({ state })})`;
    await inApp(page, signOut);
    await page.waitForURL((url) => url.pathname === "/");

    const asked = sent.find(({ pathname }) => pathname === "/end_session");
    expect(asked?.searchParams.get("id_token_hint")).toMatch(/^eyJ/);
    const back = sent.find(({ pathname }) => pathname === "/signed-out");
    expect(back?.searchParams.get("state")).toBe(
      asked?.searchParams.get("state"),
    );
    // The library has found its state, and has removed it.
    expect(await inApp(page, "Object.keys(localStorage)")).toEqual([]);
    expect(await refreshError({ client_id: clientId }, refresh_token)).toBe(
      "invalid_grant",
    );
  });
});
