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
  ])("%s", async (uri) => {
    const response = await register(uri);
    expect(response.status).toBe(201);
    const { client_id } = await response.json<ClientRecord>();
    const path = `/clients/${client_id}`;
    expect(await server.expectAdmin("GET", path)).toMatchObject({
      redirect_uris: [uri],
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
  // RFC 8252 section 8.4: any app may use a private scheme without a period.
  "myapp:/callback",
  "tel:123",
  "intent://x/y",
  "chrome-extension://abc/callback",
  // Neither the URI of an app nor of a web page.
  "about:blank",
  "file:///etc/passwd",
  "mailto:alice@example.com",
  "wss://app.example.com/callback",
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
