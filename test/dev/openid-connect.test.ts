import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { decodeJwt } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import local from "../../src/dev/index.ts";
import { filled, Visitor, type VisitedPage } from "../login/visitor.ts";
import {
  authorize,
  expectTokens,
  location,
  makeWebClient,
  redeem,
} from "../support/authorization.ts";
import { SIGNED_OUT } from "../support/logout.ts";
import type { OpenIdTokens } from "../support/openid.ts";
import { shown } from "../support/refusals.ts";
import { reasonOf } from "../support/request-lines.ts";
import { server, type TestClient, TestServer } from "../support/server.ts";

/** Tests the development sign-in page with OpenID Connect: what it tells an app about the person, and the sign-out. */

const LOCAL = "http://localhost:8787";

/** The Worker of `npm run dev`, with the variables that it sets. */
const fetchLocal = (request: Request, variables: Partial<Env> = {}) =>
  local.fetch(
    request,
    {
      ...env,
      ISSUER: LOCAL,
      LOGIN_URL: `${LOCAL}/dev/login`,
      LOGOUT_URL: `${LOCAL}/dev/logout`,
      ...variables,
    },
    createExecutionContext(),
  );

const dev = new TestServer(async (request) => fetchLocal(request));

let client: TestClient;

beforeAll(async () => {
  await server.makeScopes("openid", "profile", "email", "read");
  client = await makeWebClient({
    scope: "openid profile email read",
    post_logout_redirect_uris: [SIGNED_OUT],
  });
});

async function openPage(more: Record<string, string> = {}) {
  const { pathname, search } = location(await authorize(client, more, dev));
  const visitor = new Visitor(LOCAL, fetchLocal);
  return { visitor, page: await visitor.open(pathname + search) };
}

/** Types into the form, presses Allow, and exchanges the code. */
async function signIn(
  typed: Record<string, string>,
  more: Record<string, string> = {},
): Promise<OpenIdTokens> {
  const { visitor, page } = await openPage(more);
  const answer = { ...typed, answer: "allow" };
  const { location } = await visitor.send(page, "/dev/login", answer);
  const code = location?.searchParams.get("code") ?? "";
  const response = await redeem(client, code, {}, dev);
  return (await expectTokens(response)) as OpenIdTokens;
}

const namesIn = (page: VisitedPage) =>
  [...filled(page, "/dev/login").keys()].filter((name) => name !== "scope");

describe("the development sign-in page", () => {
  it.each([
    ["openid profile email read", ["request", "subject", "name", "email"]],
    ["openid profile", ["request", "subject", "name"]],
    ["openid email", ["request", "subject", "email"]],
    ["openid read", ["request", "subject"]],
  ])("asks for what the scopes release: %s", async (scope, fields) => {
    const { page } = await openPage({ scope });
    expect(namesIn(page)).toEqual(fields);
  });

  it("tells the app what was typed, in the ID token and at the UserInfo endpoint", async () => {
    const typed = {
      subject: "alice",
      name: "Alice Liddell",
      email: "alice@example.com",
    };
    const before = Math.floor(Date.now() / 1000);
    const tokens = await signIn(typed);
    const person = {
      sub: "alice",
      name: "Alice Liddell",
      preferred_username: "alice",
      email: "alice@example.com",
      email_verified: true,
    };
    const claims = decodeJwt(tokens.id_token);
    expect(claims).toMatchObject(person);
    expect(claims["auth_time"]).toBeGreaterThanOrEqual(before);
    expect(claims["auth_time"]).toBeLessThanOrEqual(Date.now() / 1000);
    const userinfo = await dev.http("/userinfo", {
      headers: { Authorization: `Bearer ${tokens.access_token}` },
    });
    expect(await userinfo.json()).toEqual(person);
  });

  it("tells nothing that was not typed", async () => {
    const claims = decodeJwt((await signIn({ subject: "bob" })).id_token);
    expect(claims).toMatchObject({ sub: "bob", preferred_username: "bob" });
    for (const name of ["name", "email", "email_verified"])
      expect(claims).not.toHaveProperty(name);
  });

  it.each([
    ["email", "nobody"],
    ["email", "a b@example.com"],
    ["email", `${"x".repeat(250)}@example.com`],
    ["name", "x".repeat(255)],
  ])("asks again for a wrong %s, and keeps the rest", async (field, value) => {
    const { visitor, page } = await openPage();
    const typed = { subject: "bob", name: "Bob", email: "bob@example.com" };
    const wrong = { ...typed, [field]: value };
    const answer = { ...wrong, answer: "allow", scope: ["openid", "email"] };
    const again = await visitor.send(page, "/dev/login", answer);
    expect(again.status).toBe(400);
    expect(again.html).toContain(`id="${field}-problem" role="alert"`);
    expect(again.html).toMatch(/The (?:e-mail address|display name) must/);
    const form = filled(again, "/dev/login");
    for (const [name, kept] of Object.entries(wrong))
      expect(form.get(name)).toBe(kept);
    expect(form.getAll("scope")).toEqual(["openid", "email"]);
  });

  it.each([{ prompt: "login" }, { max_age: "0" }])(
    "is a new sign-in each time, as %o wants",
    async (demand) => {
      const { id_token } = await signIn({ subject: "alice" }, demand);
      expect(decodeJwt(id_token).sub).toBe("alice");
    },
  );

  it("fills in the user of id_token_hint, and an address in login_hint", async () => {
    const { id_token } = await signIn({ subject: "alice" });
    const { page } = await openPage({
      id_token_hint: id_token,
      login_hint: "alice@example.com",
    });
    const form = filled(page, "/dev/login");
    expect(form.get("subject")).toBe("alice");
    expect(form.get("email")).toBe("alice@example.com");
  });
});

describe("the development sign-out page", () => {
  const signOut = (query: Record<string, string>) => {
    const path = `/end_session?${new URLSearchParams(query).toString()}`;
    return dev.http(path, { redirect: "manual" });
  };

  /** Follows the redirect from the end session endpoint to the page. */
  async function openSignOut(query: Record<string, string>) {
    const to = location(await signOut(query));
    expect(to.origin + to.pathname).toBe(`${LOCAL}/dev/logout`);
    return new Visitor(LOCAL, fetchLocal).open(to.pathname + to.search);
  }

  it("sends the browser back to the app, whose login has ended", async () => {
    const { id_token, refresh_token } = await signIn({ subject: "alice" });
    const { location } = await openSignOut({
      id_token_hint: id_token,
      post_logout_redirect_uri: SIGNED_OUT,
      state: "xyz",
    });
    expect(location?.href).toBe(`${SIGNED_OUT}?state=xyz`);
    expect((await server.refresh(client, refresh_token)).status).toBe(400);
  });

  it("tells the person that they are signed out if there is no page to go back to", async () => {
    const { id_token } = await signIn({ subject: "alice" });
    const page = await openSignOut({ id_token_hint: id_token });
    expect([page.status, page.title]).toEqual([200, "You are signed out"]);
  });

  it("says that nothing has ended, and why, if the app has sent no ID token", async () => {
    const { refresh_token } = await signIn({ subject: "alice" });
    const page = await openSignOut({ client_id: client.client_id });
    expect([page.status, page.title]).toEqual([200, "Nothing has ended"]);
    expect(page.html).toContain("id_token_hint");
    expect((await server.refresh(client, refresh_token)).status).toBe(200);
  });

  it("explains in plain words that a request is malformed", async () => {
    const response = await dev.http("/dev/logout?request=x");
    const page = await response.clone().text();
    expect(page).toContain("Sign-out failed");
    expect(await shown(response)).toEqual([
      400,
      "invalid_request",
      "logout_request_malformed",
    ]);
  });

  it.each<Partial<Env>>([
    { ISSUER: "https://auth.example.com" },
    { LOGOUT_URL: "https://login.example.com/" },
    { LOGOUT_URL: "" },
  ])(
    "does not exist if the server is not local, or has another page: %o",
    async (variables) => {
      const request = new Request(`${LOCAL}/dev/logout?request=x`);
      const response = await fetchLocal(request, variables);
      expect([response.status, reasonOf(response)]).toEqual([
        404,
        "path_unknown",
      ]);
    },
  );
});
