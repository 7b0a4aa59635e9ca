import { createHash, randomBytes } from "node:crypto";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SideBySide } from "./side-by-side.ts";
import { filled, type VisitedPage, Visitor } from "./visitor.ts";

/** Tests the example login with Baton over HTTP only: as a browser, and as the app. */

const REDIRECT_URI = "https://app.example.com/callback";
const verifier = randomBytes(32).toString("base64url");
const challenge = createHash("sha256").update(verifier).digest("base64url");

let workers: SideBySide;
let client: { client_id: string; client_secret: string };

beforeAll(async () => {
  workers = await SideBySide.prepare();
  await workers.start();
  const descriptions = { read: "Read your notes", write: "Change your notes" };
  for (const [scope, description] of Object.entries(descriptions))
    await admin("PUT", `/scopes/${scope}`, { description });
  const created = await admin("POST", "/clients", {
    client_name: "Notes & Co",
    scope: "read write",
    redirect_uris: [REDIRECT_URI],
  });
  client = (await created.json()) as typeof client;
});

afterAll(() => workers.stop());

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
  return response;
}

/** The address of the sign-in page to which Baton sends the browser. */
async function signInAddress(more: Record<string, string> = {}): Promise<URL> {
  const query = new URLSearchParams({
    response_type: "code",
    client_id: client.client_id,
    redirect_uri: REDIRECT_URI,
    state: "a state",
    code_challenge: challenge,
    code_challenge_method: "S256",
    ...more,
  });
  const url = `${workers.baton}/authorize?${query.toString()}`;
  return location(await fetch(url, { redirect: "manual" }));
}

function location(response: Response): URL {
  expect(response.status).toBe(303);
  return new URL(response.headers.get("Location") ?? "");
}

let visitors = 0;

/** A browser that nobody has used yet. Each has an address of its own, because guesses are limited per address. */
function newVisitor(): Visitor {
  const address = `198.51.100.${++visitors}`;
  return new Visitor(workers.login, (request) => {
    request.headers.append("CF-Connecting-IP", address);
    return fetch(request);
  });
}

/** Opens the sign-in page for a new request, in a browser of its own. */
async function openSignIn(more: Record<string, string> = {}) {
  const visitor = newVisitor();
  const { pathname, search } = await signInAddress(more);
  return { visitor, page: await visitor.open(pathname + search) };
}

/** Signs in. @returns the page that asks for consent */
async function openConsent(username: string, password: string) {
  const { visitor, page } = await openSignIn();
  return { visitor, page: await visitor.signIn(page, username, password) };
}

/** The address to which a page sends the browser. */
function redirectOf({ status, location }: VisitedPage): URL {
  expect(status).toBe(303);
  return location ?? expect.fail("a redirect has an address");
}

/** Answers the question for consent. @returns the address of the app, with the answer */
async function answerConsent(
  { visitor, page }: { visitor: Visitor; page: VisitedPage },
  more: Record<string, string | string[]> = { answer: "allow" },
): Promise<URL> {
  return redirectOf(await visitor.send(page, "/consent", more));
}

interface Tokens {
  access_token: string;
  refresh_token: string;
  scope?: string;
}

async function token(parameters: Record<string, string>): Promise<Tokens> {
  const response = await fetch(`${workers.baton}/access_token`, {
    method: "POST",
    body: new URLSearchParams({ ...client, ...parameters }),
  });
  expect(response.status, await response.clone().text()).toBe(200);
  return (await response.json()) as Tokens;
}

/** Exchanges the code of a callback, as the app does. */
function redeem(callback: URL): Promise<Tokens> {
  return token({
    grant_type: "authorization_code",
    code: callback.searchParams.get("code") ?? "",
    redirect_uri: REDIRECT_URI,
    code_verifier: verifier,
  });
}

describe("the example login", () => {
  it("shows which app asks, and then for what", async () => {
    const { visitor, page } = await openSignIn({ login_hint: '"alice"' });
    expect(page.status).toBe(200);
    expect(page.title).toBe("Sign in to Notes &amp; Co");
    expect(page.html).toContain("you go back to app.example.com");
    expect(page.html).toContain('value="&quot;alice&quot;"');
    const form = page.forms.get("/sign-in");
    expect([...(form?.keys() ?? [])]).toEqual([
      "csrf",
      "request",
      "username",
      "password",
    ]);

    const consent = await visitor.signIn(page);
    expect(consent.status).toBe(200);
    expect(consent.title).toBe("Allow Notes &amp; Co?");
    expect(consent.html).toContain("Alice Liddell");
    expect(consent.html).toContain("Read your notes");
    expect(consent.html).toContain("Change your notes");
    expect(consent.html).toContain("you go back to app.example.com");
    expect(filled(consent, "/consent").getAll("scope")).toEqual([
      "read",
      "write",
    ]);
  });

  it("answers prompt=none with login_required by redirect, and never with a page", async () => {
    for (const hint of [{}, { login_hint: "alice" }]) {
      const { page } = await openSignIn({ prompt: "none", ...hint });
      expect(page.headers.get("Cache-Control")).toBe("no-store");
      const callback = redirectOf(page);
      expect(callback.origin + callback.pathname).toBe(REDIRECT_URI);
      expect(Object.fromEntries(callback.searchParams)).toEqual({
        error: "login_required",
        error_description: "The user must sign in.",
        state: "a state",
        iss: workers.baton,
      });
    }
  });

  it("asks for password and consent where prompt wants that", async () => {
    for (const prompt of ["login", "consent", "select_account login"]) {
      const { visitor, page } = await openSignIn({ prompt });
      const consent = await visitor.signIn(page);
      expect(consent.title).toBe("Allow Notes &amp; Co?");
    }
  });

  it("signs a person in: the app gets tokens and can refresh them", async () => {
    const asked = await openConsent("alice", "rabbit-hole");
    const callback = await answerConsent(asked);
    expect(callback.origin + callback.pathname).toBe(REDIRECT_URI);
    expect([...callback.searchParams.keys()]).toEqual(["code", "state", "iss"]);
    expect(callback.searchParams.get("state")).toBe("a state");
    expect(callback.searchParams.get("iss")).toBe(workers.baton);

    const first = await redeem(callback);
    expect(first.scope).toBe("read write");
    expect(decodeJwt(first.access_token)).toMatchObject({
      iss: workers.baton,
      sub: "alice",
      client_id: client.client_id,
      scope: "read write",
      roles: ["editor"],
    });
    const second = await token({
      grant_type: "refresh_token",
      refresh_token: first.refresh_token,
    });
    expect(second.refresh_token).not.toBe(first.refresh_token);
    expect(decodeJwt(second.access_token)).toMatchObject({
      sub: "alice",
      roles: ["editor"],
    });
  });

  it("asks nothing the second time, also with prompt=none", async () => {
    const asked = await openConsent("alice@example.com", "rabbit-hole");
    await redeem(await answerConsent(asked));
    for (const more of [{}, { prompt: "none" }]) {
      const { pathname, search } = await signInAddress(more);
      const page = await asked.visitor.open(pathname + search);
      const { scope } = await redeem(redirectOf(page));
      expect(scope).toBe("read write");
    }
  });

  it("gives the app only the scopes that stay ticked", async () => {
    const asked = await openConsent("bob", "can-we-fix-it");
    const answer = { answer: "allow", scope: "read" };
    const some = await redeem(await answerConsent(asked, answer));
    expect(some.scope).toBe("read");

    const bare = await openConsent("bob", "can-we-fix-it");
    const back = await answerConsent(bare, { answer: "allow", scope: [] });
    expect(back.searchParams.get("error")).toBe("access_denied");
  });

  it("tells the app that the person denied the request, also without a name or a password", async () => {
    const { visitor, page } = await openSignIn();
    const asked = await openConsent("alice", "rabbit-hole");
    for (const callback of [
      redirectOf(await visitor.send(page, "/sign-in", { answer: "deny" })),
      await answerConsent(asked, { answer: "deny" }),
    ]) {
      expect(callback.origin + callback.pathname).toBe(REDIRECT_URI);
      expect(Object.fromEntries(callback.searchParams)).toEqual({
        error: "access_denied",
        error_description: "The resource owner denied the request.",
        state: "a state",
        iss: workers.baton,
      });
    }
  });

  it("shows the form again, and does not tell whether the name or the password was wrong", async () => {
    const attempts = [
      ["alice", "can-we-fix-it"],
      ["carol", "rabbit-hole"],
      ["constructor", ""],
    ] as const;
    const pages = await Promise.all(
      attempts.map(async ([username, password]) => {
        const { visitor, page } = await openSignIn();
        const form = filled(page, "/sign-in");
        const wrong = await visitor.signIn(page, username, password);
        expect(wrong.status).toBe(403);
        const again = filled(wrong, "/sign-in");
        expect(again.get("request")).toBe(form.get("request"));
        expect(again.get("username")).toBe(username);
        expect(again.get("password")).toBe("");
        return wrong.html
          .replace(`value="${username}"`, "")
          .replaceAll(form.get("request") ?? "", "")
          .replaceAll(form.get("csrf") ?? "", "")
          .replace(/nonce="[^"]*"/, "");
      }),
    );
    expect(pages[0]).toContain("The user name or the password is wrong.");
    expect(new Set(pages).size).toBe(1);
  });

  it("accepts the right password after a wrong one", async () => {
    const { visitor, page } = await openConsent("alice", "wrong");
    const consent = await visitor.signIn(page);
    const callback = await answerConsent({ visitor, page: consent });
    expect(callback.searchParams.has("code")).toBe(true);
  });

  it("shows an error page for a request that Baton did not make", async () => {
    const { visitor, page } = await openConsent("alice", "rabbit-hole");
    const request = filled(page, "/consent").get("request") ?? "";
    const middle = request.length / 2;
    const altered = request.slice(0, middle) + request.slice(middle + 1);
    const query = new URLSearchParams({ request: altered }).toString();
    const answers = [await visitor.open(`/?${query}`)];
    for (const answer of ["allow", "deny"]) {
      const form = { request: altered, answer };
      answers.push(await visitor.send(page, "/consent", form));
    }
    const signIn = await openSignIn();
    const form = { request: altered, username: "alice", password: "wrong" };
    answers.push(await signIn.visitor.send(signIn.page, "/sign-in", form));
    form.password = "rabbit-hole";
    answers.push(await signIn.visitor.send(signIn.page, "/sign-in", form));
    for (const answer of answers) {
      expect(answer.status).toBe(400);
      expect(answer.title).toBe("This sign-in cannot go on");
      expect(answer.html).not.toContain("<form");
    }
  });

  it("refuses a scope that the app did not ask for", async () => {
    const { visitor, page } = await openConsent("alice", "rabbit-hole");
    const form = { answer: "allow", scope: ["read", "admin"] };
    expect((await visitor.send(page, "/consent", form)).status).toBe(400);
  });

  it("answers 404 to another path, 403 to a form without its token, and 413 to one that is too large", async () => {
    const visitor = newVisitor();
    const unknown = await visitor.open("/nothing");
    expect(unknown.status).toBe(404);
    expect(unknown.title).toBe("There is no such page");
    expect(unknown.html).not.toContain("too long");
    const none = await visitor.post("/sign-in", new URLSearchParams());
    expect(none.status).toBe(403);
    const form = new URLSearchParams({ request: "x".repeat(100_000) });
    const large = await visitor.post("/sign-in", form);
    expect([large.status, large.title]).toEqual([
      413,
      "This form is too large",
    ]);
  });

  it("leads a person who has not come from an app to their account", async () => {
    for (const path of ["/", "/?request="]) {
      const page = await newVisitor().open(path);
      const { pathname, search } = redirectOf(page);
      expect(pathname + search).toBe("/account");
    }
  });

  it("can't be framed or cached, sends no Referer, and has no script", async () => {
    const { visitor, page } = await openSignIn();
    const wrong = await visitor.signIn(page, "alice", "wrong");
    const consent = await visitor.signIn(wrong);
    const answers = [
      page,
      wrong,
      consent,
      await visitor.open("/account"),
      await visitor.send(consent, "/consent", { csrf: "x" }),
      await visitor.send(consent, "/consent", { answer: "allow" }),
      await visitor.open("/?request=altered"),
    ];
    expect(answers.map(({ status }) => status)).toEqual([
      200, 403, 200, 200, 403, 303, 400,
    ]);
    for (const { headers, html } of answers) {
      const policy = headers.get("Content-Security-Policy");
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toContain("script-src");
      expect(headers.get("Cache-Control")).toBe("no-store");
      expect(headers.get("Referrer-Policy")).toBe("no-referrer");
      expect(headers.get("X-Frame-Options")).toBe("DENY");
      expect(html).not.toContain("<script");
    }
  });

  it("limits attempts to guess a password", async () => {
    const { visitor, page } = await openSignIn();
    const wrong = { username: "alice", password: "wrong" };
    // Twice the limit plus one, which is too many even if a minute ends in between.
    const statuses = await Promise.all(
      Array.from({ length: 2 * 20 + 1 }, async () => {
        const answer = await visitor.send(page, "/sign-in", wrong);
        return answer.status;
      }),
    );
    expect(new Set(statuses)).toEqual(new Set([403, 429]));
  });

  it("logs neither requests nor passwords nor codes nor cookies", async () => {
    const { visitor, page } = await openConsent("alice", "rabbit-hole");
    const request = filled(page, "/consent").get("request");
    const callback = await answerConsent({ visitor, page });
    await redeem(callback);
    expect(workers.output).toContain("GET /authorize 303");
    expect(workers.output).toContain("POST /consent 303");
    for (const secret of [
      request,
      callback.searchParams.get("code"),
      visitor.cookie,
      workers.sessionSecret,
      "eyJ",
      "rabbit-hole",
    ])
      expect(workers.output).not.toContain(secret);
  });
});
