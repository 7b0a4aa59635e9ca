import { env } from "cloudflare:workers";
import { generateKeyPair, SignJWT } from "jose";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  accessVariables,
  AUD,
  FakeAccess,
  TEAM,
} from "../../support/access.ts";
import { ask, makeToken } from "../../support/administrators.ts";
import { listenToLog, parsedLog } from "../../support/log.ts";
import { reasonOf } from "../../support/request-lines.ts";
import {
  ISSUER,
  refusal,
  serverWith,
  type TestServer,
} from "../../support/server.ts";

/** Cloudflare Access as a second way into the admin API. */

const wrong = [401, "invalid_token", "admin_token_wrong"];
const insufficient = [403, "insufficient_scope", "admin_role_insufficient"];
const crossSite = [403, "access_denied", "admin_request_cross_site"];
const unavailable = [503, "temporarily_unavailable", "access_keys_unavailable"];

let access: FakeAccess;

beforeEach(async () => {
  access = await FakeAccess.start();
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** A new isolate behind Access. */
function behindAccess(variables: Record<string, unknown> = {}): TestServer {
  return serverWith({ ...accessVariables, ...variables });
}

function askBy(
  server: TestServer,
  jwt: string,
  method = "GET",
  path = "/scopes",
  headers: Record<string, string> = {},
  body?: unknown,
): Promise<Response> {
  const all = { "Cf-Access-Jwt-Assertion": jwt, ...headers };
  return ask(server, method, path, all, body);
}

describe("a person whom Access lets through", () => {
  it.each([
    ["\u212aim@example.com", "kim@example.com=admin"],
    ["kim@example.com", "\u212aim@example.com=admin"],
  ])(
    "has no role by a name that only looks like theirs: %s is not in %s",
    async (email, ACCESS_ROLES) => {
      const jwt = await access.jwt({ email });
      const response = await askBy(behindAccess({ ACCESS_ROLES }), jwt);
      expect(await refusal(response)).toEqual(insufficient);
    },
  );

  it("comes in with the role of their email address, in any case", async () => {
    const server = behindAccess();
    for (const email of ["alice@example.com", "ALICE@Example.com"]) {
      const jwt = await access.jwt({ email });
      const response = await askBy(server, jwt, "POST", "/clients", {}, {});
      expect(response.status).toBe(201);
    }
    const jwt = await access.jwt({ email: "oscar@example.com" });
    expect((await askBy(server, jwt)).status).toBe(200);
    expect(
      await refusal(await askBy(server, jwt, "POST", "/clients", {}, {})),
    ).toEqual(insufficient);
    expect(access.fetched).toEqual([`https://${TEAM}/cdn-cgi/access/certs`]);
  });

  it("may do nothing without a role", async () => {
    const jwt = await access.jwt({ email: "mallory@example.com" });
    for (const server of [
      behindAccess(),
      behindAccess({ ACCESS_ROLES: "" }),
      behindAccess({ ACCESS_ROLES: undefined }),
    ])
      for (const path of ["/scopes", "/openapi.json", "/nowhere"])
        expect(await refusal(await askBy(server, jwt, "GET", path))).toEqual(
          insufficient,
        );
  });

  it("has the role of * if they have none of their own", async () => {
    const server = behindAccess({
      ACCESS_ROLES: "*=read,alice@example.com=login",
    });
    const anybody = await access.jwt({ email: "mallory@example.com" });
    expect((await askBy(server, anybody)).status).toBe(200);
    const alice = await access.jwt();
    expect(await refusal(await askBy(server, alice))).toEqual(insufficient);
  });

  it("may be a service token, by its common name", async () => {
    const server = behindAccess();
    for (const email of ["", undefined]) {
      const jwt = await access.jwt({
        email,
        common_name: "ci.access",
        sub: "",
      });
      const response = await askBy(server, jwt, "POST", "/grants", {}, {});
      expect(response.status).toBe(400);
      expect(reasonOf(response)).toBe("admin_body_invalid");
    }
  });

  it("needs no ADMIN_TOKEN: the admin API is on", async () => {
    const server = behindAccess({ ADMIN_TOKEN: undefined });
    expect((await askBy(server, await access.jwt())).status).toBe(200);
    expect(await refusal(await server.http("/admin/scopes"))).toEqual(wrong);
  });

  it("is the actor in the log", async () => {
    const lines = listenToLog();
    const server = behindAccess();
    await askBy(server, await access.jwt());
    const oscar = await access.jwt({ email: "oscar@example.com" });
    await askBy(server, oscar, "GET", "/tokens");
    const all = parsedLog(lines);
    expect(all).toMatchObject([
      { event: "request", actor: "access:alice@example.com" },
      {
        event: "admin.denied",
        actor: "access:oscar@example.com",
        role: "admin",
      },
      { event: "request", actor: "access:oscar@example.com", status: 403 },
    ]);
    expect(lines.join()).not.toContain(oscar.split(".")[2]);
  });
});

describe("a JWT", () => {
  it("is not read while Access is not configured", async () => {
    const jwt = await access.jwt();
    expect(await refusal(await askBy(serverWith({}), jwt))).toEqual(wrong);
    expect(access.fetched).toEqual([]);
  });

  it.each<[string, Record<string, unknown>]>([
    ["another team", { iss: "https://evil.cloudflareaccess.com" }],
    ["another issuer's spelling", { iss: `https://${TEAM}/` }],
    ["another application", { aud: ["0".repeat(32)] }],
    ["no application", { aud: undefined }],
    ["the past", { exp: Math.floor(Date.now() / 1000) - 1 }],
    ["the future", { nbf: Math.floor(Date.now() / 1000) + 120 }],
    ["no end", { exp: undefined }],
    ["an end that is not a number", { exp: "9999999999" }],
    ["nobody", { email: "", common_name: "" }],
    ["an email address that is not a string", { email: ["alice@example.com"] }],
  ])("of %s is refused", async (_, claims) => {
    const jwt = await access.jwt({ email: "alice@example.com", ...claims });
    expect(await refusal(await askBy(behindAccess(), jwt))).toEqual(wrong);
  });

  it("may have its audience as one string", async () => {
    const jwt = await access.jwt({ aud: AUD, email: "alice@example.com" });
    expect((await askBy(behindAccess(), jwt)).status).toBe(200);
  });

  it("that is forged is refused: by another key, another algorithm, none, or with a changed claim", async () => {
    const server = behindAccess();
    const good = await access.jwt();
    const [head = "", payload = "", signature = ""] = good.split(".");
    const { kid } = JSON.parse(atob(head)) as { kid: string };
    const encode = (value: object) =>
      btoa(JSON.stringify(value))
        .replaceAll("=", "")
        .replaceAll("+", "-")
        .replaceAll("/", "_");
    const claims = { ...(JSON.parse(atob(payload)) as object) };
    const { privateKey } = await generateKeyPair("RS256");
    const foreign = await new SignJWT(claims)
      .setProtectedHeader({ alg: "RS256", kid })
      .sign(privateKey);
    const symmetric = await new SignJWT(claims)
      .setProtectedHeader({ alg: "HS256", kid })
      .sign(new TextEncoder().encode("x".repeat(32)));
    for (const jwt of [
      foreign,
      symmetric,
      `${encode({ alg: "none" })}.${payload}.`,
      `${encode({ alg: "none", kid })}.${payload}.${signature}`,
      `${head}.${encode({ ...claims, email: "alice@example.com", x: 1 })}.${signature}`,
      `${head}.${payload}`,
      `${head}.${payload}.`,
      `${good}.x`,
      `${good}=`,
      "x",
      "..",
      "a.b.c",
      `${head}.${payload}.${"A".repeat(20_000)}`,
    ])
      expect(await refusal(await askBy(server, jwt)), jwt).toEqual(wrong);
    expect((await askBy(server, good)).status).toBe(200);
  });

  it("with a critical header, or without a key id, is refused (RFC 7515 section 4.1.11)", async () => {
    const server = behindAccess();
    for (const header of [{ kid: undefined }, { crit: ["b64"], b64: true }])
      expect(
        await refusal(await askBy(server, await access.jwt(undefined, header))),
      ).toEqual(wrong);
  });

  it("does not make good a wrong admin token beside it, and a right one comes first", async () => {
    const server = behindAccess();
    const jwt = await access.jwt();
    const beside = (token: string) =>
      askBy(server, jwt, "GET", "/tokens", {
        Authorization: `Bearer ${token}`,
      });
    expect(await refusal(await beside("wrong"))).toEqual(wrong);
    expect((await beside(env.ADMIN_TOKEN)).status).toBe(200);
    const { token } = await makeToken("read");
    expect(await refusal(await beside(token))).toEqual(insufficient);
  });

  it("that is wrong counts as a guess of its network", async () => {
    const server = behindAccess();
    listenToLog();
    const headers = { "CF-Connecting-IP": "192.0.2.77" };
    for (let sent = 0; sent < 120; sent++)
      expect((await askBy(server, "x", "GET", "/scopes", headers)).status).toBe(
        401,
      );
    const response = await askBy(
      server,
      await access.jwt(),
      "GET",
      "/scopes",
      headers,
    );
    expect(await refusal(response)).toEqual([
      429,
      "temporarily_unavailable",
      "admin_tokens_limited",
    ]);
  });
});

describe("a page of another site", () => {
  it.each([
    [{ "Sec-Fetch-Site": "cross-site" }],
    [{ "Sec-Fetch-Site": "same-site" }],
    [{ Origin: "https://evil.example" }],
    [{ Origin: "null" }],
    [{ Origin: ISSUER, "Sec-Fetch-Site": "same-site" }],
  ])("changes nothing with the person's cookie: %j", async (headers) => {
    const server = behindAccess();
    const jwt = await access.jwt();
    const path = `/scopes/${crypto.randomUUID()}`;
    const body = { description: "x" };
    expect(
      await refusal(await askBy(server, jwt, "PUT", path, headers, body)),
    ).toEqual(crossSite);
    const { client_id } = await server.makeClient();
    const rotate = `/clients/${client_id}/secrets`;
    expect(
      await refusal(await askBy(server, jwt, "POST", rotate, headers)),
    ).toEqual(crossSite);
  });

  it("is neither the server's own page nor a program, and an admin token needs no such check", async () => {
    const server = behindAccess();
    const jwt = await access.jwt();
    const path = `/scopes/${crypto.randomUUID()}`;
    const body = { description: "x" };
    for (const headers of [
      {},
      { "Sec-Fetch-Site": "same-origin", Origin: ISSUER },
      { "Sec-Fetch-Site": "none" },
    ] as Record<string, string>[])
      expect(
        (await askBy(server, jwt, "PUT", path, headers, body)).status,
      ).toBe(200);
    const headers = {
      Authorization: `Bearer ${env.ADMIN_TOKEN}`,
      "Sec-Fetch-Site": "cross-site",
    };
    expect((await ask(server, "PUT", path, headers, body)).status).toBe(200);
  });
});

describe("the keys of Access", () => {
  it("are fetched when the first JWT arrives that can be valid, and then kept", async () => {
    const server = behindAccess();
    await askBy(server, await access.jwt({ aud: ["another"] }));
    await server.http("/admin/scopes");
    expect(access.fetched).toEqual([]);
    for (let sent = 0; sent < 3; sent++)
      expect((await askBy(server, await access.jwt())).status).toBe(200);
    expect(access.fetched).toHaveLength(1);
  });

  it("are fetched once by requests at the same time", async () => {
    const server = behindAccess();
    access.answer = async () => {
      await scheduler.wait(120);
      return access.jwks();
    };
    const jwt = await access.jwt();
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => askBy(server, jwt)),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(5).fill(200));
    expect(access.fetched).toHaveLength(1);
  });

  it("are fetched again for an unknown key, so that a rotation is noticed, but not for every forged one", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const server = behindAccess();
    await askBy(server, await access.jwt());
    vi.advanceTimersByTime(5_000);
    await access.rotate();
    expect((await askBy(server, await access.jwt())).status).toBe(200);
    expect(access.fetched).toHaveLength(2);
    for (let sent = 0; sent < 10; sent++) {
      const forged = await access.jwt(undefined, { kid: crypto.randomUUID() });
      expect(await refusal(await askBy(server, forged))).toEqual(wrong);
    }
    expect(access.fetched).toHaveLength(2);
  });

  it("are fetched again after ten minutes, and an hour old ones do while Access is silent", async () => {
    listenToLog();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const server = behindAccess();
    const asked = async () => askBy(server, await access.jwt());
    expect((await asked()).status).toBe(200);
    vi.advanceTimersByTime(10 * 60_000);
    expect((await asked()).status).toBe(200);
    expect(access.fetched).toHaveLength(2);
    access.answer = () => Promise.reject(new Error("no answer"));
    vi.advanceTimersByTime(59 * 60_000);
    expect((await asked()).status).toBe(200);
    vi.advanceTimersByTime(60_000);
    expect(await refusal(await asked())).toEqual(unavailable);
    access.answer = () => access.jwks();
    vi.advanceTimersByTime(5_000);
    expect((await asked()).status).toBe(200);
  });

  it.each<[string, () => Promise<Response> | Response]>([
    ["no answer", () => Promise.reject(new Error("connection refused"))],
    ["500", () => new Response("x", { status: 500 })],
    [
      "a redirect",
      () =>
        new Response(null, {
          status: 302,
          headers: { Location: "https://evil.example" },
        }),
    ],
    ["a page", () => new Response("<html>")],
    ["no keys", () => Response.json({ keys: [] })],
    ["another list", () => Response.json([])],
    [
      "keys of another kind",
      () =>
        Response.json({
          keys: [
            { kty: "EC", kid: "x" },
            7,
            null,
            { kty: "RSA", kid: "x", n: "!", e: "AQAB" },
          ],
        }),
    ],
    ["too much", () => new Response("x".repeat(100_000))],
  ])(
    "that cannot be fetched are a 503 for a moment, and ADMIN_TOKEN still comes in: %s",
    async (_, answer) => {
      const lines = listenToLog();
      vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
      const server = behindAccess();
      access.answer = answer;
      const jwt = await access.jwt();
      const response = await askBy(server, jwt);
      expect(response.headers.get("Retry-After")).toBe("5");
      expect(await refusal(response)).toEqual(unavailable);
      expect(await refusal(await askBy(server, jwt))).toEqual(unavailable);
      expect(access.fetched).toHaveLength(1);
      expect(parsedLog(lines).map(({ event }) => event)).toContain(
        "access_keys.unreachable",
      );
      expect((await server.admin("GET", "/scopes")).status).toBe(200);
      access.answer = () => access.jwks();
      vi.advanceTimersByTime(5_000);
      expect((await askBy(server, jwt)).status).toBe(200);
    },
  );
});

describe("the variables of Access", () => {
  it("may name a team of Cloudflare for Government", async () => {
    const server = behindAccess({
      ACCESS_TEAM_DOMAIN: "team.fed.cloudflareaccess.com",
    });
    expect((await server.health()).status).toBe(200);
  });

  it.each<[Record<string, unknown>, string]>([
    [{ ACCESS_TEAM_DOMAIN: `https://${TEAM}` }, "ACCESS_TEAM_DOMAIN"],
    [{ ACCESS_TEAM_DOMAIN: `${TEAM}/x` }, "ACCESS_TEAM_DOMAIN"],
    [{ ACCESS_TEAM_DOMAIN: "team" }, "ACCESS_TEAM_DOMAIN"],
    [{ ACCESS_TEAM_DOMAIN: "Team.cloudflareaccess.com" }, "ACCESS_TEAM_DOMAIN"],
    [{ ACCESS_TEAM_DOMAIN: `${TEAM}.` }, "ACCESS_TEAM_DOMAIN"],
    [{ ACCESS_TEAM_DOMAIN: `${TEAM}:8443` }, "ACCESS_TEAM_DOMAIN"],
    [{ ACCESS_TEAM_DOMAIN: "10.0.0.1" }, "ACCESS_TEAM_DOMAIN"],
    [{ ACCESS_TEAM_DOMAIN: "[::1]" }, "ACCESS_TEAM_DOMAIN"],
    [{ ACCESS_TEAM_DOMAIN: "team.cloudflareacces.com" }, "ACCESS_TEAM_DOMAIN"],
    [{ ACCESS_TEAM_DOMAIN: "teamcloudflareaccess.com" }, "ACCESS_TEAM_DOMAIN"],
    [{ ACCESS_TEAM_DOMAIN: "cloudflareaccess.com" }, "ACCESS_TEAM_DOMAIN"],
    [{ ACCESS_TEAM_DOMAIN: ".cloudflareaccess.com" }, "ACCESS_TEAM_DOMAIN"],
    [{ ACCESS_TEAM_DOMAIN: `${TEAM}@${TEAM}` }, "ACCESS_TEAM_DOMAIN"],
    [{ ACCESS_TEAM_DOMAIN: "" }, "ACCESS_TEAM_DOMAIN"],
    [{ ACCESS_TEAM_DOMAIN: 7 }, "ACCESS_TEAM_DOMAIN"],
    [{ ACCESS_AUD: "" }, "ACCESS_AUD"],
    [{ ACCESS_AUD: "a b" }, "ACCESS_AUD"],
    [{ ACCESS_ROLES: "alice@example.com" }, "ACCESS_ROLES"],
    [{ ACCESS_ROLES: "alice@example.com=root" }, "ACCESS_ROLES"],
    [{ ACCESS_ROLES: "=admin" }, "ACCESS_ROLES"],
    [{ ACCESS_ROLES: "*@example.com=admin" }, "ACCESS_ROLES"],
    [{ ACCESS_ROLES: "a@x.y=admin,A@x.y=read" }, "ACCESS_ROLES"],
    [{ ACCESS_ROLES: "a@x.y=admin," }, "ACCESS_ROLES"],
  ])(
    "are named if they are malformed or incomplete: %j",
    async (change, name) => {
      const server = behindAccess(change);
      const response = await server.health();
      const { problems } = await response.json<{
        problems: { name: string; problem: string }[];
      }>();
      expect(problems.map((problem) => problem.name)).toEqual([name]);
      expect(JSON.stringify(problems)).not.toContain("a@x.y");
    },
  );
});
