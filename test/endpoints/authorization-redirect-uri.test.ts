import { beforeAll, describe, expect, it } from "vitest";
import {
  authorize,
  makeWebClient,
  REDIRECT_URI,
  requestAtLogin,
} from "../support/authorization.ts";
import { shown, told } from "../support/refusals.ts";
import { server, serverWith, type TestClient } from "../support/server.ts";
import { rewriteClient } from "../support/records.ts";

/**
 * Tests that redirect URIs are compared character by character (RFC 9700 section 2.1, RFC 6749 section
 * 3.1.2.3), so that an attacker can't have a code sent to another place (RFC 9700 section 4.1, RFC 6819
 * section 4.2.4).
 */

const page = [400, "invalid_request", "redirect_uri_unregistered"];

const uris = {
  web: REDIRECT_URI,
  withQuery: "https://app.example.com/callback?a=1&b=2",
  withPort: "https://app.example.com:8443/callback",
  secureLoopback: "https://localhost/callback",
  custom: "com.example.app:/callback",
  ipv4: "http://127.0.0.1/callback",
  ipv6: "http://[::1]:8080/callback",
  localhost: "http://localhost/callback?a=1",
  bare: "http://127.0.0.1:3000",
  bareIpv6: "http://[::1]",
  root: "http://localhost/",
  bareQuery: "http://127.0.0.1?x=1",
  rootQuery: "http://127.0.0.1:8080/?x=1",
  secureBare: "https://bare.example.com",
  secureRoot: "https://root.example.com/",
  customBare: "com.example.bare://callback",
};

type Registered = keyof typeof uris;

let clients: Record<Registered, TestClient>;

beforeAll(async () => {
  const made: Partial<typeof clients> = {};
  for (const [name, uri] of Object.entries(uris))
    made[name as Registered] = await makeWebClient({ redirect_uris: [uri] });
  clients = made as typeof clients;
});

function ask(registered: Registered, redirect_uri: string): Promise<Response> {
  return authorize(clients[registered], { redirect_uri });
}

describe("the registered redirect URI", () => {
  it.each(Object.entries(uris))(
    "is accepted unchanged (%s)",
    async (name, uri) => {
      expect((await ask(name as Registered, uri)).status).toBe(303);
    },
  );

  it.each(Object.entries(uris))(
    "is refused for another client (%s)",
    async (_, redirect_uri) => {
      const otherClient = await makeWebClient({
        redirect_uris: ["https://other.example.com/callback"],
      });
      expect(
        await shown(await authorize(otherClient, { redirect_uri })),
      ).toEqual(page);
    },
  );
});

describe("a redirect URI that only looks like https://app.example.com/callback is refused:", () => {
  it.each([
    // Other spellings of the same URI.
    "HTTPS://app.example.com/callback",
    "https://APP.example.com/callback",
    "https://app.example.com/Callback",
    "https://app.example.com/callback/",
    "https://app.example.com//callback",
    "https://app.example.com/./callback",
    "https://app.example.com/x/../callback",
    "https://app.example.com/x/%2e%2e/callback",
    "https://app.example.com/%63allback",
    "https://app.example.com%2Fcallback",
    "https://app.example.com/callback%20",
    "https://app.example.com:443/callback",
    "https://app.example.com:/callback",
    "https://app.example.com:8443/callback",
    "https://app.example.com./callback",
    "https:app.example.com/callback",
    "https:/app.example.com/callback",
    "https:///app.example.com/callback",
    "https:\\\\app.example.com\\callback",
    "https://app.example.com\\callback",
    "//app.example.com/callback",
    "app.example.com/callback",
    "/callback",
    " https://app.example.com/callback",
    "https://app.example.com/callback ",
    "\thttps://app.example.com/callback",
    "https://app.example.com/call\tback",
    "https://app.example.com/call\nback",
    "https://app.example.com/callback\n",
    "https://app.example.com/callback\r\nLocation: https://evil.example",
    "https://app.example.com/callback\0",
    "https://app.example.com/callback%00",
    "https://app.example.com/callback%0d%0a",
    "https%3A%2F%2Fapp.example.com%2Fcallback",
    // Longer and shorter URIs.
    "https://app.example.com/callback?",
    "https://app.example.com/callback?next=https://evil.example",
    "https://app.example.com/callback&next=https://evil.example",
    "https://app.example.com/callback;next=evil",
    "https://app.example.com/callback#",
    "https://app.example.com/callback#fragment",
    "https://app.example.com/callback2",
    "https://app.example.com/callback/more",
    "https://app.example.com/callback/../other",
    "https://app.example.com/callbac",
    "https://app.example.com/",
    "https://app.example.com",
    "https://app.example.com/*",
    "https://*.example.com/callback",
    "https://app.example.com/callback https://evil.example",
    "https://app.example.com/callback,https://evil.example",
    // Another host, or another scheme.
    "http://app.example.com/callback",
    "https://user@app.example.com/callback",
    "https://@app.example.com/callback",
    "https://app.example.com@evil.example/callback",
    "https://app.example.com:443@evil.example/callback",
    "https://app.example.com%40evil.example/callback",
    "https://app.example.com\\@evil.example/callback",
    "https://app.example.com#@evil.example/callback",
    "https://app.example.com?@evil.example/callback",
    "https://app.example.com.evil.example/callback",
    "https://evil.app.example.com/callback",
    "https://evilapp.example.com/callback",
    "https://example.com/callback",
    "https://evil.example/https://app.example.com/callback",
    "https://evil.example/?https://app.example.com/callback",
    "https://evil.example/#https://app.example.com/callback",
    "javascript:alert(1)//https://app.example.com/callback",
    "data:text/html,https://app.example.com/callback",
    // Letters of other alphabets, and invisible characters.
    "https://\u0430pp.example.com/callback",
    "https://\uff41pp.example.com/callback",
    "https://app.example\u3002com/callback",
    "https://app.exam\u00adple.com/callback",
    "https://app.example.com/callback\u200b",
    "https://app.example.com\u2215callback",
  ])("%j", async (redirect_uri) => {
    expect(await shown(await ask("web", redirect_uri))).toEqual(page);
  });
});

describe("a redirect URI that is not a loopback address is refused if anything differs:", () => {
  it.each<[Registered, string]>([
    ["withQuery", "https://app.example.com/callback?b=2&a=1"],
    ["withQuery", "https://app.example.com/callback?a=1&b=2&c=3"],
    ["withQuery", "https://app.example.com/callback?a=1"],
    ["withQuery", "https://app.example.com/callback"],
    ["withPort", "https://app.example.com/callback"],
    ["withPort", "https://app.example.com:8444/callback"],
    ["secureLoopback", "https://localhost:8443/callback"],
    ["secureLoopback", "http://localhost/callback"],
    ["custom", "com.example.app:/callback/"],
    ["custom", "com.example.app://callback"],
    ["custom", "com.example.app:callback"],
    ["custom", "COM.example.app:/callback"],
    ["custom", "com.example.app2:/callback"],
    ["customBare", "com.example.bare://callback/"],
    ["secureBare", "https://bare.example.com/"],
    ["secureRoot", "https://root.example.com"],
    ["secureRoot", "https://root.example.com/?"],
  ])("%s: %j", async (registered, redirect_uri) => {
    expect(await shown(await ask(registered, redirect_uri))).toEqual(page);
  });

  it("the port of an http URI from an older version", async () => {
    const { client_id } = await makeWebClient();
    const redirect_uris = ["http://app.example.com/callback"];
    await rewriteClient({ client_id }, { redirect_uris });
    const to = serverWith({});
    const at = (redirect_uri: string) =>
      authorize({ client_id }, { redirect_uri }, to);
    expect((await at("http://app.example.com/callback")).status).toBe(303);
    const otherPort = await at("http://app.example.com:8080/callback");
    expect(await shown(otherPort)).toEqual(page);
  });
});

describe("an http loopback redirect URI is accepted with another port (RFC 8252 section 7.3):", () => {
  it.each<[Registered, string]>([
    ["ipv4", "http://127.0.0.1:1/callback"],
    ["ipv4", "http://127.0.0.1:51004/callback"],
    ["ipv4", "http://127.0.0.1:65535/callback"],
    ["ipv6", "http://[::1]/callback"],
    ["ipv6", "http://[::1]:51004/callback"],
    ["localhost", "http://localhost:3000/callback?a=1"],
    ["bare", "http://127.0.0.1"],
    ["bare", "http://127.0.0.1:51004"],
    // RFC 3986 section 6.2.3: no path is the same as "/".
    ["bare", "http://127.0.0.1/"],
    ["bare", "http://127.0.0.1:5000/"],
    ["bareIpv6", "http://[::1]:5000/"],
    ["root", "http://localhost"],
    ["root", "http://localhost:5000"],
    ["root", "http://localhost:5000/"],
    ["bareQuery", "http://127.0.0.1:5000/?x=1"],
    ["bareQuery", "http://127.0.0.1:5000?x=1"],
    ["rootQuery", "http://127.0.0.1:5000?x=1"],
    ["rootQuery", "http://127.0.0.1?x=1"],
  ])(
    "%s: %s, and the response goes there",
    async (registered, redirect_uri) => {
      const client = clients[registered];
      const request = await requestAtLogin(client, { redirect_uri });
      const { redirect_to } = await server.expectAdmin<{ redirect_to: string }>(
        "POST",
        "/authorizations",
        { request, subject: "alice" },
      );
      const separator = redirect_uri.includes("?") ? "&" : "?";
      expect(redirect_to.startsWith(`${redirect_uri}${separator}code=`)).toBe(
        true,
      );
    },
  );

  it("errors go to that port as well", async () => {
    const redirect_uri = "http://127.0.0.1:51004/callback";
    const more = { redirect_uri, scope: "admin" };
    expect(
      told(await authorize(clients.ipv4, more), redirect_uri),
    ).toMatchObject([{ error: "invalid_scope" }, "scope_none_left"]);
  });
});

describe("a loopback redirect URI is refused if anything but the port differs:", () => {
  it.each<[Registered, string]>([
    // Another scheme or another host.
    ["ipv4", "https://127.0.0.1/callback"],
    ["ipv4", "https://127.0.0.1:8443/callback"],
    ["ipv4", "HTTP://127.0.0.1:8080/callback"],
    ["ipv4", "http://localhost/callback"],
    ["ipv4", "http://[::1]/callback"],
    ["ipv4", "http://127.0.0.2/callback"],
    ["ipv4", "http://127.0.0.2:8080/callback"],
    ["ipv4", "http://127.1/callback"],
    ["ipv4", "http://2130706433/callback"],
    ["ipv4", "http://0x7f000001/callback"],
    ["ipv4", "http://0177.0.0.1/callback"],
    ["ipv4", "http://127.0.0.1./callback"],
    ["ipv4", "http://0.0.0.0/callback"],
    ["ipv4", "http://[::ffff:127.0.0.1]/callback"],
    ["ipv4", "http://127a0b0c1/callback"],
    ["ipv4", "http://127.0.0.1.evil.example/callback"],
    ["ipv4", "http://127.0.0.1:8080.evil.example/callback"],
    ["ipv4", "http://evil.example/http://127.0.0.1/callback"],
    ["ipv6", "http://[::1].evil.example/callback"],
    ["ipv6", "http://[0:0:0:0:0:0:0:1]/callback"],
    ["ipv6", "http://[::2]/callback"],
    ["ipv6", "http://::1/callback"],
    ["ipv6", "http://127.0.0.1:8080/callback"],
    ["localhost", "http://127.0.0.1/callback?a=1"],
    ["localhost", "http://LOCALHOST/callback?a=1"],
    ["localhost", "http://localhost./callback?a=1"],
    ["localhost", "http://app.localhost/callback?a=1"],
    ["localhost", "http://localhost.evil.example/callback?a=1"],
    ["localhost", "http://localhost2/callback?a=1"],
    // A user name, or text that some parsers read as one.
    ["ipv4", "http://user@127.0.0.1/callback"],
    ["ipv4", "http://127.0.0.1@evil.example/callback"],
    ["ipv4", "http://127.0.0.1:80@evil.example/callback"],
    ["ipv4", "http://127.0.0.1:80\\@evil.example/callback"],
    ["ipv4", "http://127.0.0.1:80#@evil.example/callback"],
    ["ipv4", "http://127.0.0.1:80?@evil.example/callback"],
    ["bare", "http://127.0.0.1@evil.example"],
    ["bare", "http://127.0.0.1:80@evil.example"],
    ["bare", "http://127.0.0.1.evil.example"],
    ["bare", "http://127.0.0.1/@evil.example"],
    // Invalid ports.
    ["ipv4", "http://127.0.0.1:/callback"],
    ["ipv4", "http://127.0.0.1:0/callback"],
    ["ipv4", "http://127.0.0.1:00/callback"],
    ["ipv4", "http://127.0.0.1:65536/callback"],
    ["ipv4", "http://127.0.0.1:99999/callback"],
    ["ipv4", "http://127.0.0.1:100000/callback"],
    ["ipv4", "http://127.0.0.1:-1/callback"],
    ["ipv4", "http://127.0.0.1:+80/callback"],
    ["ipv4", "http://127.0.0.1: 80/callback"],
    ["ipv4", "http://127.0.0.1:80 /callback"],
    ["ipv4", "http://127.0.0.1:8e3/callback"],
    ["ipv4", "http://127.0.0.1:0x50/callback"],
    ["ipv4", "http://127.0.0.1:http/callback"],
    ["ipv4", "http://127.0.0.1:80:81/callback"],
    ["ipv4", "http://127.0.0.1:\u0668\u0660/callback"],
    ["ipv4", "http://127.0.0.1:%38%30/callback"],
    // Another path or another query.
    ["ipv4", "http://127.0.0.1:8080"],
    ["ipv4", "http://127.0.0.1:8080/"],
    ["ipv4", "http://127.0.0.1:8080/Callback"],
    ["ipv4", "http://127.0.0.1:8080/callback/"],
    ["ipv4", "http://127.0.0.1:8080/callback/../other"],
    ["ipv4", "http://127.0.0.1:8080/callback?a=1"],
    ["ipv4", "http://127.0.0.1:8080/callback#fragment"],
    ["ipv4", "http://127.0.0.1:8080/callback\n"],
    ["ipv4", "http://127.0.0.1:8080\n/callback"],
    ["localhost", "http://localhost:8080/callback?a=2"],
    ["localhost", "http://localhost:8080/callback"],
    ["bare", "http://127.0.0.1:8080?a=1"],
    ["bare", "http://127.0.0.1:8080/?"],
    ["bare", "http://127.0.0.1:8080?"],
    ["bare", "http://127.0.0.1:8080//"],
    ["bare", "http://127.0.0.1:8080/."],
    ["bare", "http://127.0.0.1:8080/#"],
    ["bare", "http://127.0.0.1:8080#"],
    ["bare", "http://127.0.0.1:8080\\"],
    ["bare", "http://127.0.0.1:8080/x"],
    ["bare", "http://[::1]:8080/"],
    ["bare", "https://127.0.0.1/"],
    ["root", "http://localhost.evil.example"],
    ["root", "http://localhost@evil.example"],
    ["root", "http://localhost:5000x"],
    ["bareQuery", "http://127.0.0.1/"],
    ["bareQuery", "http://127.0.0.1/?x=2"],
    ["bareQuery", "http://127.0.0.1/?x=1&x=1"],
    ["rootQuery", "http://127.0.0.1:5000"],
  ])("%s: %j", async (registered, redirect_uri) => {
    expect(await shown(await ask(registered, redirect_uri))).toEqual(page);
  });
});
