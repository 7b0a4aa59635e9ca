import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { type ClientRecord, fieldErrors } from "../../support/admin.ts";
import { server, serverWith } from "../../support/server.ts";
import { rewriteClient } from "../../support/records.ts";

/** Tests which redirect URIs can be registered (RFC 6749 section 3.1.2, RFC 9700 section 2.1). */

const good = "https://app.example.com/callback";

async function register(...redirect_uris: unknown[]): Promise<Response> {
  return server.admin("POST", "/clients", { redirect_uris });
}

describe("a redirect URI may be", () => {
  it.each([
    good,
    "https://app.example.com",
    "https://app.example.com:8443/callback?a=1&b=2",
    "https://xn--bcher-kva.example/callback",
    "https://192.0.2.1/callback",
    // RFC 8252 section 7.3.
    "http://127.0.0.1/callback",
    "http://127.0.0.1:51004/callback",
    "http://[::1]/callback",
    "http://[::1]:8080/callback?a=1",
    "http://localhost:3000",
    "https://localhost/callback",
    // Section 7.1.
    "com.example.app:/callback",
    "com.example.app://callback",
    "com.example.app:/",
  ])("%s, without a warning", async (uri) => {
    const response = await register(uri);
    expect(response.status).toBe(201);
    const { client_id, ...made } = await response.json<ClientRecord>();
    expect(made).not.toHaveProperty("warnings");
    const path = `/clients/${client_id}`;
    expect(await server.expectAdmin("GET", path)).toMatchObject({
      redirect_uris: [uri],
    });
  });
});

/** Apps register these today, although any other app could do so as well (RFC 8252 section 8.4). */
const withWarning = [
  "cursor://anysphere.cursor-mcp/oauth/callback",
  "vscode://vscode.github-authentication/did-authenticate",
  "vscode-insiders://vscode.github-authentication/did-authenticate?windowId=1",
  "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb/callback",
  "moz-extension://6c8b5a7e-0000-4000-8000-000000000000/",
  "ms-app://s-1-15-2-1000000000-1000000000/",
  "myapp://",
  "myapp:///",
  "myapp://callback",
  "myapp:/callback",
  "myapp:callback",
  "MyApp://Callback",
  "fb1234567890://authorize",
  "web+app://callback?a=1",
  "exp://127.0.0.1:19000/--/callback",
  "datadog://callback",
  "javascripts://callback",
  "files://callback",
  "https2://callback",
];

/** Reads the warnings of the response to a client that was created or changed. */
async function warningsOf(response: Response): Promise<unknown> {
  if (!response.ok) throw new Error(await response.text());
  return (await response.json<{ warnings?: unknown }>()).warnings;
}

/** The warning about a redirect URI. @param pkce false: PKCE is waived for its client */
function warningAbout(uri: string, { pkce = true } = {}) {
  const scheme = uri.slice(0, uri.indexOf(":"));
  const protection = pkce
    ? "PKCE keeps that app from using the code"
    : "Without PKCE, only the secret of the client keeps that app from using the code";
  return expect.stringMatching(
    new RegExp(
      `^The redirect URI ${RegExp.escape(uri)} has the scheme ${RegExp.escape(scheme)},.*RFC 8252 section 8\\.4.* ${protection}\\. .*start a sign-in.* 8\\.6\\).*https`,
    ),
  );
}

describe("a redirect URI with an app's own scheme without a period is accepted with a warning:", () => {
  it.each(withWarning)("%s", async (uri) => {
    const response = await register(good, uri);
    expect(response.status).toBe(201);
    const { client_id, warnings } = await response.json<
      ClientRecord & { warnings: unknown }
    >();
    expect(warnings).toEqual([warningAbout(uri)]);
    const path = `/clients/${client_id}`;
    // Read by another isolate, so that the record in KV is what counts.
    const shown = await serverWith({}).expectAdmin<object>("GET", path);
    expect(shown).toMatchObject({ redirect_uris: [good, uri] });
    expect(shown).not.toHaveProperty("warnings");
  });

  it("one warning for each such URI", async () => {
    const [one, other] = ["myapp:/one", "cursor://other"] as const;
    expect(await warningsOf(await register(one, good, other))).toEqual([
      warningAbout(one),
      warningAbout(other),
    ]);
  });

  it("a change of the client warns of what is new in it", async () => {
    const { client_id } = await server.makeClient({ redirect_uris: [good] });
    const path = `/clients/${client_id}`;
    const change = async (patch: object) =>
      warningsOf(await server.admin("PATCH", path, patch));
    const one = { redirect_uris: [good, "myapp:/one"] };
    expect(await change(one)).toEqual([warningAbout("myapp:/one")]);
    expect(await change(one)).toBeUndefined();
    expect(await change({ client_name: "New" })).toBeUndefined();
    const both = { redirect_uris: ["myapp:/other", "myapp:/one"] };
    expect(await change(both)).toEqual([warningAbout("myapp:/other")]);
    expect(await change({ redirect_uris: null })).toBeUndefined();
    expect(await change(one)).toEqual([warningAbout("myapp:/one")]);
  });

  it("one that is in a request twice is warned about once, and stays as it was sent", async () => {
    const one = "myapp:/one";
    const response = await register(one, good, one);
    const { redirect_uris, warnings } = await response.json<
      ClientRecord & { warnings: unknown }
    >();
    expect(redirect_uris).toEqual([one, good, one]);
    expect(warnings).toEqual([warningAbout(one)]);
  });

  it("without PKCE, the warning says that only the secret protects the code", async () => {
    const response = await server.admin("POST", "/clients", {
      redirect_uris: [good, "myapp:/one"],
      require_pkce: false,
    });
    expect(await warningsOf(response)).toEqual([
      warningAbout("myapp:/one", { pkce: false }),
    ]);
  });

  it("a change that waives PKCE warns about those that the client has already", async () => {
    const redirect_uris = [good, "myapp:/one"];
    const { client_id } = await server.makeClient({ redirect_uris });
    const change = async (patch: object) =>
      warningsOf(await server.admin("PATCH", `/clients/${client_id}`, patch));
    const waived = [warningAbout("myapp:/one", { pkce: false })];
    expect(await change({ require_pkce: true })).toBeUndefined();
    expect(await change({ require_pkce: false })).toEqual(waived);
    // The operator knows it now.
    expect(await change({ require_pkce: false })).toBeUndefined();
    expect(await change({ client_name: "New" })).toBeUndefined();
    expect(
      await change({ redirect_uris: [...redirect_uris, "cursor://x"] }),
    ).toEqual([warningAbout("cursor://x", { pkce: false })]);
    expect(await change({ require_pkce: null })).toBeUndefined();
    expect(
      await change({ require_pkce: false, redirect_uris: [good] }),
    ).toBeUndefined();
  });

  it("a change that is refused warns of nothing", async () => {
    const { client_id } = await server.makeClient({ redirect_uris: [good] });
    const patch = { redirect_uris: ["myapp:/one", "file:///x"] };
    const response = await server.admin(
      "PATCH",
      `/clients/${client_id}`,
      patch,
    );
    expect(Object.keys(await fieldErrors(response))).toEqual([
      "redirect_uris.1",
    ]);
  });

  it("the record in KV has no warnings", async () => {
    const response = await register("myapp:/one");
    const { client_id } = await response.json<ClientRecord>();
    const record = await env.KV.get<object>(`client:${client_id}`, "json");
    expect(Object.keys(record ?? {})).not.toContain("warnings");
  });

  it("a new secret comes without them", async () => {
    const response = await register("myapp:/one");
    const { client_id } = await response.json<ClientRecord>();
    const path = `/clients/${client_id}/secrets`;
    expect(await warningsOf(await server.admin("POST", path, {}))).toBe(
      undefined,
    );
  });

  it("the document of the API describes them", async () => {
    const document = JSON.stringify(
      await server.expectAdmin("GET", "/openapi.json"),
    );
    expect(document.match(/"warnings":\{"type":"array"/g)).toHaveLength(2);
  });
});

describe("a refusal says what is wrong:", () => {
  it.each([
    ["app.example.com:8080", "must begin with https://"],
    ["app.example.com:8080/callback", "must begin with https://"],
    ["localhost:3000/cb", "must begin with https://, or with http://"],
    ["localhost:/cb", "must begin with https://, or with http://"],
    ["FILE:///x", "must not have the scheme file"],
    ["ws://app.example.com/x", "must not have the scheme ws"],
    ["intent://x/y", "must not have the scheme intent"],
    ["ms-settings:x", "must not have the scheme ms-settings"],
    ["urn:ietf:wg:oauth:2.0:oob", "must not have the scheme urn"],
    ["javascript:alert(1)", "must not have a scheme that a browser runs"],
  ])("%s %s", async (uri, words) => {
    expect(await fieldErrors(await register(uri))).toEqual({
      "redirect_uris.0": expect.stringContaining(words),
    });
  });
});

const refused = [
  // RFC 9700 section 2.6: a code must not be sent without encryption.
  "http://app.example.com/callback",
  "HTTP://app.example.com/callback",
  "http://127.0.0.2/callback",
  "http://127.1/callback",
  "http://127a0b0c1/callback",
  "http://0.0.0.0/callback",
  "http://192.168.0.1/callback",
  "http://localhost.evil.example/callback",
  "http://127.0.0.1.evil.example/callback",
  "http://127.0.0.1:99999/callback",
  "http://127.0.0.1:0/callback",
  "http://localhost@evil.example/callback",
  "http://localhost:80@evil.example",
  "http://[::ffff:127.0.0.1]/callback",
  "http://2130706433/callback",
  "http://localhost./callback",
  "http://app.localhost/callback",
  "http:localhost/callback",
  "http:/localhost/callback",
  "http:///localhost/callback",
  // With a user name or a password.
  "https://user@app.example.com/callback",
  "https://user:password@app.example.com/callback",
  "https://:password@app.example.com/callback",
  "https://app.example.com@evil.example/callback",
  "http://user@127.0.0.1/callback",
  "http://127.0.0.1:80@evil.example/callback",
  "com.example.app://user@host/callback",
  "https://@app.example.com/callback",
  // Not an absolute URI (RFC 3986 section 4.3, RFC 9110 section 4.2.2): a browser may go to another host than
  // the one that the parser has checked.
  "https:app.example.com/callback",
  "https:/app.example.com/callback",
  "https:\\\\app.example.com\\callback",
  "https://app.example.com\\@evil.example/callback",
  'https://app.example.com/"onload="',
  "https://app.example.com/<callback>",
  // Without a scheme, the host is read as an app's private scheme.
  "localhost:3000/callback",
  "app.example.com:8080/callback",
  "localhost:/callback",
  "localhost://callback",
  // Scripts, files, and pages of the browser.
  "about:blank",
  "About:srcdoc",
  "file:///etc/passwd",
  "FILE:///etc/passwd",
  "filesystem:https://app.example.com/temporary/x",
  "view-source:https://app.example.com/callback",
  "View-Source:javascript:alert(1)",
  "feed:javascript:alert(1)",
  "jar:https://app.example.com/x!/y",
  "mhtml:https://app.example.com/x!y",
  "resource://gre/modules",
  "chrome://settings/",
  "CHROME://settings/",
  "edge://settings/",
  "devtools://devtools/bundled/x",
  "livescript:alert(1)",
  "applescript://com.apple.scripteditor?action=new",
  // Handlers of an operating system that take commands, or any URL.
  "intent://x/y",
  "Intent://x/y",
  "android-app://com.example.app/x",
  "content://com.example.provider/x",
  "ms-settings:privacy",
  "ms-msdt:/id%20x",
  "MS-Settings:privacy",
  "ms-officecmd:x",
  "search-ms:query=x",
  "microsoft-edge:https://app.example.com/callback",
  "itms-services://?action=download-manifest",
  // Network protocols, messages and names: none of them is an app's own.
  "ws://app.example.com/callback",
  "wss://app.example.com/callback",
  "WSS://app.example.com/callback",
  "ftp://app.example.com/callback",
  "sftp://app.example.com/callback",
  "ssh://app.example.com",
  "ldap://app.example.com/x",
  "telnet://app.example.com",
  "mailto:alice@example.com",
  "mailto:alice",
  "tel:123",
  "tel:+123",
  "sms:+123",
  "facetime:alice",
  "urn:ietf:wg:oauth:2.0:oob",
  "URN:ietf:wg:oauth:2.0:oob",
  "tag:example.com,2020:x",
  // Not more than a scheme.
  "myapp:",
  "my_app://callback",
  "1app://callback",
  "myapp//callback",
  // As every other URI.
  "myapp://user@host/callback",
  "myapp://callback#fragment",
  "myapp://callback/*",
  "myapp://callback?code=1",
  "myapp:?state=1",
  "myapp://call back",
  "myapp://callback\r\nSet-Cookie: x",
  "myapp://%zz",
  "myapp://c\u00e4llback",
  "https://app.example.com/%zz",
  // Parameters of the authorization response.
  "https://app.example.com/callback?code=1",
  "https://app.example.com/callback?a=1&state=2",
  "https://app.example.com/callback?i%73s=x",
  // Patterns.
  "https://*.example.com/callback",
  "https://app.example.com/*",
  "https://app.example.com/callback?next=*",
  "com.example.app:/*",
  // RFC 6749 section 3.1.2: the URI must be absolute and have no fragment.
  "https://app.example.com/callback#",
  "https://app.example.com/callback#fragment",
  "com.example.app:/callback#fragment",
  "/callback",
  "//app.example.com/callback",
  "app.example.com/callback",
  "callback",
  "",
  "https://",
  // URIs that a browser would run as a script.
  "javascript:alert(1)",
  "JavaScript:alert(1)",
  "javascript://app.example.com/%0aalert(1)",
  "java\nscript:alert(1)",
  " javascript:alert(1)",
  "data:text/html,<script>alert(1)</script>",
  "DATA:text/html,x",
  "vbscript:msgbox(1)",
  "blob:https://app.example.com/x",
  // Not printable ASCII, too long, or not a string.
  "https://app.example.com/call back",
  "https://app.example.com/callback\r\nSet-Cookie: x",
  "https://app.example.com/c\u00e4llback",
  "https://\u0430pp.example.com/callback",
  `https://app.example.com/${"x".repeat(2048)}`,
  7,
  null,
];

describe("a redirect URI may not be", () => {
  it.each(refused)("%j: the response names it", async (uri) => {
    const fields = await fieldErrors(await register(good, uri));
    expect(Object.keys(fields)).toEqual(["redirect_uris.1"]);
  });

  it.each(refused)("%j in a change of the client either", async (uri) => {
    const { client_id } = await server.makeClient({ redirect_uris: [good] });
    const path = `/clients/${client_id}`;
    const patch = { redirect_uris: [good, uri] };
    const fields = await fieldErrors(await server.admin("PATCH", path, patch));
    expect(Object.keys(fields)).toEqual(["redirect_uris.1"]);
    expect(await server.expectAdmin("GET", path)).toMatchObject({
      redirect_uris: [good],
    });
  });
});

describe("a client with an http redirect URI from an older version", () => {
  const old = "http://app.example.com/callback";

  /** Writes the record of such a client to KV. `fresh` is a server that has not read it before. */
  async function makeOld() {
    const { client_id } = await server.makeClient();
    await rewriteClient({ client_id }, { redirect_uris: [old, good] });
    return { path: `/clients/${client_id}`, fresh: serverWith({}) };
  }

  it("keeps it when other fields change, and can't have it back once it was removed", async () => {
    const { path, fresh } = await makeOld();
    const renamed = await fresh.expectAdmin("PATCH", path, {
      client_name: "New",
    });
    expect(renamed).toMatchObject({
      client_name: "New",
      redirect_uris: [old, good],
    });
    const more = { redirect_uris: [good, old, `${good}/more`] };
    expect(await fresh.expectAdmin("PATCH", path, more)).toMatchObject(more);
    const fewer = { redirect_uris: [good] };
    expect(await fresh.expectAdmin("PATCH", path, fewer)).toMatchObject(fewer);
    const withOldAgain = { redirect_uris: [good, old] };
    const fields = await fieldErrors(
      await fresh.admin("PATCH", path, withOldAgain),
    );
    expect(Object.keys(fields)).toEqual(["redirect_uris.1"]);
  });

  it("can't have another http redirect URI", async () => {
    const { path, fresh } = await makeOld();
    const patch = { redirect_uris: [old, "http://app.example.com/other"] };
    const fields = await fieldErrors(await fresh.admin("PATCH", path, patch));
    expect(Object.keys(fields)).toEqual(["redirect_uris.1"]);
  });
});
