import { exports } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import {
  authorizationQuery,
  location,
  makeWebClient,
  REDIRECT_URI,
} from "../support/authorization.ts";
import { reasonOf } from "../support/request-lines.ts";
import { ISSUER, server, type TestClient } from "../support/server.ts";

/**
 * Tests that `state` comes back byte for byte as it stands in the query (RFC 6749 section 4.1.2). Apps compare
 * it without decoding it, and no two encoders agree on every character.
 */

let client: TestClient;

beforeAll(async () => {
  client = await makeWebClient();
});

const tail = `&iss=${encodeURIComponent(ISSUER)}`;

/** Asks with parameters that are added to the query as they are. */
function ask(raw: string, more: Record<string, string> = {}) {
  const query = authorizationQuery(client, { state: undefined, ...more });
  return server.http(`/authorize?${query}${raw}`, { redirect: "manual" });
}

/** A redirect that the endpoint itself makes, because the request has a fault. */
async function refusedRedirect(raw: string): Promise<string> {
  const response = await ask(raw, { response_type: "token" });
  expect(response.status).toBe(303);
  return response.headers.get("Location") ?? "";
}

type Decision =
  | { request: string; subject: string }
  | { request: string; error: "access_denied" };

const byAdmin = async (decision: Decision) =>
  server.expectAdmin<{ redirect_to: string }>(
    "POST",
    "/authorizations",
    decision,
  );
const byRpc = async (decision: Decision) =>
  (await exports.Login.decideAuthorization(decision)) as {
    redirect_to: string;
  };

/** Every redirect to the client that one request can lead to, without its code or error. */
async function redirectsWith(raw: string): Promise<string[]> {
  const request = location(await ask(raw)).searchParams.get("request") ?? "";
  const decided = await Promise.all(
    [byAdmin, byRpc].flatMap((decide) => [
      decide({ request, subject: "alice" }),
      decide({ request, error: "access_denied" }),
    ]),
  );
  const all = [
    await refusedRedirect(raw),
    ...decided.map(({ redirect_to }) => redirect_to),
  ];
  return all.map((url) => {
    const [start = "", ...rest] = url.split("&state=");
    expect(start).toMatch(/^https:\/\/app\.example\.com\/callback\?/);
    expect(start).toMatch(/\?(code=[\w.-]+|error=\w+&error_description=[^&]+)/);
    // One line of printable ASCII, so that it neither ends the header nor has a fragment.
    expect(url).toMatch(/^[\x21\x22\x24-\x7e]+$/);
    return ["", ...rest].join("&state=");
  });
}

describe("state comes back byte for byte:", () => {
  it.each([
    "ab+cd/ef==",
    "ab%2Bcd",
    "ab%2bcd",
    "a%20b",
    "a+b",
    "%7e~!*()",
    "~!*()-._",
    "%7E%21%2A%28%29%27",
    "%61bc",
    "a=b=c=",
    "=",
    "==",
    "%zz",
    "%",
    "%2",
    "100%",
    "%25zz",
    "%C3%A9%c3%a9",
    "%FF%fe%80",
    "%ED%A0%80",
    "%EF%BB%BFx",
    "%0D%0ASet-Cookie:%20a=b%0D%0A%0D%0A",
    "%0d%0a",
    "%00",
    "a%26code%3Devil",
    "a%26state%3Devil",
    "a;code=evil",
    "a%3Bb",
    "a%23b",
    "a?b?",
    "?",
    "%3F",
    "a,b:c@d$e",
    "[a]",
    "{a}|b^c`d",
    "%7B%22csrf%22%3A%22a+b%2Fc%3D%22%2C%22next%22%3A%22%2Finbox%3Fpage%3D2%26x%22%7D",
    "eyJhbGciOiJub25lIn0.eyJ4IjoiYSJ9.",
    "undefined",
    "null",
    "x".repeat(3700),
    "%41".repeat(1200),
  ])("%s", async (state) => {
    const answers = await redirectsWith(`&state=${state}`);
    expect(answers).toHaveLength(5);
    for (const answer of answers) expect(answer).toBe(`&state=${state}${tail}`);
  });

  it.each(["s%74ate", "%73%74%61%74%65", "st%61te"])(
    "also if its name is sent as %s",
    async (name) => {
      for (const answer of await redirectsWith(`&${name}=a+b%2f`))
        expect(answer).toBe(`&state=a+b%2f${tail}`);
    },
  );

  it.each(["&state=&state=a%2fb", "&state=a%2fb&state=", "&state&state=a%2fb"])(
    "beside an empty one, which counts as left out (%s)",
    async (raw) => {
      for (const answer of await redirectsWith(raw))
        expect(answer).toBe(`&state=a%2fb${tail}`);
    },
  );

  it.each([
    "&xstate=x&state=a%2fb",
    "&state=a%2fb&states=x",
    "&?state=x&state=a%2fb",
    "&%3Fstate=x&state=a%2fb",
    "&State=x&state=a%2fb",
    "&state%00=x&state=a%2fb",
    "&&state=a%2fb&&",
    "&state+=x&state=a%2fb",
    "&login_hint=state=x&state=a%2fb",
    "&state=a%2fb#&state=x",
  ])("and not that of a name that is only like it (%s)", async (raw) => {
    for (const answer of await redirectsWith(raw))
      expect(answer).toBe(`&state=a%2fb${tail}`);
  });

  it("if it is the first parameter", async () => {
    const query = authorizationQuery(client, {
      state: undefined,
      response_type: "token",
    });
    const init = { redirect: "manual" } as const;
    const response = await server.http(`/authorize?state=a%2fb&${query}`, init);
    const [, ...rest] = (response.headers.get("Location") ?? "").split(
      "&state=",
    );
    expect(rest).toEqual([`a%2fb${tail}`]);
  });
});

describe("there is no state in the response", () => {
  it.each([
    "",
    "&state=",
    "&state",
    "&state=&state=",
    "&st%61te=",
    "&?state=x",
    "&State=x",
    "#&state=x",
  ])("to a request without one (%s)", async (raw) => {
    for (const url of await redirectsWith(raw)) expect(url).toBe("");
    const url = new URL(await refusedRedirect(raw));
    expect([...url.searchParams.keys()]).toEqual([
      "error",
      "error_description",
      "iss",
    ]);
  });

  it.each([
    "&state=a&state=b",
    "&state=a&state=a",
    "&state=a&st%61te=b",
    "&state=a&state=&state=b",
    "&state=%zz&state=%0d",
  ])("to one that sent it twice (%s)", async (raw) => {
    const response = await ask(raw);
    const url = location(response);
    expect(reasonOf(response)).toBe("parameter_repeated");
    expect(url.origin + url.pathname).toBe(REDIRECT_URI);
    expect([...url.searchParams.keys()]).toEqual([
      "error",
      "error_description",
      "iss",
    ]);
  });
});

describe("a character that no browser sends in a query is percent-encoded:", () => {
  it.each([
    ["a b", "a%20b"],
    ['a"b', "a%22b"],
    ["<script>", "%3Cscript%3E"],
    ["\u00e9", "%C3%A9"],
    ["\u6f22", "%E6%BC%A2"],
    ["\u{1f469}", "%F0%9F%91%A9"],
    ["\u007f", "%7F"],
    ["\u2028", "%E2%80%A8"],
  ])("%j", async (sent, state) => {
    for (const answer of await redirectsWith(`&state=${sent}`))
      expect(answer).toBe(`&state=${state}${tail}`);
  });
});

describe("the bound on the query", () => {
  const longest = (unit: string, length: number) => {
    const query = authorizationQuery(client, { state: undefined });
    const room = length - query.length - "&state=".length;
    return unit.repeat(Math.floor(room / unit.length));
  };

  it.each(["%41", "x", "%0a"])(
    "counts %s as it came, because it goes back as it came",
    async (unit) => {
      const fits = await ask(`&state=${longest(unit, 4090)}`);
      expect(fits.status).toBe(303);
      const tooLong = await ask(`&state=${longest(unit, 4102)}`);
      expect(tooLong.status).toBe(400);
      expect(reasonOf(tooLong)).toBe("authorization_request_too_long");
    },
  );

  it.each(["%41", "%00", "%22", "x", "%C3%A9"])(
    "keeps the URL back to the client within 8000 characters (%s)",
    async (unit) => {
      const raw = `&state=${longest(unit, 4090)}`;
      const request = location(await ask(raw)).searchParams.get("request");
      expect(request).not.toBeNull();
      const { redirect_to } = await byAdmin({
        request: request ?? "",
        subject: "a".repeat(255),
      });
      expect(redirect_to.length).toBeLessThanOrEqual(8000);
      expect((await refusedRedirect(raw)).length).toBeLessThanOrEqual(8000);
    },
  );
});
