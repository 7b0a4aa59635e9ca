import { createHash, randomBytes } from "node:crypto";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SideBySide } from "./side-by-side.ts";

/** Tests the example sign-in page with Baton over HTTP only: as a browser, and as the app. */

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

/** The form of a page as a browser would send it unchanged. */
function formOf(page: string): URLSearchParams {
  const form = new URLSearchParams();
  for (const [input] of page.matchAll(/<input [^>]*>/g)) {
    const attribute = (name: string) =>
      new RegExp(` ${name}="([^"]*)"`).exec(input)?.[1];
    const isSent = attribute("type") !== "checkbox" || / checked/.test(input);
    if (isSent) form.append(attribute("name") ?? "", attribute("value") ?? "");
  }
  return form;
}

/** The form of a new page, filled in, with the button "Allow". */
async function filledForm(
  username: string,
  password: string,
): Promise<URLSearchParams> {
  const response = await fetch(await signInAddress());
  const form = formOf(await response.text());
  for (const [name, value] of Object.entries({ username, password }))
    form.set(name, value);
  form.set("answer", "allow");
  return form;
}

function send(
  form: URLSearchParams,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${workers.login}/`, {
    method: "POST",
    headers,
    body: form,
    redirect: "manual",
  });
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

describe("the example sign-in page", () => {
  it("shows who asks for what", async () => {
    const login = await signInAddress({ login_hint: '"alice"' });
    expect(login.origin + login.pathname).toBe(`${workers.login}/`);
    const response = await fetch(login);
    expect(response.status).toBe(200);
    const page = await response.text();
    expect(page).toContain("<h1>Sign in to Notes &amp; Co</h1>");
    expect(page).toContain("Read your notes");
    expect(page).toContain("Change your notes");
    expect(page).toContain("you go back to app.example.com");
    expect(page).toContain('value="&quot;alice&quot;"');
    expect(formOf(page).getAll("scope")).toEqual(["read", "write"]);
  });

  it("answers prompt=none with login_required by redirect, and never with a page", async () => {
    for (const hint of [{}, { login_hint: "alice" }]) {
      const login = await signInAddress({ prompt: "none", ...hint });
      const response = await fetch(login, { redirect: "manual" });
      expect(response.headers.get("Cache-Control")).toBe("no-store");
      const callback = location(response);
      expect(callback.origin + callback.pathname).toBe(REDIRECT_URI);
      expect(Object.fromEntries(callback.searchParams)).toEqual({
        error: "login_required",
        error_description: "The user must sign in.",
        state: "a state",
        iss: workers.baton,
      });
    }
  });

  it("asks for password and consent where prompt wants that, as it always does", async () => {
    for (const prompt of ["login", "consent", "select_account login"]) {
      const response = await fetch(await signInAddress({ prompt }), {
        redirect: "manual",
      });
      expect(response.status).toBe(200);
      const form = formOf(await response.text());
      expect([...form.keys()]).toEqual([
        "request",
        "username",
        "password",
        "scope",
        "scope",
      ]);
    }
  });

  it("signs a person in: the app gets tokens and can refresh them", async () => {
    const callback = location(
      await send(await filledForm("alice", "rabbit-hole")),
    );
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
    });
    const second = await token({
      grant_type: "refresh_token",
      refresh_token: first.refresh_token,
    });
    expect(second.refresh_token).not.toBe(first.refresh_token);
    expect(decodeJwt(second.access_token)["sub"]).toBe("alice");
  });

  it("gives the app only the scopes that stay ticked", async () => {
    const form = await filledForm("bob", "can-we-fix-it");
    form.delete("scope", "write");
    const some = await redeem(location(await send(form)));
    expect(some.scope).toBe("read");

    const bare = await filledForm("bob", "can-we-fix-it");
    bare.delete("scope");
    const back = location(await send(bare));
    expect(back.searchParams.get("error")).toBe("access_denied");
  });

  it("tells the app that the person denied the request, without a name or a password", async () => {
    const form = await filledForm("", "");
    form.set("answer", "deny");
    const callback = location(await send(form));
    expect(callback.origin + callback.pathname).toBe(REDIRECT_URI);
    expect(Object.fromEntries(callback.searchParams)).toEqual({
      error: "access_denied",
      error_description: "The resource owner denied the request.",
      state: "a state",
      iss: workers.baton,
    });
  });

  it("shows the form again, and does not tell whether the name or the password was wrong", async () => {
    const attempts = [
      ["alice", "can-we-fix-it"],
      ["carol", "rabbit-hole"],
      ["constructor", ""],
    ] as const;
    const pages = await Promise.all(
      attempts.map(async ([username, password]) => {
        const form = await filledForm(username, password);
        form.delete("scope", "write");
        const response = await send(form);
        expect(response.status).toBe(403);
        const page = await response.text();
        const again = formOf(page);
        expect(again.get("request")).toBe(form.get("request"));
        expect(again.get("username")).toBe(username);
        expect(again.get("password")).toBe("");
        expect(again.getAll("scope")).toEqual(["read"]);
        return page
          .replace(`value="${username}"`, "")
          .replace(form.get("request") ?? "", "")
          .replace(/nonce="[^"]*"/, "");
      }),
    );
    expect(pages[0]).toContain("The user name or the password is wrong.");
    expect(new Set(pages).size).toBe(1);
  });

  it("accepts the right password after a wrong one", async () => {
    const form = await filledForm("alice", "wrong");
    const again = formOf(await (await send(form)).text());
    again.set("password", "rabbit-hole");
    again.set("answer", "allow");
    expect(location(await send(again)).searchParams.has("code")).toBe(true);
  });

  it("shows an error page for a request that Baton did not make", async () => {
    const form = await filledForm("alice", "rabbit-hole");
    const request = form.get("request") ?? "";
    const middle = request.length / 2;
    const altered = request.slice(0, middle) + request.slice(middle + 1);
    const query = new URLSearchParams({ request: altered }).toString();
    const answers = [await fetch(`${workers.login}/`)];
    answers.push(await fetch(`${workers.login}/?${query}`));
    form.set("request", altered);
    answers.push(await send(form));
    form.set("password", "wrong");
    answers.push(await send(form));
    form.set("answer", "deny");
    answers.push(await send(form));
    answers.push(await send(new URLSearchParams()));
    for (const answer of answers) {
      expect(answer.status).toBe(400);
      const page = await answer.text();
      expect(page).toContain("<h1>This sign-in cannot go on</h1>");
      expect(page).not.toContain("<form");
    }
  });

  it("refuses a scope that the app did not ask for", async () => {
    const form = await filledForm("alice", "rabbit-hole");
    form.append("scope", "admin");
    expect((await send(form)).status).toBe(400);
  });

  it("answers 404 to another path and 413 to a form that is too large", async () => {
    const elsewhere = await fetch(`${workers.login}/favicon.ico`);
    expect(elsewhere.status).toBe(404);
    const form = new URLSearchParams({ request: "x".repeat(100_000) });
    expect((await send(form)).status).toBe(413);
  });

  it("can't be framed or cached, sends no Referer, and has no script", async () => {
    const form = await filledForm("alice", "rabbit-hole");
    const wrong = new URLSearchParams(form);
    wrong.set("password", "wrong");
    const answers = [
      await fetch(await signInAddress()),
      await send(wrong),
      await send(form),
      await fetch(`${workers.login}/?request=altered`),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 403, 303, 400]);
    for (const { headers } of answers) {
      const policy = headers.get("Content-Security-Policy");
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toContain("script-src");
      expect(headers.get("Cache-Control")).toBe("no-store");
      expect(headers.get("Referrer-Policy")).toBe("no-referrer");
      expect(headers.get("X-Frame-Options")).toBe("DENY");
      expect(headers.get("Set-Cookie")).toBeNull();
    }
    for (const answer of answers)
      expect(await answer.text()).not.toContain("<script");
  });

  it("limits attempts to guess a password", async () => {
    const form = await filledForm("alice", "wrong");
    // Twice the limit plus one, which is too many even if a minute ends in between.
    const statuses = await Promise.all(
      Array.from({ length: 2 * 20 + 1 }, async () => {
        const response = await send(form, { "CF-Connecting-IP": "192.0.2.1" });
        await response.body?.cancel();
        return response.status;
      }),
    );
    expect(new Set(statuses)).toEqual(new Set([403, 429]));
  });

  it("logs neither requests nor passwords nor codes", async () => {
    const form = await filledForm("alice", "rabbit-hole");
    const callback = location(await send(form));
    await redeem(callback);
    expect(workers.output).toContain("GET /authorize 303");
    expect(workers.output).toContain("POST / 303");
    for (const secret of [
      form.get("request"),
      callback.searchParams.get("code"),
      "eyJ",
      "rabbit-hole",
    ])
      expect(workers.output).not.toContain(secret);
  });
});
