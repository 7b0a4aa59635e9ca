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

/** `GET /authorize`, where it sends the browser to the login (RFC 6749 section 4.1.1). */

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

/** What the login is told of a request. */
async function described(
  more: Parameters = {},
  of: TestClient = client,
): Promise<Described> {
  const request = await requestAtLogin(of, more);
  const path = `/authorizations?${new URLSearchParams({ request }).toString()}`;
  return server.expectAdmin("GET", path);
}

async function scopes(more: Parameters, of?: TestClient): Promise<string[]> {
  return (await described(more, of)).scopes.map(({ scope }) => scope);
}

describe("a good request", () => {
  it("goes to the login with one opaque parameter, and no cache or next page learns of it", async () => {
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
    expect(readable).toContain("baton-authorization-request+jwt");
    for (const secret of ["plain-state", client.client_id, REDIRECT_URI])
      expect(readable).not.toContain(secret);
  });

  it("is another one each time, though it asks for the same", async () => {
    const requests = [
      await requestAtLogin(client),
      await requestAtLogin(client),
    ];
    expect(new Set(requests).size).toBe(2);
  });

  it("leaves the query that LOGIN_URL has as it is", async () => {
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

  it("works for a public client as for one with a secret", async () => {
    const publicClient = await makeWebClient({
      token_endpoint_auth_method: "none",
    });
    expect((await described({}, publicClient)).redirect_uri).toBe(REDIRECT_URI);
  });

  it("may say response_mode=query, which is how it is answered anyway", async () => {
    expect(await requestAtLogin(client, { response_mode: "query" })).not.toBe(
      "",
    );
  });

  it("may hold parameters that nobody knows, once or twice", async () => {
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
    const back = await decide(request);
    expect([...back.searchParams.keys()]).toEqual(["code", "state", "iss"]);
  });

  it("may hold parameters without a value: they count as left out, beside one with a value too", async () => {
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
    const back = await decide(request);
    expect([...back.searchParams.keys()]).toEqual(["code", "iss"]);
    const beside = [
      ["client_id", ""],
      ["redirect_uri", ""],
      ["state", ""],
      ["code_challenge", ""],
    ];
    expect(await requestAtLogin(client, beside)).not.toBe("");
  });

  it("may have a query of 4096 characters, and not of one more", async () => {
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

  // RFC 9110 section 4.1: what every server takes.
  it.each([
    ["letters", "x"],
    ["percent signs", "%25"],
    ["other alphabets", "%D7%A9"],
  ])(
    "makes no address longer than 8000 characters, also of as many %s as go in",
    async (_, unit) => {
      const response = await askWithState(unit);
      const login = location(response);
      expect(login.origin + login.pathname).toBe(LOGIN_URL);
      expect(login.href.length).toBeLessThanOrEqual(8000);
    },
  );

  it("is refused where it would grow longer than that on its way to the login", async () => {
    const response = await askWithState("%01");
    const back = location(response);
    expect(back.origin + back.pathname).toBe(REDIRECT_URI);
    expect(back.searchParams.get("error")).toBe("invalid_request");
    expect(back.searchParams.get("error_description")).toContain("8000");
    expect(reasonOf(response)).toBe("authorization_request_too_long");
    expect(back.href.length).toBeLessThanOrEqual(8000);
  });

  /** A request with a `state` of as many units as go in. */
  function askWithState(unit: string): Promise<Response> {
    const query = `${authorizationQuery(client, { state: undefined })}&state=`;
    const state = unit.repeat((4000 - query.length) / unit.length);
    const init = { redirect: "manual" } as const;
    return server.http(`/authorize?${query}${state}`, init);
  }
});

describe("what takes more than it seems", () => {
  it("is measured as a browser would send it: a backslash is three characters", async () => {
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
  it("left out is all that the client has", async () => {
    expect(await scopes({})).toEqual(["read", "write"]);
    expect(await scopes({}, await makeWebClient())).toEqual([]);
  });

  it("is a set: repeats and order mean nothing", async () => {
    expect(await scopes({ scope: "write read write" })).toEqual([
      "write",
      "read",
    ]);
  });

  it("may be fewer than the client has", async () => {
    expect(await scopes({ scope: "read" })).toEqual(["read"]);
  });

  it("left out passes over what the client has and the catalogue has no more", async () => {
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

  it("may be left out where the client has one, and only there", async () => {
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

  it("may be any one of those that the client has", async () => {
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
    "%s stays as it is, byte for byte, with the answer behind it",
    async (uri, separator) => {
      const own = await makeWebClient({ redirect_uris: [uri] });
      const redirect_uri = { redirect_uri: uri };
      const request = await requestAtLogin(own, redirect_uri);
      const { redirect_to } = await server.expectAdmin<{ redirect_to: string }>(
        "POST",
        "/authorizations",
        { request, subject: "alice" },
      );
      expect(redirect_to.startsWith(`${uri}${separator}code=`)).toBe(true);
      const refused = { ...redirect_uri, scope: "write" };
      const target = (await authorize(own, refused)).headers.get("Location");
      expect(target?.startsWith(`${uri}${separator}error=`)).toBe(true);
    },
  );
});

describe("a method that is not GET", () => {
  it.each(["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])(
    "%s gets 405 with Allow, on a page",
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

describe("without LOGIN_URL", () => {
  it.each(["GET", "POST", "OPTIONS"])(
    "there is nothing for %s",
    async (method) => {
      const off = serverWith({ LOGIN_URL: "" });
      const path = `/authorize?${authorizationQuery(client)}`;
      const response = await off.http(path, { method, redirect: "manual" });
      expect(response.headers.get("Allow")).toBeNull();
      expect(await shown(response)).toEqual([404, "not_found", "path_unknown"]);
    },
  );
});

describe("what was registered a moment ago", () => {
  it("works, also where the isolate has just been asked for it in vain", async () => {
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

  it("is looked for at most once a second, however often somebody asks with a wrong redirect URI", async () => {
    const { calls, bindings } = countingBindings();
    const counted = serverWith(bindings);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const ask = () =>
      authorize(client, { redirect_uri: "https://evil.example" }, counted);
    for (let tries = 0; tries < 20; tries++) await ask();
    expect(calls.kvRead).toBe(1);
    vi.advanceTimersByTime(1000);
    for (let tries = 0; tries < 20; tries++) await ask();
    expect(calls.kvRead).toBe(2);
  });
});

describe("what it costs", () => {
  /** A server that counts, in which no object may be called and time stands still. */
  function withoutObjects() {
    // A sign-in looks past the isolate's copy once a second.
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const { calls, bindings } = bindingsWithoutObjects();
    return { counted: serverWith(bindings), calls };
  }

  it("to ask and to decide is two reads of KV the first time, and then, within a second, nothing at all", async () => {
    const { counted, calls } = withoutObjects();
    const request = await requestAtLogin(client, {}, counted);
    await decide(request, { subject: "alice" }, counted);
    expect(calls).toEqual({ family: 0, kvRead: 2, kvWrite: 0 });
    const again = await requestAtLogin(client, {}, counted);
    await decide(again, { error: "access_denied" }, counted);
    expect(calls).toEqual({ family: 0, kvRead: 2, kvWrite: 0 });
  });

  it("to be refused is no more than that", async () => {
    const { counted, calls } = withoutObjects();
    const refused = await authorize(client, { scope: "admin" }, counted);
    expect(told(refused)).toMatchObject([
      { error: "invalid_scope" },
      "scope_not_granted",
    ]);
    expect(calls).toEqual({ family: 0, kvRead: 2, kvWrite: 0 });
  });

  it("to ask with a client id that no client can have is nothing", async () => {
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
