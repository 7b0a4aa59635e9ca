import { decodeJwt } from "jose";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import {
  expectTokens,
  makeWebClient,
  redeem,
  requestAtLogin,
} from "../support/authorization.ts";
import { verifyIdToken, type OpenIdTokens } from "../support/openid.ts";
import { server, type TestClient } from "../support/server.ts";
import { LOGIN, newVisitor } from "./isolated.ts";
import type { Visitor, VisitedPage } from "./visitor.ts";

/** Tests the session of the example login: the cookie, the protection of its forms, and what Baton gets of it. */

let client: TestClient;

beforeAll(async () => {
  await server.makeScopes("openid", "profile", "email", "read");
  client = await makeWebClient({
    scope: "openid profile email read",
    client_name: "Notes",
  });
});

afterEach(() => {
  vi.restoreAllMocks();
});

async function signedIn(visitor = newVisitor()): Promise<Visitor> {
  await visitor.signIn(await visitor.open("/account"));
  const { html } = await visitor.open("/account");
  expect(html).toContain("<h1>Signed in as Alice Liddell</h1>");
  return visitor;
}

const isSignedIn = async (visitor: Visitor) =>
  (await visitor.open("/account")).html.includes("Signed in as");

describe("the cookie", () => {
  it("is for this host alone, over https, and no script and no form of another site gets it", async () => {
    const visitor = newVisitor();
    const { headers } = await visitor.open("/account");
    const [set = "", ...others] = headers.getSetCookie();
    expect(others).toEqual([]);
    const [pair, ...attributes] = set.split("; ");
    expect(pair).toMatch(/^__Host-login-session-1=/);
    expect(attributes.toSorted()).toEqual([
      "HttpOnly",
      "Max-Age=43200",
      "Path=/",
      "SameSite=Lax",
      "Secure",
    ]);
  });

  it.each(["http://localhost:8788", "http://127.0.0.1:8788"])(
    "is not Secure at %s, where there is no https",
    async (origin) => {
      const visitor = newVisitor({ origin });
      const { headers } = await visitor.open("/account");
      expect(headers.get("Set-Cookie")).toMatch(/^login-session-1=/);
      expect(headers.get("Set-Cookie")).not.toContain("Secure");
      await signedIn(visitor);
    },
  );

  it("is not set over plain http: the browser is sent to https, and a form is refused", async () => {
    const visitor = newVisitor({ origin: "http://login.example.com" });
    const page = await visitor.open("/account?x=1");
    expect(page.status).toBe(308);
    expect(page.location?.href).toBe(`${LOGIN}/account?x=1`);
    const sent = await visitor.post("/sign-in", new URLSearchParams());
    expect([sent.status, sent.title]).toEqual([400, "This page needs https"]);
    expect(visitor.cookie).toBe("");
  });

  it("signs nobody in after it was altered, or if another secret has signed it", async () => {
    const { cookie } = await signedIn();
    const [name = "", value = ""] = cookie.split("=");
    const [json = "", signature = ""] = decodeURIComponent(value).split(".");
    const text = new TextDecoder().decode(
      Uint8Array.fromBase64(json, { alphabet: "base64url" }),
    );
    const forged = new TextEncoder()
      .encode(text.replace("alice", "bob"))
      .toBase64({ alphabet: "base64url", omitPadding: true });
    const visit = async (content: string, more = {}) => {
      const visitor = newVisitor(more);
      visitor.cookie = `${name}=${encodeURIComponent(content)}`;
      return isSignedIn(visitor);
    };
    expect(await visit(`${json}.${signature}`)).toBe(true);
    expect(await visit(`${forged}.${signature}`)).toBe(false);
    expect(await visit(`${json}.`)).toBe(false);
    expect(await visit(json)).toBe(false);
    const SESSION_SECRET = "another secret of this test, long enough";
    expect(await visit(`${json}.${signature}`, { SESSION_SECRET })).toBe(false);
  });

  it("is another one after a sign-in and after a switch, so that nobody can prepare it", async () => {
    const visitor = newVisitor();
    const first = await visitor.open("/account");
    const before = visitor.cookie;
    const account = await visitor.signIn(first);
    const during = visitor.cookie;
    await visitor.send(account, "/switch");
    expect(new Set([before, during, visitor.cookie]).size).toBe(3);
    expect(await isSignedIn(visitor)).toBe(false);
    visitor.cookie = before;
    expect(await isSignedIn(visitor)).toBe(false);
  });

  it("fits into a browser's limit, whatever a person has allowed", async () => {
    const visitor = await signedIn();
    const allow = async (app: TestClient) => {
      const page = await visitor.begin(await requestAtLogin(app));
      await visitor.send(page, "/consent", { answer: "allow" });
    };
    const scopes = Array.from(
      { length: 8 },
      (_, i) => `${i}-${"long".repeat(25)}`,
    );
    await server.makeScopes(...scopes);
    const scope = scopes.join(" ");
    const apps: TestClient[] = [];
    for (const _ of [1, 2, 3, 4, 5]) {
      apps.push(await makeWebClient({ scope }));
      await allow(apps.at(-1)!);
      expect(visitor.cookie.length).toBeLessThan(4096 - 100);
    }
    const [oldest, newest] = [apps[0]!, apps.at(-1)!];
    const again = await visitor.begin(await requestAtLogin(newest));
    expect(again.location?.searchParams.has("code")).toBe(true);
    const forgotten = await visitor.begin(await requestAtLogin(oldest));
    expect(forgotten.html).toContain("asks to");
  });

  it.each(["", "x".repeat(31)])(
    "needs a secret that is long enough, and says so in the log: %j",
    async (SESSION_SECRET) => {
      const log = vi.spyOn(console, "error").mockReturnValue();
      const page = await newVisitor({ SESSION_SECRET }).open("/account");
      expect(page.status).toBe(500);
      expect(page.html).toContain("Sign-in does not work right now");
      expect(String(log.mock.calls[0]?.[0])).toContain("openssl rand");
    },
  );
});

describe("a form of another site", () => {
  /** Every form of the login, with the page that has it. */
  async function pagesWith(visitor: Visitor): Promise<[string, VisitedPage][]> {
    const request = await requestAtLogin(client);
    const choose = await requestAtLogin(client, { login_hint: "bob" });
    const consent = await visitor.begin(request);
    const account = await visitor.open("/account");
    const choice = await visitor.begin(choose);
    return [
      ["/consent", consent],
      ["/switch", consent],
      ["/account", choice],
      ["/account/sign-out", account],
    ];
  }

  it.each(["", "x", crypto.randomUUID()])(
    "does nothing without the token of the session: %j",
    async (csrf) => {
      const visitor = await signedIn();
      const { cookie } = visitor;
      for (const [path, page] of await pagesWith(visitor)) {
        const form = { csrf, answer: "allow" };
        const answer = await visitor.send(page, path, form);
        expect([path, answer.status]).toEqual([path, 403]);
        expect(answer.html).toContain("<h1>This page is out of date</h1>");
        expect(answer.location).toBeUndefined();
        expect(answer.headers.get("Set-Cookie")).toBeNull();
      }
      expect(visitor.cookie).not.toBe("");
      visitor.cookie = cookie;
      expect(await isSignedIn(visitor)).toBe(true);
    },
  );

  it("cannot sign a person in as somebody else", async () => {
    const visitor = newVisitor();
    const page = await visitor.open("/account");
    const stranger = await newVisitor().open("/account");
    const csrf = stranger.forms.get("/sign-in")?.get("csrf") ?? "";
    const form = { csrf, username: "bob", password: "can-we-fix-it" };
    const answer = await visitor.send(page, "/sign-in", form);
    expect(answer.status).toBe(403);
    expect(await isSignedIn(visitor)).toBe(false);
  });

  it("leads to a page from which the person can go on", async () => {
    const visitor = await signedIn();
    const page = await visitor.begin(await requestAtLogin(client));
    const stale = await visitor.send(page, "/consent", { csrf: "x" });
    const [, link = ""] = /href="([^"]*)"/.exec(stale.html) ?? [];
    const again = await visitor.open(link.replaceAll("&amp;", "&"));
    const back = await visitor.send(again, "/consent", { answer: "allow" });
    expect(back.location?.searchParams.has("code")).toBe(true);
  });
});

describe("what Baton gets of the session", () => {
  async function tokensOf(visitor: Visitor): Promise<OpenIdTokens> {
    const request = await requestAtLogin(client, { nonce: "n-1" });
    const page = await visitor.begin(request);
    const { location } = page.forms.has("/consent")
      ? await visitor.send(page, "/consent", { answer: "allow" })
      : page;
    const code = location?.searchParams.get("code") ?? "";
    return (await expectTokens(await redeem(client, code))) as OpenIdTokens;
  }

  it("is who signed in, when and how: the ID token says it to the app, and the roles go to the APIs", async () => {
    const before = Math.floor(Date.now() / 1000);
    const visitor = await signedIn();
    const after = Math.floor(Date.now() / 1000);
    const tokens = await tokensOf(visitor);
    const claims = await verifyIdToken(tokens, client);
    expect(claims).toMatchObject({
      sub: "alice",
      nonce: "n-1",
      acr: "urn:example:password",
      amr: ["pwd"],
      name: "Alice Liddell",
      given_name: "Alice",
      family_name: "Liddell",
      preferred_username: "alice",
      email: "alice@example.com",
      email_verified: true,
    });
    expect(claims["auth_time"]).toBeGreaterThanOrEqual(before);
    expect(claims["auth_time"]).toBeLessThanOrEqual(after);
    expect(decodeJwt(tokens.access_token)["roles"]).toEqual(["editor"]);
    expect(claims).not.toHaveProperty("roles");
  });

  it("is the same sid for all apps of a session, and another one after the next session", async () => {
    const visitor = await signedIn();
    const sidOf = async () =>
      (await verifyIdToken(await tokensOf(visitor), client))["sid"];
    const first = await sidOf();
    expect(await sidOf()).toBe(first);
    // The password again is not another session.
    const again = await requestAtLogin(client, { prompt: "login" });
    await visitor.signIn(await visitor.begin(again));
    expect(await sidOf()).toBe(first);
    await visitor.send(await visitor.open("/account"), "/switch");
    await signedIn(visitor);
    expect(await sidOf()).not.toBe(first);
  });
});
