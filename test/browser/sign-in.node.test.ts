import { mkdirSync } from "node:fs";
import { join } from "node:path";
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
import { PrebuiltServer } from "../support/prebuilt-server.ts";
import { chromiumPath, startClientSite } from "./browser.ts";

/**
 * Tests the sign-in in a real browser, with a published library as the client. Saves pictures of the pages in
 * `screenshots/`.
 */

const screenshots = join(import.meta.dirname, "screenshots");
const phone = {
  viewport: { width: 320, height: 640 },
  deviceScaleFactor: 2,
  isMobile: true,
  hasTouch: true,
};

let server: PrebuiltServer;
let site: Awaited<ReturnType<typeof startClientSite>>;
let browser: Browser;
let configuration: client.Configuration;

describe("signing in with a browser", () => {
  beforeEach(({ skip }) => {
    skip(
      chromiumPath === undefined,
      "No Chromium was found: install one, or set CHROMIUM_PATH.",
    );
  });

  beforeAll(async () => {
    if (chromiumPath === undefined) return;
    mkdirSync(screenshots, { recursive: true });
    [server, site, browser] = await Promise.all([
      PrebuiltServer.start(),
      startClientSite(),
      // Chromium's own sandbox needs rights that a container often does not have.
      chromium.launch({
        executablePath: chromiumPath,
        args: ["--no-sandbox"],
      }),
    ]);
    await admin("PUT", "/scopes/read", { description: "Read your notes" });
    await admin("PUT", "/scopes/write", {
      description: "Write notes for you, and change those that are there",
    });
    await admin("POST", "/clients", {
      client_id: "notes",
      client_name: "Notes",
      scope: "read write",
      token_endpoint_auth_method: "none",
      // A native app may use any free port (RFC 8252 section 7.3).
      redirect_uris: ["http://127.0.0.1/callback"],
    });
    for (const scope of ["openid", "profile", "email"])
      await admin("PUT", `/scopes/${scope}`, {});
    await admin("POST", "/clients", {
      client_id: "diary",
      client_name: "Diary",
      scope: "openid profile email",
      token_endpoint_auth_method: "none",
      redirect_uris: ["http://127.0.0.1/callback"],
    });
    configuration = await client.discovery(
      new URL(server.url),
      "notes",
      undefined,
      client.None(),
      {
        algorithm: "oauth2",
        execute: [client.allowInsecureRequests],
      },
    );
  });

  afterAll(() => Promise.all([browser?.close(), site?.stop(), server?.stop()]));

  async function admin(
    method: string,
    path: string,
    body: object,
  ): Promise<void> {
    const response = await fetch(`${server.url}/admin${path}`, {
      method,
      headers: {
        Authorization: `Bearer ${server.secrets.ADMIN_TOKEN}`,
        "Content-Type": "application/json",
      },
      body: JSON.stringify(body),
    });
    expect(response.ok).toBe(true);
  }

  async function newPage(options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext(options);
    onTestFinished(() => context.close());
    const page = await context.newPage();
    return page;
  }

  /** Makes an authorization request. @returns its URL, and the values with which the library checks the answer */
  async function newRequest(more: Record<string, string> = {}) {
    const pkceCodeVerifier = client.randomPKCECodeVerifier();
    const expectedState = client.randomState();
    const url = client.buildAuthorizationUrl(configuration, {
      redirect_uri: `${site.url}/callback`,
      scope: "read write",
      code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: "S256",
      state: expectedState,
      ...more,
    });
    return { url: url.href, checks: { pkceCodeVerifier, expectedState } };
  }

  const picture = (page: Page, name: string) =>
    page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });

  it("a person signs in and returns to the client, which gets tokens of that person", async () => {
    const page = await newPage();
    const complaints: string[] = [];
    page.on("console", (message) => complaints.push(message.text()));
    const { url, checks } = await newRequest();
    await page.goto(url);
    await picture(page, "sign-in");
    expect(await page.title()).toBe("Sign in to Notes");
    await page.getByLabel("User name (sub)").fill("alice");
    await page.getByLabel("Write notes for you").uncheck();
    await page.getByRole("button", { name: "Allow" }).click();
    await page.waitForURL(`${site.url}/callback?*`);
    expect(await page.textContent("h1")).toBe("Back at the client");
    await picture(page, "back-at-the-client");

    const tokens = await client.authorizationCodeGrant(
      configuration,
      new URL(page.url()),
      checks,
    );
    expect(tokens.scope).toBe("read");
    const next = await client.refreshTokenGrant(
      configuration,
      tokens.refresh_token ?? "",
    );
    expect(next.refresh_token).not.toBe(tokens.refresh_token);
    expect(complaints).toEqual([]);
  });

  it("a person who denies the request returns to the client, which gets access_denied", async () => {
    const page = await newPage();
    const { url, checks } = await newRequest();
    await page.goto(url);
    await page.getByRole("button", { name: "Deny" }).click();
    await page.waitForURL(`${site.url}/callback?*`);
    await picture(page, "denied");
    await expect(
      client.authorizationCodeGrant(configuration, new URL(page.url()), checks),
    ).rejects.toMatchObject({
      error: "access_denied",
    });
  });

  it("works with the keyboard alone, from the name to the Enter key", async () => {
    const page = await newPage();
    const { url, checks } = await newRequest();
    await page.goto(url);
    // The browser sets the focus when it first draws the page, which may be after the load event.
    await page.locator("#subject:focus").waitFor();
    await page.keyboard.type("bob");
    await page.keyboard.press("Enter");
    await page.waitForURL(`${site.url}/callback?*`);
    const tokens = await client.authorizationCodeGrant(
      configuration,
      new URL(page.url()),
      checks,
    );
    expect(tokens.scope).toBe("read write");
  });

  it("works without JavaScript on a small phone: nothing is cut off, and all targets are large enough for a thumb", async () => {
    const page = await newPage({ ...phone, javaScriptEnabled: false });
    const { url } = await newRequest();
    await page.goto(url);
    await picture(page, "sign-in-phone");
    const ask = <T>(expression: string) => page.evaluate<T>(expression);
    expect(await ask("document.documentElement.scrollWidth")).toBe(
      await ask("window.innerWidth"),
    );
    // A smaller font makes phones zoom into the field.
    const field = 'document.querySelector("input[type=text]")';
    expect(await ask(`getComputedStyle(${field}).fontSize`)).toBe("16px");
    const targets = await page.locator("button, fieldset label").all();
    expect(targets).toHaveLength(4);
    for (const target of targets)
      expect((await target.boundingBox())?.height).toBeGreaterThanOrEqual(40);
    await page.getByLabel("User name (sub)").fill("carol");
    await page.getByRole("button", { name: "Allow" }).tap();
    await page.waitForURL(`${site.url}/callback?*`);
    expect(new URL(page.url()).searchParams.has("code")).toBe(true);
  });

  it.each([
    ["light", { colorScheme: "light" as const }],
    ["dark", { colorScheme: "dark" as const }],
    ["phone", phone],
  ])(
    "a person tells an app with OpenID Connect their name and e-mail address: %s",
    async (name, options) => {
      const page = await newPage(options);
      const diary = await client.discovery(
        new URL(server.url),
        "diary",
        undefined,
        client.None(),
        { execute: [client.allowInsecureRequests] },
      );
      const pkceCodeVerifier = client.randomPKCECodeVerifier();
      const expectedNonce = client.randomNonce();
      const url = client.buildAuthorizationUrl(diary, {
        redirect_uri: `${site.url}/callback`,
        scope: "openid profile email",
        code_challenge:
          await client.calculatePKCECodeChallenge(pkceCodeVerifier),
        code_challenge_method: "S256",
        nonce: expectedNonce,
        login_hint: "alice@example.com",
      });
      await page.goto(url.href);
      await picture(page, `who-${name}`);
      await page
        .getByRole("textbox", { name: "User name (sub)" })
        .fill("alice");
      await page.getByLabel("Display name").fill("Alice Liddell");
      await page.getByRole("button", { name: "Allow" }).click();
      await page.waitForURL(`${site.url}/callback?*`);
      const tokens = await client.authorizationCodeGrant(
        diary,
        new URL(page.url()),
        { pkceCodeVerifier, expectedNonce },
      );
      expect(tokens.claims()).toMatchObject({
        sub: "alice",
        name: "Alice Liddell",
        email: "alice@example.com",
      });
      const { id_token = "" } = tokens;
      const out = client.buildEndSessionUrl(diary, { id_token_hint: id_token });
      await page.goto(out.href);
      expect(await page.textContent("h1")).toBe("You are signed out");
      await picture(page, `signed-out-${name}`);
    },
  );

  it("asks again on the same page if the name is not valid", async () => {
    const page = await newPage({ colorScheme: "dark" });
    const { url } = await newRequest();
    await page.goto(url);
    const sent: string[] = [];
    page.on("request", (request) => sent.push(request.method()));
    await page.getByRole("button", { name: "Allow" }).click();
    // The browser itself stopped the form.
    expect(sent).toEqual([]);
    await page.getByLabel("User name (sub)").fill("é".repeat(200));
    await page.getByRole("button", { name: "Allow" }).click();
    await expect(page.getByRole("alert").textContent()).resolves.toContain(
      "at most 255 bytes",
    );
    await picture(page, "sign-in-problem-dark");
  });

  it("going back and answering twice makes one login, which stays valid", async () => {
    const page = await newPage();
    const { url, checks } = await newRequest();
    await page.goto(url);
    const signIn = async () => {
      await page.getByLabel("User name (sub)").fill("dora");
      await page.getByRole("button", { name: "Allow" }).click();
      await page.waitForURL(`${site.url}/callback?*`);
      return new URL(page.url());
    };
    const first = await client.authorizationCodeGrant(
      configuration,
      await signIn(),
      checks,
    );
    await page.goBack();
    const second = await signIn();
    await expect(
      client.authorizationCodeGrant(configuration, second, checks),
    ).rejects.toMatchObject({
      error: "invalid_grant",
    });
    await client.refreshTokenGrant(configuration, first.refresh_token ?? "");
  });

  it("can't be put into another site's frame", async () => {
    const page = await newPage();
    const { url } = await newRequest();
    const refused = page.waitForEvent("console", (message) =>
      message.text().includes("frame-ancestors"),
    );
    await page.goto(`${site.url}/framing?url=${encodeURIComponent(url)}`);
    await refused;
    await picture(page, "framed");
    const frame = page.frames().find((one) => one !== page.mainFrame());
    expect(await frame?.locator("form").count()).toBe(0);
  });

  it("a silent request (prompt=none) in a hidden frame comes back to the client with login_required", async () => {
    const page = await newPage();
    const complaints: string[] = [];
    page.on("console", (message) => complaints.push(message.text()));
    const { url, checks } = await newRequest({ prompt: "none" });
    await page.goto(`${site.url}/framing?url=${encodeURIComponent(url)}`);
    const frame = page.frames().find((one) => one !== page.mainFrame());
    await frame?.waitForURL(`${site.url}/callback?*`);
    expect(await frame?.textContent("h1")).toBe("Back at the client");
    await expect(
      client.authorizationCodeGrant(
        configuration,
        new URL(frame?.url() ?? ""),
        checks,
      ),
    ).rejects.toMatchObject({ error: "login_required" });
    expect(complaints).toEqual([]);
  });

  it("a request that can't be answered gets an error page without links and forms", async () => {
    const page = await newPage(phone);
    const { url } = await newRequest({ redirect_uri: "https://evil.example/" });
    const response = await page.goto(url);
    await picture(page, "error-phone");
    expect(response?.status()).toBe(400);
    expect(await page.textContent("h1")).toBe("This sign-in cannot go on");
    expect(await page.textContent("body")).toContain(
      response?.headers()["x-request-id"] ?? "?",
    );
    expect(await page.locator("a, form").count()).toBe(0);
  });
});
