import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import local, { Login } from "../../src/dev/index.ts";
import { Login as DeployedLogin } from "../../src/index.ts";
import {
  authorize,
  expectTokens,
  location,
  makeWebClient,
  redeem,
} from "../support/authorization.ts";
import { answerOf, reasonOf } from "../support/request-lines.ts";
import { refusal, serverWith, TestServer } from "../support/server.ts";

/**
 * A local server with the name of a container as its ISSUER. The development entry accepts it, the deployed one does
 * not.
 */

const ISSUER = "http://baton:8787";
const LOGIN_URL = `${ISSUER}/dev/login`;
/** Where npm run dev looks at /health, also while the server does not accept its ISSUER. */
const LOOPBACK = "http://localhost:8787";

/** The Worker of `npm run dev`, reached at an origin as from another container. */
function localAt(origin: string, variables: Record<string, unknown> = {}) {
  const bindings = { ...env, ISSUER, LOGIN_URL, ...variables };
  return new TestServer(async ({ url, method, headers, body }) => {
    const { pathname, search } = new URL(url);
    const sent = new Headers(headers);
    sent.set("Host", new URL(origin).host);
    const request = new Request(origin + pathname + search, {
      method,
      headers: sent,
      redirect: "manual",
      ...(body && { body }),
    });
    return local.fetch(request, bindings, createExecutionContext());
  });
}

async function problemsOf(server: TestServer): Promise<unknown> {
  return (await server.health()).json();
}

const names = [
  "http://baton:8787",
  "http://baton",
  "http://my_project-baton-1:8787",
  "http://host.docker.internal:8787",
  "http://baton.internal",
  "http://laptop.local:8787",
  "http://baton.localhost:8787",
  "http://auth.test",
  "http://baton.home.arpa",
  "http://baton.default.svc.cluster.local:8787",
];

/** Names that somebody else may own, addresses, and what only looks like a name of a container. */
const refused = [
  "http://auth.example.com",
  "http://auth.example.com:8787",
  "http://baton.com",
  "http://baton.dev:8787",
  "http://baton.internal.example.com",
  "http://baton.local.com",
  "http://notlocal.localx",
  "http://internal.co",
  "http://192.168.1.20:8787",
  "http://10.0.0.5:8787",
  "http://172.17.0.2:8787",
  "http://0.0.0.0:8787",
  "http://8.8.8.8",
  "http://[fd00::1]:8787",
  "http://localhost.example.com",
  "http://baton.workers.dev",
  "http://home.arpa.example",
];

describe("the development entry", () => {
  it.each(names)("accepts ISSUER %s, and LOGIN_URL there", async (issuer) => {
    const server = localAt(issuer, {
      ISSUER: issuer,
      LOGIN_URL: `${issuer}/dev/login`,
    });
    expect(await problemsOf(server)).toEqual({ status: "ok" });
    const metadata = await server.http("/.well-known/openid-configuration");
    expect(await metadata.json()).toMatchObject({
      issuer,
      token_endpoint: `${issuer}/access_token`,
    });
    const page = await server.http("/dev/login");
    expect([page.status, await page.text()]).toEqual([
      400,
      expect.stringContaining("Start at an app"),
    ]);
  });

  it.each(refused)("refuses ISSUER %s, and LOGIN_URL there", async (url) => {
    const problem = expect.stringContaining("https://");
    expect(await problemsOf(localAt(LOOPBACK, { ISSUER: url }))).toEqual({
      status: "failing",
      problems: [{ name: "ISSUER", problem }],
    });
    const LOGIN_URL = `${url}/sign-in`;
    expect(await problemsOf(localAt(LOOPBACK, { LOGIN_URL }))).toEqual({
      status: "failing",
      problems: [{ name: "LOGIN_URL", problem }],
    });
  });

  it.each([
    "http://baton:8787/",
    "http://BATON:8787",
    "http://user@baton:8787",
    "http://baton:80",
    "ftp://baton",
    "baton:8787",
  ])("refuses ISSUER %s, which is no origin", async (url) => {
    const { problems } = (await problemsOf(
      localAt(LOOPBACK, { ISSUER: url }),
    )) as {
      problems: { name: string }[];
    };
    expect(problems.map(({ name }) => name)).toEqual(["ISSUER"]);
  });

  it("signs a user in, and gives tokens of that issuer, by plain http", async () => {
    const server = localAt(ISSUER);
    const client = await makeWebClient();
    const url = location(await authorize(client, {}, server));
    expect(url.origin + url.pathname).toBe(LOGIN_URL);
    const request = url.searchParams.get("request") ?? "";
    const answer = await server.http("/dev/login", {
      method: "POST",
      body: new URLSearchParams({ request, subject: "alice", answer: "allow" }),
    });
    const back = location(answer);
    expect(back.searchParams.get("iss")).toBe(ISSUER);
    const code = back.searchParams.get("code") ?? "";
    const tokens = await expectTokens(await redeem(client, code, {}, server));
    expect(atob(tokens.access_token.split(".")[1]!)).toContain(
      `"iss":"${ISSUER}"`,
    );
  });

  it("lets that host in by plain http, at any port, and no other", async () => {
    const body = new URLSearchParams({ client_id: "x" });
    const status = async (origin: string, variables = {}) => {
      const server = localAt(origin, variables);
      const options = { method: "POST", body };
      return refusal(await server.http("/access_token", options));
    };
    const answered = [400, "invalid_request", "parameter_missing"];
    const held = [400, "invalid_request", "https_required"];
    for (const origin of [ISSUER, "http://baton:80", "http://localhost:8787"])
      expect(await status(origin)).toEqual(answered);
    for (const origin of [
      "http://auth.example.com",
      "http://other:8787",
      "http://baton.example.com:8787",
      "http://baton.internal",
      "http://192.168.1.20:8787",
    ])
      expect(await status(origin)).toEqual(held);
    const ALLOWED_HOSTS = "auth.example.com";
    expect(await status(ISSUER, { ALLOWED_HOSTS })).toEqual(answered);
    expect(await status("http://other:8787", { ALLOWED_HOSTS })).toEqual([
      404,
      "not_found",
      "host_not_allowed",
    ]);
    const https = { ISSUER: "https://baton", LOGIN_URL: "" };
    expect(await status(ISSUER, https)).toEqual(held);
  });

  it("does not register a redirect URI with plain http to that host", async () => {
    const response = await localAt(ISSUER).admin("POST", "/clients", {
      redirect_uris: ["http://baton:3000/callback"],
    });
    expect(await refusal(response)).toEqual([
      400,
      "invalid_request",
      "admin_body_invalid",
    ]);
  });

  it("has no sign-in page of its own beside another one", async () => {
    for (const variables of [
      { LOGIN_URL: "http://login:3000/" },
      { LOGIN_URL: "http://other:8787/dev/login" },
      { LOGIN_URL: "" },
      { ISSUER: "https://baton", LOGIN_URL: "https://baton/dev/login" },
    ]) {
      const response = await localAt("https://baton", variables).http(
        "/dev/login",
      );
      expect([response.status, reasonOf(response)]).toEqual([
        404,
        "path_unknown",
      ]);
    }
  });

  it("serves a sign-in page with a service binding", async () => {
    const bindings = { ...env, ISSUER, LOGIN_URL };
    const login = new Login(createExecutionContext(), bindings);
    const [answer, reason] = await answerOf(() =>
      login.describeAuthorization("x"),
    );
    expect(answer).toMatchObject({ error: "invalid_request" });
    expect(reason).toBe("authorization_request_malformed");
  });
});

describe("the deployed entry", () => {
  it.each([...names, ...refused])("refuses ISSUER %s", async (issuer) => {
    for (const variables of [
      { ISSUER: issuer, LOGIN_URL: "" },
      {
        ISSUER: issuer,
        LOGIN_URL: `https://${new URL(issuer).host}/dev/login`,
      },
    ]) {
      const server = serverWith(variables);
      expect(await problemsOf(server)).toEqual({
        status: "failing",
        problems: [
          { name: "ISSUER", problem: expect.stringContaining("https://") },
        ],
      });
      const response = await server.token({ grant_type: "refresh_token" });
      expect(await refusal(response)).toEqual([
        500,
        "server_error",
        "configuration_malformed",
      ]);
    }
  });

  it("refuses LOGIN_URL with the name of a container", async () => {
    expect(
      await problemsOf(serverWith({ LOGIN_URL: "http://login:3000/" })),
    ).toEqual({
      status: "failing",
      problems: [
        { name: "LOGIN_URL", problem: expect.stringContaining("https://") },
      ],
    });
  });

  it("refuses it by RPC as well", async () => {
    const bindings = { ...env, ISSUER, LOGIN_URL };
    const login = new DeployedLogin(createExecutionContext(), bindings);
    const [answer, reason] = await answerOf(() =>
      login.describeAuthorization("x"),
    );
    expect(answer).toMatchObject({ error: "server_error" });
    expect(reason).toBe("configuration_malformed");
  });
});
