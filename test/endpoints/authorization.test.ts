import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import {
  authorizationQuery,
  authorize,
  decide,
  location,
  LOGIN_URL,
  makeWebClient,
  type Parameters,
  REDIRECT_URI,
  requestAtLogin,
} from "../support/authorization.ts";
import {
  bindingsWithoutObjects,
  countingBindings,
} from "../support/counting.ts";
import { shown, told } from "../support/refusals.ts";
import { reasonOf } from "../support/request-lines.ts";
import { server, serverWith, type TestClient } from "../support/server.ts";

/** Tests requests that `GET /authorize` redirects to the sign-in page (RFC 6749 section 4.1.1). */

let client: TestClient;

beforeAll(async () => {
  await server.makeScopes("read", "write");
  client = await makeWebClient({ scope: "read write" });
});

afterEach(() => {
  vi.useRealTimers();
});

interface Described {
  redirect_uri: string;
  scopes: { scope: string }[];
  resource: string[];
}

/** The description of a request that the sign-in page gets. */
async function described(
  more: Parameters = {},
  requester: TestClient = client,
): Promise<Described> {
  const request = await requestAtLogin(requester, more);
  const path = `/authorizations?${new URLSearchParams({ request }).toString()}`;
  return server.expectAdmin("GET", path);
}

async function scopes(
  more: Parameters,
  requester?: TestClient,
): Promise<string[]> {
  return (await described(more, requester)).scopes.map(({ scope }) => scope);
}

describe("a valid request", () => {
  it("is redirected to the sign-in page with one opaque parameter, which is not cached or sent as a referrer", async () => {
    const response = await authorize(client, { state: "plain-state" });
    expect(response.status).toBe(303);
    expect(response.headers.get("Cache-Control")).toBe("no-store");
    expect(response.headers.get("Referrer-Policy")).toBe("no-referrer");
    const login = location(response);
    expect(login.origin + login.pathname).toBe(LOGIN_URL);
    expect([...login.searchParams.keys()]).toEqual(["request"]);
    const parts = (login.searchParams.get("request") ?? "").split(".");
    const readable = parts
      .map((part) => atob(part.replaceAll("-", "+").replaceAll("_", "/")))
      .join(" ");
    expect(readable).toContain("baton-encrypted-request+jwt");
    for (const secret of ["plain-state", client.client_id, REDIRECT_URI])
      expect(readable).not.toContain(secret);
  });

  it("is encrypted differently each time", async () => {
    const requests = [
      await requestAtLogin(client),
      await requestAtLogin(client),
    ];
    expect(new Set(requests).size).toBe(2);
  });

  it("leaves the query of LOGIN_URL unchanged", async () => {
    const LOGIN_URL = "https://login.example.com/?tenant=a%20b+c&x=%2F";
    const response = await authorize(client, {}, serverWith({ LOGIN_URL }));
    const target = response.headers.get("Location") ?? "";
    expect(target.startsWith(`${LOGIN_URL}&request=`)).toBe(true);
  });

  it("may be a HEAD request, which gets the same answer", async () => {
    const response = await server.http(
      `/authorize?${authorizationQuery(client)}`,
      { method: "HEAD", redirect: "manual" },
    );
    expect(location(response).searchParams.has("request")).toBe(true);
    expect(await response.text()).toBe("");
  });

  it("may be that of a public client", async () => {
    const publicClient = await makeWebClient({
      token_endpoint_auth_method: "none",
    });
    expect((await described({}, publicClient)).redirect_uri).toBe(REDIRECT_URI);
  });

  it("may have response_mode=query, which is the only mode", async () => {
    expect(await requestAtLogin(client, { response_mode: "query" })).not.toBe(
      "",
    );
  });

  it("may have unknown parameters, also repeated ones", async () => {
    const more = [
      ["nonce", "n"],
      ["audience", "a"],
      ["audience", "b"],
      ["__proto__", "c"],
      ["request", "another"],
      ["client_secret", "d"],
    ];
    const request = await requestAtLogin(client, more);
    expect(request).not.toBe("another");
    const redirect = await decide(request);
    expect([...redirect.searchParams.keys()]).toEqual(["code", "state", "iss"]);
  });

  it("may have empty parameters, which count as left out, also beside one with a value", async () => {
    const empty = {
      redirect_uri: "",
      state: "",
      scope: "",
      response_mode: "",
      resource: "",
      prompt: "",
    };
    expect(await scopes(empty)).toEqual(["read", "write"]);
    const request = await requestAtLogin(client, empty);
    const redirect = await decide(request);
    expect([...redirect.searchParams.keys()]).toEqual(["code", "iss"]);
    const beside = [
      ["client_id", ""],
      ["redirect_uri", ""],
      ["state", ""],
      ["code_challenge", ""],
    ];
    expect(await requestAtLogin(client, beside)).not.toBe("");
  });

  it("may have a query of at most 4096 characters", async () => {
    const query = `${authorizationQuery(client)}&x=`;
    const ask = (length: number) =>
      server.http(`/authorize?${query.padEnd(length, "x")}`, {
        redirect: "manual",
      });
    expect(await shown(await ask(4097))).toEqual([
      400,
      "invalid_request",
      "authorization_request_too_long",
    ]);
    expect((await ask(4095)).status).toBe(303);
    expect((await ask(4096)).status).toBe(303);
  });

  // RFC 9110 section 4.1: the URL length that every server should support.
  it.each([
    ["letters", "x"],
    ["percent signs", "%25"],
    ["other alphabets", "%D7%A9"],
  ])(
    "leads to a URL of at most 8000 characters, even with as many %s as fit",
    async (_, unit) => {
      const response = await askWith("state", unit);
      const login = location(response);
      expect(login.origin + login.pathname).toBe(LOGIN_URL);
      expect(login.href.length).toBeLessThanOrEqual(8000);
    },
  );

  it("is refused if the URL of the sign-in page would be longer than that", async () => {
    // A control character is longer in JSON than in a query.
    const response = await askWith("login_hint", "%01");
    const redirect = location(response);
    expect(redirect.origin + redirect.pathname).toBe(REDIRECT_URI);
    expect(redirect.searchParams.get("error")).toBe("invalid_request");
    expect(redirect.searchParams.get("error_description")).toContain("8000");
    expect(reasonOf(response)).toBe("authorization_request_too_long");
    expect(redirect.href.length).toBeLessThanOrEqual(8000);
  });

  /** Sends a request in which one parameter has as many units as fit. */
  function askWith(name: string, unit: string): Promise<Response> {
    const query = `${authorizationQuery(client, { state: undefined })}&${name}=`;
    const value = unit.repeat((4000 - query.length) / unit.length);
    const init = { redirect: "manual" } as const;
    return server.http(`/authorize?${query}${value}`, init);
  }
});

describe("the length of a query", () => {
  it("is measured as a browser encodes it: a backslash counts as three characters", async () => {
    const query = `${authorizationQuery(client)}&x=`;
    const response = await server.http(
      `/authorize?${query}${"\\".repeat(1300)}`,
    );
    expect(await shown(response)).toEqual([
      400,
      "invalid_request",
      "authorization_request_too_long",
    ]);
  });
});

describe("scope", () => {
  it("that is left out means all scopes of the client", async () => {
    expect(await scopes({})).toEqual(["read", "write"]);
    expect(await scopes({}, await makeWebClient())).toEqual([]);
  });

  it("is a set: repetition and order do not matter", async () => {
    expect(await scopes({ scope: "write read write" })).toEqual([
      "write",
      "read",
    ]);
  });

  it("may name fewer scopes than the client has", async () => {
    expect(await scopes({ scope: "read" })).toEqual(["read"]);
  });

  it("that is left out does not include a scope that has left the catalogue", async () => {
    const scope = `gone-${crypto.randomUUID()}`;
    await server.makeScopes(scope);
    const both = await makeWebClient({ scope: `read ${scope}` });
    await server.expectAdmin("DELETE", `/scopes/${scope}`);
    expect(await scopes({}, both)).toEqual(["read"]);
  });
});

describe("resource (RFC 8707)", () => {
  it("may be repeated", async () => {
    const [one, two] = ["https://one.example", "https://two.example"] as const;
    const both = await makeWebClient({ resources: [one, two] });
    expect((await described({}, both)).resource).toEqual([]);
    expect((await described({ resource: two }, both)).resource).toEqual([two]);
    const more = [
      ["resource", two],
      ["resource", one],
    ];
    expect((await described(more, both)).resource).toEqual([two, one]);
  });
});

describe("redirect_uri", () => {
  const leftOut = { redirect_uri: undefined };

  it("may be left out only if the client has exactly one", async () => {
    expect((await described(leftOut)).redirect_uri).toBe(REDIRECT_URI);
    const none = await makeWebClient({ redirect_uris: [] });
    const two = await makeWebClient({
      redirect_uris: [REDIRECT_URI, `${REDIRECT_URI}/other`],
    });
    for (const [unclear, reason] of [
      [none, "redirect_uris_none"],
      [two, "redirect_uri_missing"],
    ] as const)
      expect(await shown(await authorize(unclear, leftOut))).toEqual([
        400,
        "invalid_request",
        reason,
      ]);
  });

  it("may be any of those that the client has", async () => {
    const other = `${REDIRECT_URI}/other`;
    const two = await makeWebClient({ redirect_uris: [REDIRECT_URI, other] });
    for (const redirect_uri of [REDIRECT_URI, other])
      expect((await described({ redirect_uri }, two)).redirect_uri).toBe(
        redirect_uri,
      );
  });

  it.each([
    ["https://app.example.com/cb?a=b%2Fc&d=e+f&&g=%c3%a9&coded=1", "&"],
    ["https://app.example.com/cb?", ""],
    ["https://app.example.com/cb?a=1&", ""],
    ["https://app.example.com", "?"],
    ["https://APP.example.com:443/a/../b%2e", "?"],
    ["com.example.app:/cb", "?"],
    ["http://[::1]:8080/cb", "?"],
  ])(
    "%s is kept byte for byte, and the response is appended",
    async (uri, separator) => {
      const registered = await makeWebClient({ redirect_uris: [uri] });
      const redirect_uri = { redirect_uri: uri };
      const request = await requestAtLogin(registered, redirect_uri);
      const { redirect_to } = await server.expectAdmin<{ redirect_to: string }>(
        "POST",
        "/authorizations",
        { request, subject: "alice" },
      );
      expect(redirect_to.startsWith(`${uri}${separator}code=`)).toBe(true);
      const refused = { ...redirect_uri, scope: "write" };
      const target = (await authorize(registered, refused)).headers.get(
        "Location",
      );
      expect(target?.startsWith(`${uri}${separator}error=`)).toBe(true);
    },
  );
});

describe("a method that is neither GET nor HEAD", () => {
  it.each(["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])(
    "is answered with 405 and Allow, on a page: %s",
    async (method) => {
      const path = `/authorize?${authorizationQuery(client)}`;
      const response = await server.http(path, { method, redirect: "manual" });
      expect(response.headers.get("Allow")).toBe("GET, HEAD");
      expect(await shown(response)).toEqual([
        405,
        "invalid_request",
        "method_not_allowed",
      ]);
    },
  );
});

describe("without LOGIN_URL,", () => {
  it.each(["GET", "POST", "OPTIONS"])(
    "%s is answered with 404",
    async (method) => {
      const off = serverWith({ LOGIN_URL: "" });
      const path = `/authorize?${authorizationQuery(client)}`;
      const response = await off.http(path, { method, redirect: "manual" });
      expect(response.headers.get("Allow")).toBeNull();
      expect(await shown(response)).toEqual([404, "not_found", "path_unknown"]);
    },
  );
});

describe("what was just registered", () => {
  it("works after a second even if the isolate has refused it before", async () => {
    const [here, elsewhere] = [serverWith({}), serverWith({})];
    const client_id = crypto.randomUUID();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const ask = (redirect_uri: string) =>
      authorize({ client_id }, { redirect_uri }, here);

    expect(await shown(await ask(REDIRECT_URI))).toEqual([
      400,
      "invalid_request",
      "authorization_client_unknown",
    ]);
    await makeWebClient({ client_id }, elsewhere);
    vi.advanceTimersByTime(1000);
    expect((await ask(REDIRECT_URI)).status).toBe(303);

    const added = `${REDIRECT_URI}/added`;
    expect(await shown(await ask(added))).toEqual([
      400,
      "invalid_request",
      "redirect_uri_unregistered",
    ]);
    await elsewhere.expectAdmin("PATCH", `/clients/${client_id}`, {
      redirect_uris: [REDIRECT_URI, added],
    });
    vi.advanceTimersByTime(1000);
    expect((await ask(added)).status).toBe(303);
    expect((await ask(REDIRECT_URI)).status).toBe(303);
  });

  it("is looked up at most once per second, with the catalogue, however many requests have a wrong redirect URI", async () => {
    const { calls, bindings } = countingBindings();
    const counted = serverWith(bindings);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const ask = () =>
      authorize(client, { redirect_uri: "https://evil.example" }, counted);
    for (let tries = 0; tries < 20; tries++) await ask();
    expect(calls.kvRead).toBe(2);
    vi.advanceTimersByTime(1000);
    for (let tries = 0; tries < 20; tries++) await ask();
    expect(calls.kvRead).toBe(4);
  });
});

describe("the cost", () => {
  /** Makes a server with counting bindings in which no object may be called, and stops the clock. */
  function withoutObjects() {
    // What starts a login reads past the isolate's copy, at most once per second.
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const { calls, bindings } = bindingsWithoutObjects();
    return { counted: serverWith(bindings), calls };
  }

  it("of a request and its decision is two KV reads the first time, and nothing again within a second", async () => {
    const { counted, calls } = withoutObjects();
    const request = await requestAtLogin(client, {}, counted);
    await decide(request, { subject: "alice" }, counted);
    expect(calls).toEqual({ family: 0, kvRead: 2, kvWrite: 0 });
    const again = await requestAtLogin(client, {}, counted);
    await decide(again, { error: "access_denied" }, counted);
    expect(calls).toEqual({ family: 0, kvRead: 2, kvWrite: 0 });
  });

  it("of a refused request is the same two KV reads", async () => {
    const { counted, calls } = withoutObjects();
    const refused = await authorize(client, { scope: "admin" }, counted);
    expect(told(refused)).toMatchObject([
      { error: "invalid_scope" },
      "scope_none_left",
    ]);
    expect(calls).toEqual({ family: 0, kvRead: 2, kvWrite: 0 });
  });

  it("of a request with a client id that no client can have is nothing", async () => {
    const { counted, calls } = withoutObjects();
    for (const client_id of ["x".repeat(256), "ümlaut", "a\nb", ".", ".."])
      expect(await shown(await authorize({ client_id }, {}, counted))).toEqual([
        400,
        "invalid_request",
        "authorization_client_unknown",
      ]);
    expect(calls).toEqual({ family: 0, kvRead: 0, kvWrite: 0 });
  });
});
