import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freshSecrets } from "../src/cli/local/dev-vars.ts";
import { freePort } from "../src/cli/local/wrangler.ts";
import type { ServerProcess } from "./bench/server-process.ts";
import { buildUpload, startWorkerd } from "./bench/workerd.ts";
import { rawRequest } from "./support/raw-request.ts";

/**
 * Requests that no HTTP library sends, over a raw socket to the deployed code on the bare runtime. The proxy of
 * `wrangler dev` would answer them itself.
 */

const folder = mkdtempSync(join(tmpdir(), "baton-wire-"));
const secrets = freshSecrets();
let server: ServerProcess;

beforeAll(async () => {
  const worker = await buildUpload(
    join(import.meta.dirname, "../wrangler.toml"),
    folder,
  );
  const port = await freePort();
  const variables = {
    ISSUER: `http://127.0.0.1:${port}`,
    LOGIN_URL: "https://login.example.com/",
    ...secrets,
  };
  server = await startWorkerd({ worker, variables, kv: ["KV"] }, folder, port);
});

afterAll(async () => {
  await server.kill();
  rmSync(folder, { recursive: true });
});

/** The log lines of requests with a reason, since the last call. */
let read = 0;
function reasons(): unknown[] {
  const log = readFileSync(join(folder, "server.log"), "utf8");
  const news = log.slice(read);
  read = log.length;
  return [...news.matchAll(/"reason":"(\w+)"/g)].map(([, reason]) => reason);
}

describe("a body that breaks off", () => {
  const bodies: [string, string[]][] = [
    ["ends before its Content-Length", ["Content-Length: 99", "", "token=x"]],
    [
      "has a chunk that ends early",
      ["Transfer-Encoding: chunked", "", "50", "token=x"],
    ],
    [
      "has a chunk of a malformed size",
      ["Transfer-Encoding: chunked", "", "7", "token=x", "zz", ""],
    ],
    [
      "lacks its last chunk",
      ["Transfer-Encoding: chunked", "", "7", "token=x", ""],
    ],
  ];
  const form = "Content-Type: application/x-www-form-urlencoded";
  const admin = [
    "Content-Type: application/json",
    `Authorization: Bearer ${secrets.ADMIN_TOKEN}`,
  ];
  const targets: [string, string[]][] = [
    ["POST /access_token", [form]],
    ["POST /revoke", [form]],
    ["POST /introspect", [form]],
    ["POST /admin/clients", admin],
    ["PUT /admin/scopes/read", admin],
  ];
  const cases = targets.flatMap(([target, headers]) =>
    bodies.map(([what, lines]) => ({ target, headers, what, lines })),
  );

  it.each(cases)(
    "is 400 at $target if it $what, and nothing unexpected in the log",
    async ({ target, headers, lines }) => {
      reasons();
      const response = await rawRequest(
        server.url,
        `${target} HTTP/1.1`,
        `Host: ${new URL(server.url).host}`,
        ...headers,
        ...lines,
      );
      expect(response.status).toBe(400);
      expect(response.body).toContain('"error":"invalid_request"');
      expect(reasons()).toEqual(["body_incomplete"]);
    },
  );

  it("leaves the server as it was", async () => {
    const response = await fetch(`${server.url}/health`);
    expect(await response.json()).toEqual({ status: "ok" });
  });
});

describe("a Host that makes no URL", () => {
  it.each(["a b", "a%zz", "[::1", "a:99999", "a/b", "u@a", "<>"])(
    "(%s) is 400 everywhere",
    async (host) => {
      reasons();
      for (const target of ["GET /authorize", "GET /health", "GET /x"]) {
        const response = await rawRequest(
          server.url,
          `${target} HTTP/1.1`,
          `Host: ${host}`,
          "Connection: close",
          "",
          "",
        );
        expect([target, response.status]).toEqual([target, 400]);
        expect(reasons()).toEqual(["host_malformed"]);
      }
    },
  );

  it.each([[[]], [["Host:"]]])(
    "left out or empty (%j) is 400",
    async (host) => {
      const lines = [
        "GET /health HTTP/1.1",
        ...host,
        "Connection: close",
        "",
        "",
      ];
      expect((await rawRequest(server.url, ...lines)).status).toBe(400);
    },
  );
});

describe("state in the request line", () => {
  /** Sends an authorization request. `state` and `type` are sent as they are. @returns the header Location */
  async function locationOf(
    client_id: string,
    state: string,
    type = "code",
  ): Promise<string> {
    const { headers } = await rawRequest(
      server.url,
      `GET /authorize?client_id=${client_id}&response_type=${type}&code_challenge=${"x".repeat(43)}&code_challenge_method=S256&state=${state} HTTP/1.1`,
      `Host: ${new URL(server.url).host}`,
      "Connection: close",
      "",
      "",
    );
    return /^Location: (.*)$/im.exec(headers)?.[1] ?? "";
  }

  async function admin<T>(path: string, body: object): Promise<T> {
    const response = await fetch(`${server.url}/admin/${path}`, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        Authorization: `Bearer ${secrets.ADMIN_TOKEN}`,
      },
      body: JSON.stringify(body),
    });
    return (await response.json()) as T;
  }

  const uri = "https://app.example.com/callback";
  let client_id: string;

  beforeAll(async () => {
    const body = { redirect_uris: [uri] };
    ({ client_id } = await admin<{ client_id: string }>("clients", body));
  });

  it.each([
    ["a'b'", "a'b'"],
    ["ab+cd/ef==", "ab+cd/ef=="],
    ["%zz%2b%0d%0a'", "%zz%2b%0d%0a'"],
    ["~!*'();:@$,[]{}|^`\\?", "~!*'();:@$,[]{}|^`\\?"],
    // Not ASCII, so the URL of the answer cannot have it.
    ["\u00e9\u6f22", "%C3%A9%E6%BC%A2"],
  ])("%s comes back as %s", async (sent, state) => {
    const end = `&state=${state}&iss=${encodeURIComponent(server.url)}`;
    const error = await locationOf(client_id, sent, "token");
    expect(error.startsWith(`${uri}?error=`)).toBe(true);
    expect(error.slice(-end.length)).toBe(end);
    const login = new URL(await locationOf(client_id, sent));
    const request = login.searchParams.get("request");
    const decision = { request, subject: "alice" };
    const { redirect_to } = await admin<{ redirect_to: string }>(
      "authorizations",
      decision,
    );
    expect(redirect_to.startsWith(`${uri}?code=`)).toBe(true);
    expect(redirect_to.slice(-end.length)).toBe(end);
  });
});

describe("plain http to another host than a loopback address", () => {
  const to = (target: string) =>
    rawRequest(
      server.url,
      `${target} HTTP/1.1`,
      "Host: auth.example.com",
      "X-Forwarded-Proto: https",
      "Content-Length: 0",
      "Connection: close",
      "",
      "",
    );

  it("is 308 to https for GET, and 400 for POST", async () => {
    const redirected = await to("GET /authorize?x=1");
    expect(redirected.status).toBe(308);
    expect(redirected.headers).toContain(
      "Location: https://auth.example.com/authorize?x=1",
    );
    reasons();
    expect((await to("POST /access_token")).status).toBe(400);
    expect(reasons()).toEqual(["https_required"]);
  });
});
