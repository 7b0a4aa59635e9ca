import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import local from "../../src/dev/index.ts";
import { DOCUMENTS_ON } from "../support/agent-site.ts";
import {
  authorize,
  expectTokens,
  location,
  makeWebClient,
  redeem,
  REDIRECT_URI,
} from "../support/authorization.ts";
import { shown } from "../support/refusals.ts";
import { reasonOf } from "../support/request-lines.ts";
import { makeDocumentClient, RESOURCE } from "../support/self-registered.ts";
import { server, serverWith, TestServer } from "../support/server.ts";

/** Tests the sign-in page of a local server, read and filled in as by a browser without JavaScript. */

const LOCAL = "http://localhost:8787";

/** The Worker of `npm run dev`, with the variables that it sets. */
function localServer(variables: Record<string, unknown> = {}): TestServer {
  const bindings = {
    ...env,
    ISSUER: LOCAL,
    LOGIN_URL: `${LOCAL}/dev/login`,
    ...variables,
  };
  return new TestServer(async (request) =>
    local.fetch(request, bindings, createExecutionContext()),
  );
}

const dev = localServer(DOCUMENTS_ON);

beforeAll(async () => {
  await server.expectAdmin("PUT", "/scopes/read", {
    description: "Read your notes",
  });
  await server.expectAdmin("PUT", "/scopes/write", {
    description: "Write <b>for</b> you",
  });
});

/** Opens the page to which the authorization endpoint redirects. */
async function openPage(
  client: { client_id: string },
  more: Record<string, string> = {},
) {
  const url = location(await authorize(client, more, dev));
  expect(url.origin + url.pathname).toBe(`${LOCAL}/dev/login`);
  const response = await dev.http(url.pathname + url.search, {
    redirect: "manual",
  });
  return { url, response, html: await response.text() };
}

/** The fields of the page's form that a browser would send, without the pressed button. */
async function fieldsOf(html: string): Promise<[string, string][]> {
  const fields: [string, string][] = [];
  const page = new HTMLRewriter()
    .on("form input", {
      element(input) {
        const isCheckbox = input.getAttribute("type") === "checkbox";
        if (isCheckbox && !input.hasAttribute("checked")) return;
        fields.push([
          input.getAttribute("name") ?? "",
          (input.getAttribute("value") ?? "").replaceAll("&amp;", "&"),
        ]);
      },
    })
    .transform(new Response(html));
  await page.text();
  return fields;
}

function answer(
  fields: [string, string][],
  more: Record<string, string>,
): Promise<Response> {
  const kept = fields.filter(([name]) => !(name in more));
  const body = new URLSearchParams([...kept, ...Object.entries(more)]);
  return dev.http("/dev/login", { method: "POST", body, redirect: "manual" });
}

describe("the development sign-in page", () => {
  it("shows the client, the descriptions of the requested scopes, and the host of the redirect URI", async () => {
    const client = await makeWebClient({
      client_name: "Notes & <i>more</i>",
      scope: "read write",
    });
    const { response, html } = await openPage(client);
    expect(response.status).toBe(200);
    expect(response.headers.get("Content-Type")).toBe(
      "text/html; charset=UTF-8",
    );
    expect(html).toContain("Sign in to Notes &amp; &lt;i&gt;more&lt;/i&gt;");
    expect(html).toContain("Read your notes");
    expect(html).toContain("Write &lt;b&gt;for&lt;/b&gt; you");
    expect(html).toContain("app.example.com");
    expect(html).not.toContain("<script");
  });

  it("can't be framed or cached, and does not leak its address", async () => {
    const { response } = await openPage(await makeWebClient());
    const policy = response.headers.get("Content-Security-Policy");
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(response.headers.get("X-Frame-Options")).toBe("DENY");
    expect(response.headers.get("Referrer-Policy")).toBe("no-referrer");
    expect(response.headers.get("Cache-Control")).toBe("no-store");
  });

  it("signs in any user by name, and the code is for that user", async () => {
    const client = await makeWebClient({ scope: "read write" });
    const { html } = await openPage(client);
    const redirect = location(
      await answer(await fieldsOf(html), { subject: "bob", answer: "allow" }),
    );
    expect(redirect.origin + redirect.pathname).toBe(REDIRECT_URI);
    expect(redirect.searchParams.get("state")).toBe("xyz");
    expect(redirect.searchParams.get("iss")).toBe(LOCAL);
    const code = redirect.searchParams.get("code") ?? "";
    const tokens = await expectTokens(await redeem(client, code, {}, dev));
    expect(tokens.scope).toBe("read write");
    const { grants } = await server.expectAdmin<{
      grants: { client_id: string }[];
    }>("GET", "/subjects/bob/grants");
    expect(grants.map(({ client_id }) => client_id)).toContain(
      client.client_id,
    );
  });

  it.each(["myapp://", "cursor://anysphere.cursor-mcp/oauth/callback"])(
    "goes back to an app with a scheme of its own: %s",
    async (redirect_uri) => {
      const client = await makeWebClient({ redirect_uris: [redirect_uri] });
      const { html } = await openPage(client, { redirect_uri });
      const allow = { subject: "bob", answer: "allow" };
      const response = await answer(await fieldsOf(html), allow);
      const back = response.headers.get("Location") ?? "";
      expect(back.startsWith(`${redirect_uri}?code=`)).toBe(true);
      const code = new URL(back).searchParams.get("code") ?? "";
      await expectTokens(await redeem(client, code, { redirect_uri }, dev));
    },
  );

  it("grants the scopes that are ticked, and denies the request if none is ticked", async () => {
    const client = await makeWebClient({ scope: "read write" });
    const granted = async (ticked: string[]) => {
      const { html } = await openPage(client);
      const fields = (await fieldsOf(html)).filter(
        ([name, value]) => name !== "scope" || ticked.includes(value),
      );
      const redirect = location(
        await answer(fields, { subject: "bob", answer: "allow" }),
      );
      const code = redirect.searchParams.get("code") ?? "";
      return (await expectTokens(await redeem(client, code, {}, dev))).scope;
    };
    expect(await granted(["write"])).toBe("write");
    const { html } = await openPage(client);
    const noScopes = (await fieldsOf(html)).filter(
      ([name]) => name !== "scope",
    );
    const allow = { subject: "bob", answer: "allow" };
    const redirect = location(await answer(noScopes, allow));
    expect(redirect.searchParams.get("error")).toBe("access_denied");
  });

  it("denies the request without a name", async () => {
    const { html } = await openPage(await makeWebClient());
    const redirect = location(
      await answer(await fieldsOf(html), { subject: "", answer: "deny" }),
    );
    expect(Object.fromEntries(redirect.searchParams)).toEqual({
      error: "access_denied",
      error_description: expect.any(String),
      state: "xyz",
      iss: LOCAL,
    });
  });

  it.each([
    ["no name", ""],
    ["a name that is too long", "é".repeat(200)],
    ["a name of control characters", "\u0007"],
  ])("asks again after %s, and keeps the ticked scopes", async (_, subject) => {
    const client = await makeWebClient({ scope: "read write" });
    const { html } = await openPage(client);
    const fields = (await fieldsOf(html)).filter(
      ([, value]) => value !== "write",
    );
    const response = await answer(fields, { subject, answer: "allow" });
    expect(response.status).toBe(400);
    const again = await response.text();
    expect(again).toContain('role="alert"');
    const kept = await fieldsOf(again);
    expect(kept.filter(([name]) => name === "scope")).toEqual([
      ["scope", "read"],
    ]);
    expect(
      location(
        await answer(kept, { subject: "bob", answer: "allow" }),
      ).searchParams.has("code"),
    ).toBe(true);
  });

  it("fills in the name of login_hint", async () => {
    const { html } = await openPage(await makeWebClient(), {
      login_hint: 'b"ob',
    });
    expect(html).toContain('value="b&quot;ob"');
  });

  it("answers prompt=none with login_required by redirect, because nobody stays signed in", async () => {
    const client = await makeWebClient({ scope: "read write" });
    for (const more of [{}, { login_hint: "bob" }, { prompt: " none " }]) {
      const { response, html } = await openPage(client, {
        prompt: "none",
        ...more,
      });
      expect(html).toBe("");
      expect(response.headers.get("Cache-Control")).toBe("no-store");
      const redirect = location(response);
      expect(redirect.origin + redirect.pathname).toBe(REDIRECT_URI);
      expect(Object.fromEntries(redirect.searchParams)).toEqual({
        error: "login_required",
        error_description: "The user must sign in.",
        state: "xyz",
        iss: LOCAL,
      });
    }
  });

  it("answers prompt=none by redirect also after somebody has signed in", async () => {
    const client = await makeWebClient();
    const { html } = await openPage(client);
    const signedIn = await answer(await fieldsOf(html), {
      subject: "bob",
      answer: "allow",
    });
    expect(signedIn.headers.get("Set-Cookie")).toBeNull();
    const { response } = await openPage(client, { prompt: "none" });
    const { searchParams } = location(response);
    expect(searchParams.get("error")).toBe("login_required");
  });

  it.each(["login", "consent", "select_account", "login consent", "create"])(
    "shows the page for prompt=%s, and asks for name and consent as always",
    async (prompt) => {
      const client = await makeWebClient({ scope: "read write" });
      const { response, html } = await openPage(client, {
        prompt,
        login_hint: "bob",
      });
      expect(response.status).toBe(200);
      const names = (await fieldsOf(html)).map(([name]) => name);
      expect(names).toEqual(["request", "subject", "scope", "scope"]);
      expect(html).toContain('value="bob"');
    },
  );

  it("does not grant a scope that was added to the form", async () => {
    const client = await makeWebClient({ scope: "read write" });
    const { html } = await openPage(client, { scope: "read" });
    const response = await answer(
      [...(await fieldsOf(html)), ["scope", "write"]],
      { subject: "bob", answer: "allow" },
    );
    expect(await shown(response)).toEqual([
      400,
      "invalid_scope",
      "scope_not_granted",
    ]);
  });

  it("explains in plain words that a request is malformed, altered or expired", async () => {
    const { url } = await openPage(await makeWebClient());
    const request = url.searchParams.get("request") ?? "";
    for (const bad of [
      "?request=",
      "?request=x",
      `?request=${request.slice(0, -1)}`,
    ]) {
      const response = await dev.http(`/dev/login${bad}`);
      const page = await response.clone().text();
      expect(page).toContain("This sign-in cannot go on");
      expect(await shown(response)).toEqual([
        400,
        "invalid_request",
        "authorization_request_malformed",
      ]);
    }
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 30 * 60_000 });
    try {
      const late = await dev.http(`/dev/login?request=${request}`);
      const page = await late.clone().text();
      expect(page).toContain("This sign-in took too long");
      expect(await shown(late)).toEqual([
        400,
        "invalid_request",
        "authorization_request_expired",
      ]);
    } finally {
      vi.useRealTimers();
    }
  });

  it("shows the hosts of an app that has registered itself, warns of one on the device, and sends the consent", async () => {
    const redirect_uris = ["http://127.0.0.1/callback"];
    const client_name = 'Notes” <b>by "us"';
    const client = await makeDocumentClient({ redirect_uris, client_name });
    const redirect_uri = "http://127.0.0.1:51004/callback";
    const asked = { redirect_uri, resource: RESOURCE };
    const { html } = await openPage(client, asked);
    expect(html).toContain(
      "Sign in to an app that calls itself “Notes&#39; &lt;b&gt;by &#39;us&#39;”",
    );
    expect(html).toContain("agent.example.com describes it");
    expect(html).toContain(
      "127.0.0.1:51004, a program on this device. Any program",
    );
    expect(html).toContain("This app asks to");
    const fields = await fieldsOf(html);
    const allow = { subject: "bob", answer: "allow" };
    const { searchParams } = location(await answer(fields, allow));
    const code = searchParams.get("code") ?? "";
    await expectTokens(await redeem(client, code, { redirect_uri }, dev));
    const deny = { subject: "", answer: "deny" };
    const denied = location(await answer(fields, deny));
    expect(denied.searchParams.get("error")).toBe("access_denied");

    const website = await makeDocumentClient();
    const page = await openPage(website, { resource: RESOURCE });
    expect(page.html).toContain("nobody has checked it");
    expect(page.html).not.toContain("Any program");
  });

  it("says where to start if it is opened without a request", async () => {
    const response = await dev.http("/dev/login");
    expect(response.status).toBe(400);
    expect(await response.text()).toContain("Start at an app");
  });

  it("does not exist if the server is not local, or has another sign-in page", async () => {
    for (const otherServer of [
      serverWith({ LOGIN_URL: `${LOCAL}/dev/login`, ISSUER: LOCAL }),
      localServer({ ISSUER: "https://auth.example.com" }),
      localServer({
        ISSUER: "https://auth.example.com",
        LOGIN_URL: "https://auth.example.com/dev/login",
      }),
      localServer({ LOGIN_URL: "https://login.example.com/" }),
      localServer({ LOGIN_URL: "" }),
    ]) {
      for (const method of ["GET", "POST"]) {
        const path = "/dev/login?request=x";
        const response = await otherServer.http(path, { method });
        expect([response.status, reasonOf(response)]).toEqual([
          404,
          "path_unknown",
        ]);
      }
    }
  });
});
