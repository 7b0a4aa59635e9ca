import { decodeJwt } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import {
  expectTokens,
  makeWebClient,
  redeem,
  REDIRECT_URI,
  requestAtLogin,
} from "../support/authorization.ts";
import { server } from "../support/server.ts";
import {
  makeDocumentClient,
  makeRegisteredClient,
  RESOURCE,
  withDocuments,
} from "../support/self-registered.ts";
import { newVisitor } from "./isolated.ts";
import type { Visitor, VisitedPage } from "./visitor.ts";

/**
 * Tests what the example login shows of an app that has registered itself, what it remembers of the consent, and how it
 * adds what such an app has already.
 */

const LOOPBACK = "http://127.0.0.1:51004/callback";

beforeAll(() => server.makeScopes("openid", "read", "write", "delete"));

type Client = { client_id: string };
type Asked = Record<string, string>;

const requestOf = (client: Client, more: Asked = {}) =>
  requestAtLogin(
    client,
    { resource: RESOURCE, scope: "read", ...more },
    withDocuments,
  );

/** Opens the sign-in, and signs in if the page asks for it. */
async function begin(
  visitor: Visitor,
  client: Client,
  more: Asked = {},
): Promise<VisitedPage> {
  const page = await visitor.begin(await requestOf(client, more));
  return page.forms.has("/sign-in") ? visitor.signIn(page) : page;
}

const allow = (visitor: Visitor, page: VisitedPage, more = {}) =>
  visitor.send(page, "/consent", { answer: "allow", ...more });

async function tokensOf({ location }: VisitedPage, client: Client) {
  const code = location?.searchParams.get("code") ?? "none";
  const redirect_uri = (location?.origin ?? "") + location?.pathname;
  return expectTokens(await redeem(client, code, { redirect_uri }));
}

/** The words of a page, as somebody reads them. */
const wordsOf = ({ html }: VisitedPage) =>
  html
    .replace(/<style.*?<\/style>/s, "")
    .replaceAll(/<[^>]*>/g, " ")
    .replaceAll(/\s+/g, " ");

const isConsent = ({ forms }: VisitedPage) => forms.has("/consent");

describe("the consent page for an app that has registered itself", () => {
  it("shows the name as a claim, both hosts, and what the access is for", async () => {
    const client = await makeDocumentClient({ client_name: "Claude" });
    const words = wordsOf(await begin(newVisitor(), client));
    expect(words).toContain("Allow an app that calls itself “ Claude ”?");
    expect(words).toContain("Asked by agent.example.com");
    expect(words).toContain("You go back to app.example.com");
    expect(words).toContain(`For ${RESOURCE}`);
    expect(words).toContain("its name is what agent.example.com says");
    expect(words).toContain("sends you to another site, app.example.com");
    expect(words).toContain("This app asks to May read");
  });

  it.each([
    [LOOPBACK, "127.0.0.1:51004 (a program on this device)"],
    ["evil://agent.example.com/callback", "evil: (a program on this device)"],
  ])(
    "warns that any program can be behind %s, whoever has the document",
    async (redirect_uri, shown) => {
      const client = await makeDocumentClient({
        redirect_uris: [redirect_uri],
      });
      const page = await begin(newVisitor(), client, { redirect_uri });
      const words = wordsOf(page);
      expect(words).toContain(`You go back to ${shown}`);
      expect(words).toMatch(
        /Any program on this device can ask in this name ?, also one that is not from agent\.example\.com\. Allow it only if you have just started this sign-in yourself/,
      );
    },
  );

  it("warns of an app of dynamic registration, which has no host that asks", async () => {
    const client = await makeRegisteredClient({ client_name: undefined });
    const words = wordsOf(await begin(newVisitor(), client));
    expect(words).toContain("Allow an app without a name?");
    expect(words).toContain("Asked by an app that has registered itself");
    expect(words).toContain("Nobody has checked this app or its name.");
    expect(words).not.toContain(client.client_id);
  });

  it("does not warn if the host that asks is the one to which the person goes", async () => {
    const client = await makeDocumentClient({}, "app.example.com");
    const { html } = await begin(newVisitor(), client);
    expect(html).not.toContain('class="warning"');
    expect(html).toContain("its name is what app.example.com says");
  });

  it("shows a name as text that ends where the name ends", async () => {
    const client = await makeDocumentClient({
      client_name: 'Notes”, checked by us. <b>"Safe"</b>',
    });
    const { html, title } = await begin(newVisitor(), client);
    expect(title).toBe(
      "Allow an app that calls itself “<bdi>Notes&#39;, checked by us. &lt;b&gt;&#39;Safe&#39;&lt;/b&gt;</bdi>”?",
    );
    expect(html).not.toContain("<b>");
  });

  it("can't be framed, and is not stored", async () => {
    const { headers } = await begin(newVisitor(), await makeDocumentClient());
    expect(headers.get("Content-Security-Policy")).toContain(
      "frame-ancestors 'none'",
    );
    expect(headers.get("X-Frame-Options")).toBe("DENY");
    expect(headers.get("Cache-Control")).toBe("no-store");
  });

  it("gives the app what the person allows, and nothing if they deny it", async () => {
    const client = await makeDocumentClient();
    const visitor = newVisitor();
    const page = await begin(visitor, client, { scope: "read write" });
    const tokens = await tokensOf(
      await allow(visitor, page, { scope: "read" }),
      client,
    );
    expect(tokens.scope).toBe("read");
    expect(decodeJwt(tokens.access_token).aud).toBe(RESOURCE);
    const again = await begin(visitor, client, { scope: "write" });
    const denied = await visitor.send(again, "/consent", { answer: "deny" });
    expect(denied.location?.searchParams.get("error")).toBe("access_denied");
  });
});

describe("a consent to an app that has registered itself", () => {
  it("is remembered for its site, and then prompt=none needs no page", async () => {
    const client = await makeDocumentClient();
    const visitor = newVisitor();
    await allow(visitor, await begin(visitor, client));
    for (const more of [{}, { prompt: "none" }]) {
      const page = await begin(visitor, client, more);
      expect((await tokensOf(page, client)).scope).toBe("read");
    }
    expect(isConsent(await begin(visitor, client, { prompt: "consent" }))).toBe(
      true,
    );
  });

  it("is not there without a page: prompt=none gets consent_required", async () => {
    const client = await makeDocumentClient();
    const visitor = newVisitor();
    await begin(visitor, client);
    const { location } = await begin(visitor, client, { prompt: "none" });
    expect(location?.searchParams.get("error")).toBe("consent_required");
  });

  it("does not count for another redirect host, resource, scope or client of the same name", async () => {
    const other = "https://other.example.com/callback";
    const mail = "https://mcp.example.com/mail";
    const fields = {
      redirect_uris: [REDIRECT_URI, other],
      resources: [RESOURCE, mail],
    };
    const client = await makeDocumentClient(fields);
    const visitor = newVisitor();
    await allow(visitor, await begin(visitor, client));
    const asked = [
      await begin(visitor, client, { redirect_uri: other }),
      await begin(visitor, client, { resource: mail }),
      await begin(visitor, client, { scope: "read write" }),
      await begin(visitor, await makeDocumentClient(fields)),
    ];
    expect(asked.map(isConsent)).toEqual([true, true, true, true]);
    expect(isConsent(await begin(visitor, client))).toBe(false);
  });

  it.each(["https://login.example.com", "http://localhost:8788"])(
    "is never remembered if the app is on the device, also at %s",
    async (origin) => {
      const client = await makeDocumentClient({
        redirect_uris: ["http://127.0.0.1/callback", "https://localhost/x"],
      });
      const visitor = newVisitor({ origin });
      for (const redirect_uri of [LOOPBACK, "https://localhost/x"]) {
        await allow(visitor, await begin(visitor, client, { redirect_uri }));
        const again = await begin(visitor, client, { redirect_uri });
        expect(isConsent(again)).toBe(true);
        const more = { redirect_uri, prompt: "none" };
        const { location } = await begin(visitor, client, more);
        expect(location?.searchParams.get("error")).toBe("consent_required");
      }
    },
  );
});

describe("an app that asks for more than it has", () => {
  const fields = { scope: "read write delete" };
  const old = "You have allowed it before to";

  it("keeps what it had, which is shown apart, and the first login goes on", async () => {
    const client = await makeDocumentClient(fields);
    const visitor = newVisitor();
    const first = await begin(visitor, client, { scope: "read write" });
    expect(wordsOf(first)).not.toContain(old);
    const before = await tokensOf(await allow(visitor, first), client);

    const page = await begin(visitor, client, { scope: "delete" });
    expect(wordsOf(page)).toContain(
      `This app also asks to May delete ${old} May read May write`,
    );
    const after = await tokensOf(await allow(visitor, page), client);
    expect(after.scope?.split(" ").toSorted()).toEqual([
      "delete",
      "read",
      "write",
    ]);
    const next = await server.expectRefresh(client, before.refresh_token);
    expect(next.scope).toBe("read write");
  });

  it("keeps what the person leaves it", async () => {
    const client = await makeDocumentClient(fields);
    const visitor = newVisitor();
    const first = await begin(visitor, client, { scope: "read write" });
    await tokensOf(await allow(visitor, first), client);
    const page = await begin(visitor, client, { scope: "delete" });
    const scope = ["delete", "read"];
    const tokens = await tokensOf(
      await allow(visitor, page, { scope }),
      client,
    );
    expect(tokens.scope).toBe("delete read");
  });

  it("gets no more than it asks for if nothing of it is new", async () => {
    const client = await makeDocumentClient({
      ...fields,
      redirect_uris: [LOOPBACK],
    });
    const visitor = newVisitor();
    const redirect_uri = LOOPBACK;
    const scope = "read write";
    const first = await begin(visitor, client, { redirect_uri, scope });
    await tokensOf(await allow(visitor, first), client);
    const page = await begin(visitor, client, { redirect_uri });
    expect(wordsOf(page)).not.toContain(old);
    const tokens = await tokensOf(await allow(visitor, page), client);
    expect(tokens.scope).toBe("read");
  });

  it("may be an app of an administrator", async () => {
    const client = await makeWebClient({
      ...fields,
      client_name: "Notes",
      resources: [RESOURCE],
    });
    const visitor = newVisitor();
    await visitor.signIn(await visitor.open("/account"));
    const first = await begin(visitor, client);
    await tokensOf(await allow(visitor, first), client);
    const page = await begin(visitor, client, { scope: "delete" });
    expect(wordsOf(page)).toContain(
      `Notes also asks to May delete ${old} May read`,
    );
  });
});
