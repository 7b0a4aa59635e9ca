import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { decodeJwt } from "jose";
import * as client from "openid-client";
import {
  type Browser,
  type BrowserContextOptions,
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
import { SideBySide } from "../login/side-by-side.ts";
import { chromiumPath, startClientSite } from "./browser.ts";

/**
 * Tests the example login in a real browser, with a published library as the client. Saves pictures of the pages in
 * `screenshots/`, for the eye.
 */

const screenshots = join(import.meta.dirname, "screenshots");
const phone = {
  viewport: { width: 390, height: 760 },
  isMobile: true,
  hasTouch: true,
};

/** The records of agents that have registered themselves: one on the person's device, and one with a website. */
const agent = {
  client_id: "https://agent.example.com/client.json",
  client_id_issued_at: 0,
  client_name: "Aide, the agent",
  registered_by: "metadata_document",
  token_endpoint_auth_method: "none",
  grant_types: ["authorization_code", "refresh_token"],
  scope: "notes:read notes:write",
  resources: ["https://mcp.example.com/notes"],
  secrets: [],
};
const website = "https://agent.example.com/callback";
const strangers = {
  [`client:${agent.client_id}`]: {
    ...agent,
    redirect_uris: ["http://127.0.0.1/callback", website],
  },
  "client:registered": {
    ...agent,
    client_id: "registered",
    client_id_issued_at: 1_700_000_000,
    client_name:
      "Very Long Names Are What Some Strangers Give Themselves So That Nobody Reads the Rest of the Page 1",
    registered_by: "dynamic_registration",
    redirect_uris: ["https://pages.xn--pple-43d.com/oauth/callback"],
  },
  resources: {
    "https://mcp.example.com/notes": {
      name: "Your notes",
      scope: "notes:read notes:write",
      self_registered_clients: true,
    },
  },
};

let workers: SideBySide;
let site: Awaited<ReturnType<typeof startClientSite>>;
let browser: Browser;
let configuration: client.Configuration;

describe("the example login in a browser", () => {
  beforeEach(({ skip }) => {
    skip(
      chromiumPath === undefined,
      "No Chromium was found: install one, or set CHROMIUM_PATH.",
    );
  });

  beforeAll(async () => {
    if (chromiumPath === undefined) return;
    mkdirSync(screenshots, { recursive: true });
    workers = await SideBySide.prepare();
    await workers.seed(strangers);
    [site, browser] = await Promise.all([
      startClientSite(),
      chromium.launch({
        executablePath: chromiumPath,
        args: ["--no-sandbox"],
      }),
      workers.start(),
    ]);
    const scopes = {
      openid: "Know who you are",
      profile: "See your name and your profile",
      email: "See your e-mail address",
      write: "Write notes for you, and change those that are there",
      "notes:read": "Read your notes",
      "notes:write": "Write notes for you",
    };
    for (const [scope, description] of Object.entries(scopes))
      await admin("PUT", `/scopes/${encodeURIComponent(scope)}`, {
        description,
      });
    await admin("POST", "/clients", {
      client_id: "notes",
      client_name: "Notes",
      scope: "openid profile email write",
      token_endpoint_auth_method: "none",
      redirect_uris: [`${site.url}/callback`],
      post_logout_redirect_uris: [`${site.url}/callback`],
    });
    configuration = await client.discovery(
      new URL(workers.baton),
      "notes",
      undefined,
      client.None(),
      { execute: [client.allowInsecureRequests] },
    );
  });

  afterAll(() =>
    Promise.all([browser?.close(), site?.stop(), workers?.stop()]),
  );

  async function admin(method: string, path: string, body: object) {
    const response = await fetch(`${workers.baton}/admin${path}`, {
      method,
      headers: {
        Authorization: `Bearer ${workers.secrets.ADMIN_TOKEN}`,
        "Content-Type": "application/json",
      },
      body: JSON.stringify(body),
    });
    expect(response.ok, await response.clone().text()).toBe(true);
  }

  async function newPage(options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext(options);
    onTestFinished(() => context.close());
    return context.newPage();
  }

  /** Opens the sign-in for a new request. @returns the values with which the library checks the answer */
  async function begin(page: Page, more: Record<string, string> = {}) {
    const pkceCodeVerifier = client.randomPKCECodeVerifier();
    const expectedState = client.randomState();
    const expectedNonce = client.randomNonce();
    const url = client.buildAuthorizationUrl(configuration, {
      redirect_uri: `${site.url}/callback`,
      scope: "openid profile email write",
      code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: "S256",
      state: expectedState,
      nonce: expectedNonce,
      ...more,
    });
    await page.goto(url.href);
    return { pkceCodeVerifier, expectedState, expectedNonce };
  }

  const press = (page: Page, name: string) =>
    page.getByRole("button", { name }).click();

  async function signIn(page: Page, username: string, password: string) {
    await page.getByLabel("User name").fill(username);
    await page.getByLabel("Password").fill(password);
    await press(page, "Sign in");
  }

  /** Waits until the browser is back at the client, which gets the tokens. */
  async function finish(
    page: Page,
    checks: client.AuthorizationCodeGrantChecks,
  ) {
    await page.waitForURL(`${site.url}/callback?*`);
    const url = new URL(page.url());
    return client.authorizationCodeGrant(configuration, url, checks);
  }

  const picture = (page: Page, name: string) =>
    page.screenshot({
      path: join(screenshots, `login-${name}.png`),
      fullPage: true,
    });

  it("a person signs in after a wrong password and allows the app, which learns who they are", async () => {
    const page = await newPage();
    const complaints: string[] = [];
    page.on("console", (message) => complaints.push(message.text()));
    const checks = await begin(page);
    await picture(page, "sign-in");
    await signIn(page, "alice", "wrong");
    expect(await page.getByRole("alert").textContent()).toBe(
      "The user name or the password is wrong.",
    );
    await picture(page, "problem");
    // The name is kept, so the password has the focus.
    await page.locator("[name=password]:focus").waitFor();
    await page.keyboard.type("rabbit-hole");
    await page.keyboard.press("Enter");
    await page.getByText("Allow Notes?").waitFor();
    await picture(page, "consent");
    await page.getByLabel("Write notes for you").uncheck();
    await press(page, "Allow");
    const tokens = await finish(page, checks);
    expect(tokens.scope).toBe("openid profile email");
    expect(tokens.claims()).toMatchObject({
      sub: "alice",
      name: "Alice Liddell",
      email: "alice@example.com",
    });
    expect(decodeJwt(tokens.access_token)["roles"]).toEqual(["editor"]);
    // Chromium reports the status 403 of the wrong password.
    expect(complaints.filter((text) => !text.includes("403"))).toEqual([]);
  });

  it("a person who is signed in passes without a page, also in the background, and may take another account", async () => {
    const page = await newPage({ colorScheme: "dark" });
    let checks = await begin(page, { scope: "openid" });
    await picture(page, "sign-in-dark");
    await signIn(page, "alice@example.com", "rabbit-hole");
    await picture(page, "consent-dark");
    await press(page, "Allow");
    const first = await finish(page, checks);
    for (const more of [{}, { prompt: "none" }]) {
      checks = await begin(page, { scope: "openid", ...more });
      const next = await finish(page, checks);
      expect(next.claims()?.["sid"]).toBe(first.claims()?.["sid"]);
    }

    checks = await begin(page, { scope: "openid", login_hint: "bob" });
    await page.getByText("Choose an account").waitFor();
    await picture(page, "choose-account-dark");
    await press(page, "Use another account");
    expect(await page.getByLabel("User name").inputValue()).toBe("bob");
    await page.getByLabel("Password").fill("can-we-fix-it");
    await page.keyboard.press("Enter");
    await press(page, "Allow");
    const other = await finish(page, checks);
    expect(other.claims()?.sub).toBe("bob");
    await page.goto(`${workers.login}/account`);
    await picture(page, "account-dark");
    expect(await page.textContent("h1")).toBe("Signed in as Bob Builder");
    // The cookie has a signature, and scripts cannot read it.
    expect(await page.evaluate("document.cookie")).toBe("");
  });

  it("a person signs out at the app, and is asked first if the app proves nothing", async () => {
    const page = await newPage();
    const open = async () => {
      const checks = await begin(page, { scope: "openid" });
      await signIn(page, "alice", "rabbit-hole");
      await press(page, "Allow");
      return finish(page, checks);
    };
    const signOut = async (more: Record<string, string>) => {
      const post_logout_redirect_uri = `${site.url}/callback`;
      const parameters = { post_logout_redirect_uri, state: "out", ...more };
      const url = client.buildEndSessionUrl(configuration, parameters);
      await page.goto(url.href);
    };
    const tokens = await open();
    await signOut({ id_token_hint: tokens.id_token ?? "" });
    expect(page.url()).toBe(`${site.url}/callback?state=out`);

    // The password is asked for again, so the session has ended.
    const others = await open();
    await signOut({});
    expect(await page.textContent("h1")).toBe("Sign out of all apps?");
    await picture(page, "sign-out");
    await press(page, "Stay signed in");
    await page.waitForURL(`${site.url}/callback?state=out`);
    await signOut({});
    await press(page, "Sign out");
    await page.waitForURL(`${site.url}/callback?state=out`);
    for (const { refresh_token } of [tokens, others])
      await expect(
        client.refreshTokenGrant(configuration, refresh_token ?? ""),
      ).rejects.toMatchObject({ error: "invalid_grant" });
  });

  it("works on a phone without JavaScript: nothing is cut off, and all targets are large enough for a thumb", async () => {
    const page = await newPage({ ...phone, javaScriptEnabled: false });
    const expectFit = async (targets: number) => {
      const ask = <T>(expression: string) => page.evaluate<T>(expression);
      expect(await ask("document.documentElement.scrollWidth")).toBe(390);
      const all = await page
        .locator(
          "button, input:not([type=hidden], [type=checkbox]), label.scope",
        )
        .all();
      expect(all).toHaveLength(targets);
      for (const target of all)
        expect((await target.boundingBox())?.height).toBeGreaterThanOrEqual(40);
    };
    const checks = await begin(page);
    await expectFit(4);
    // A smaller font makes phones zoom into the field.
    const font =
      "getComputedStyle(document.forms[0].elements.username).fontSize";
    expect(await page.evaluate(font)).toBe("16px");
    await picture(page, "sign-in-phone");
    await signIn(page, "alice", "wrong");
    await page.getByRole("alert").waitFor();
    await picture(page, "problem-phone");
    await signIn(page, "alice", "rabbit-hole");
    // A click does not wait for the next page.
    await page.getByRole("button", { name: "Allow" }).waitFor();
    await expectFit(7);
    await picture(page, "consent-phone");
    await page.getByRole("button", { name: "Allow" }).tap();
    await finish(page, checks);
    await begin(page, { login_hint: "bob" });
    await expectFit(2);
    await picture(page, "choose-account-phone");
    await page.goto(`${workers.login}/account`);
    await expectFit(2);
    await picture(page, "account-phone");
    await page.goto(`${workers.baton}/end_session`);
    await expectFit(2);
    await picture(page, "sign-out-phone");
    await page.getByRole("button", { name: "Stay signed in" }).tap();
    await page.getByText("You are still signed in").waitFor();
    await picture(page, "stays-phone");
    await page.goto(`${workers.baton}/end_session`);
    await page.getByRole("button", { name: "Sign out" }).tap();
    await page.getByText("You are signed out").waitFor();
    await picture(page, "signed-out-phone");
    await page.goto(`${workers.login}/?request=altered`);
    await picture(page, "error-phone");
    expect(await page.textContent("h1")).toBe("This sign-in cannot go on");
    await page.goto(`${workers.login}/nothing`);
    await picture(page, "nothing-phone");
    await page.getByRole("link", { name: "Your account" }).tap();
    await page.getByText("With your user name").waitFor();
  });

  describe("a person whom an app asks that has registered itself", () => {
    const forNotes = { resource: "https://mcp.example.com/notes" };
    const asked = (client_id: string, more: Record<string, string>) =>
      `${workers.baton}/authorize?${new URLSearchParams({
        client_id,
        response_type: "code",
        code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        code_challenge_method: "S256",
        ...forNotes,
        ...more,
      }).toString()}`;

    it("sees who asks, and is warned of a program on the device; what they have allowed is apart from what is new", async () => {
      const page = await newPage();
      const known = new client.Configuration(
        configuration.serverMetadata(),
        agent.client_id,
        undefined,
        client.None(),
      );
      client.allowInsecureRequests(known);
      const redirect_uri = `${site.url}/callback`;
      const goTo = async (scope: string) => {
        const pkceCodeVerifier = client.randomPKCECodeVerifier();
        const url = client.buildAuthorizationUrl(known, {
          redirect_uri,
          scope,
          code_challenge:
            await client.calculatePKCECodeChallenge(pkceCodeVerifier),
          code_challenge_method: "S256",
          ...forNotes,
        });
        await page.goto(url.href);
        return { pkceCodeVerifier };
      };
      const allow = async (checks: client.AuthorizationCodeGrantChecks) => {
        await press(page, "Allow");
        await page.waitForURL(`${redirect_uri}?*`);
        const back = new URL(page.url());
        return client.authorizationCodeGrant(known, back, checks);
      };
      let checks = await goTo("notes:read");
      await picture(page, "stranger-sign-in");
      await signIn(page, "alice", "rabbit-hole");
      await page.getByText("Any program on this device").waitFor();
      await picture(page, "stranger-device");
      expect(await page.locator("dd").allTextContents()).toEqual([
        "agent.example.com",
        `${new URL(site.url).host} (a program on this device)`,
        "Your noteshttps://mcp.example.com/notes",
      ]);
      const first = await allow(checks);
      expect(first.scope).toBe("notes:read");

      checks = await goTo("notes:write");
      await page.getByText("You have allowed it before to").waitFor();
      await picture(page, "stranger-more");
      const more = await allow(checks);
      expect(more.scope?.split(" ").toSorted()).toEqual([
        "notes:read",
        "notes:write",
      ]);
      const old = await client.refreshTokenGrant(
        known,
        first.refresh_token ?? "",
      );
      expect(old.scope).toBe("notes:read");
    });

    it.each([
      ["website", agent.client_id, website, "that site"],
      [
        "registered",
        "registered",
        "https://pages.xn--pple-43d.com/oauth/callback",
        "pages.xn--pple-43d.com",
      ],
    ])(
      "sees its site in ASCII, in the dark and on a phone: %s",
      async (name, client_id, redirect_uri, words) => {
        const page = await newPage({ ...phone, colorScheme: "dark" });
        await page.goto(asked(client_id, { redirect_uri }));
        await signIn(page, "bob", "can-we-fix-it");
        await page.getByText("Nobody has checked this app").waitFor();
        await picture(page, `stranger-${name}-dark-phone`);
        expect(
          await page.evaluate("document.documentElement.scrollWidth"),
        ).toBe(390);
        expect(await page.textContent("main")).toContain(words);
        await page.route(`${new URL(redirect_uri).origin}/**`, (route) =>
          route.fulfill({ body: "Back" }),
        );
        await press(page, "Deny");
        await page.waitForURL(`${redirect_uri}?*error=access_denied*`);
      },
    );
  });
});
