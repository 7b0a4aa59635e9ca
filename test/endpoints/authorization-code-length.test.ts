import { exportJWK, generateKeyPair } from "jose";
import { beforeAll, describe, expect, inject, it } from "vitest";
import {
  authorize,
  decide,
  expectTokens,
  location,
  LOGIN_URL,
  makeWebClient,
  REDIRECT_URI,
  redeem,
} from "../support/authorization.ts";
import { reasonOf } from "../support/request-lines.ts";
import {
  server,
  serverWith,
  type TestClient,
  type TestServer,
} from "../support/server.ts";

/**
 * A code travels in a URL, and every server should support URLs of 8,000 characters (RFC 9110 section 4.1).
 * A code with a long RSA signature keeps to it, too.
 */

const MAX = 8000;

/** As long as a subject can be in JSON: each quotation mark becomes two characters. */
const longestSubject = '"'.repeat(255);

async function rsa4096(): Promise<string> {
  const options = { modulusLength: 4096, extractable: true };
  const { privateKey } = await generateKeyPair("RS256", options);
  return JSON.stringify(await exportJWK(privateKey));
}

/** The scopes that are in the catalogue already. All servers of the file have the same one. */
const made = new Set<string>();

const keys: [string, () => Promise<string>][] = [
  ...inject("testKeys").plain.map(
    ([name, key]): [string, () => Promise<string>] => [name, async () => key],
  ),
  ["an RSA key of 4,096 bits", rsa4096],
];

describe.each(keys)("with %s", (_, makeKey) => {
  let at: TestServer;

  beforeAll(async () => {
    at = serverWith({ PRIVATE_KEY: await makeKey() });
  });

  /** A client whose scopes have so many characters, in names of up to 200. */
  async function clientWithScopes(characters: number) {
    const scopes = ["s".repeat(characters % 200)].filter(Boolean);
    for (let n = 0; n < Math.floor(characters / 200); n += 1)
      scopes.push(`${n}-`.padEnd(199, "s"));
    await at.makeScopes(...scopes.filter((scope) => !made.has(scope)));
    for (const scope of scopes) made.add(scope);
    return makeWebClient({ scope: scopes.join(" ") }, at);
  }

  /** The length of the URL with the longest code. Undefined: the request was refused. */
  async function longestUrl(scopeCharacters: number) {
    const client = await clientWithScopes(scopeCharacters);
    const response = await authorize(client, {}, at);
    const next = location(response);
    if (next.origin + next.pathname === REDIRECT_URI) {
      expect(reasonOf(response)).toBe("authorization_request_too_long");
      expect(next.searchParams.get("error_description")).toContain("code");
      return undefined;
    }
    const request = next.searchParams.get("request") ?? "";
    const back = await decide(request, { subject: longestSubject }, at);
    const code = back.searchParams.get("code") ?? "";
    await expectTokens(await redeem(client, code, {}, at));
    return back.href.length;
  }

  it("the signed request leads to the sign-in page even with as many letters in state as fit", async () => {
    const client = await clientWithScopes(10);
    const state = "x".repeat(3600);
    const response = await authorize(client, { state }, at);
    const login = location(response);
    expect(login.origin + login.pathname).toBe(LOGIN_URL);
    expect(login.href.length).toBeLessThanOrEqual(MAX);
  });

  it("the longest code that fits is taken, and one that is a few characters longer is refused before the user signs in", async () => {
    const short = await longestUrl(2000);
    // Each character of a scope is one byte of the code, which is four thirds of a character.
    const room = Math.floor(((MAX - short!) * 3) / 4);
    // Every 200 characters of scopes begin a new one, with two quotation marks in JSON.
    const most = 2000 + room - 2 * Math.ceil(room / 200) - 4;
    const longest = await longestUrl(most);
    expect(longest).toBeLessThanOrEqual(MAX);
    expect(longest).toBeGreaterThan(MAX - 32);
    expect(await longestUrl(most + 32)).toBeUndefined();
  });
});

describe("with a nonce for the ID token", () => {
  /** Makes a request with a nonce whose characters are six bytes each in JSON. The user is the longest there can be. */
  async function urlWithNonce(
    characters: number,
    more: { dpop_jkt?: string } = {},
  ) {
    const nonce = "\u0001".repeat(characters);
    const request = { scope: "openid", nonce, ...more };
    const response = await authorize(client, request);
    const next = location(response);
    if (next.origin + next.pathname === REDIRECT_URI) {
      expect(reasonOf(response)).toBe("authorization_request_too_long");
      expect(next.searchParams.get("error_description")).toContain("code");
      return undefined;
    }
    const encrypted = next.searchParams.get("request") ?? "";
    const back = await decide(encrypted, { subject: longestSubject });
    return back.href.length;
  }

  let client: TestClient;

  beforeAll(async () => {
    await server.makeScopes("openid");
    client = await makeWebClient({ scope: "openid" });
  });

  it("the longest that fits is taken, and one that is longer is refused before the user signs in", async () => {
    const shortest = await urlWithNonce(1);
    // Each character is eight of the code.
    const most = 1 + Math.floor((MAX - shortest!) / 8);
    const longest = await urlWithNonce(most);
    expect(longest).toBeLessThanOrEqual(MAX);
    expect(longest).toBeGreaterThan(MAX - 16);
    expect(await urlWithNonce(most + 2)).toBeUndefined();
  });

  it("the key that the code is bound to (dpop_jkt) counts", async () => {
    const more = { dpop_jkt: "A".repeat(43) };
    const shortest = await urlWithNonce(1, more);
    const most = 1 + Math.floor((MAX - shortest!) / 8);
    expect(await urlWithNonce(most, more)).toBeGreaterThan(MAX - 16);
    expect(await urlWithNonce(most + 2, more)).toBeUndefined();
    expect(await urlWithNonce(most + 2)).toBeLessThan(MAX);
  });
});
