import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { familiesWith } from "./support/faults.ts";
import { listenToLog } from "./support/log.ts";
import { reasonOf } from "./support/request-lines.ts";
import {
  refusal,
  server,
  serverWith,
  type TestClient,
  type TestServer,
} from "./support/server.ts";

/** What a page of another origin may do (Fetch, "CORS protocol"): its preflights, and the answers that it may read. */

const Origin = "https://app.example.com";

/** Every endpoint that pages of other origins may call, with its method. */
const open: [path: string, method: string][] = [
  ["/access_token", "POST"],
  ["/oauth/token", "POST"],
  ["/revoke", "POST"],
  ["/.well-known/oauth-authorization-server", "GET"],
  ["/.well-known/openid-configuration", "GET"],
  ["/.well-known/jwks.json", "GET"],
];
const closed = [
  "/authorize",
  "/introspect",
  "/admin/clients",
  "/health",
  "/",
  "/nowhere",
  "/well-known/x",
];

const everythingOn = { PASSPORT_TOKEN_ENDPOINT: "on" };
const all = serverWith(everythingOn);

/** Asks as a browser does before it sends a request of a page. */
function preflight(
  path: string,
  asked: string | undefined,
  { at = all, method = "POST", origin = Origin } = {},
): Promise<Response> {
  return at.http(path, {
    method: "OPTIONS",
    headers: {
      Origin: origin,
      "Access-Control-Request-Method": method,
      ...(asked !== undefined && { "Access-Control-Request-Headers": asked }),
    },
  });
}

/** The names in a header that is a list, in lower case. */
function listOf(response: Response, header: string): string[] {
  const value = response.headers.get(header);
  return value === null
    ? []
    : value.split(",").map((name) => name.trim().toLowerCase());
}

function granted(response: Response): string[] {
  return listOf(response, "Access-Control-Allow-Headers");
}

const always = ["authorization", "content-type"];

describe("a preflight", () => {
  it.each([
    ["an MCP client", "mcp-protocol-version"],
    ["an MCP client with a token", "authorization,mcp-protocol-version"],
    ["a client that proves a key", "content-type,dpop"],
    ["OpenTelemetry", "baggage,traceparent,tracestate"],
    ["Sentry", "baggage,sentry-trace"],
    [
      "Datadog",
      "x-datadog-origin,x-datadog-parent-id,x-datadog-sampling-priority,x-datadog-trace-id",
    ],
    ["New Relic", "newrelic,traceparent,tracestate"],
    ["jQuery and axios", "x-requested-with,x-xsrf-token"],
    [
      "a generated SDK",
      "x-stainless-arch,x-stainless-lang,x-stainless-os,x-stainless-package-version,x-stainless-retry-count,x-stainless-runtime,x-stainless-runtime-version",
    ],
    ["every character of a token", "!#$%&'*+-.^_`|~09az"],
    ["spaces around the names", " accept-version ,\tcache-control "],
  ])("grants the headers of %s, on every open endpoint", async (_, asked) => {
    const names = asked.split(",").map((name) => name.trim());
    for (const [path, method] of open) {
      const response = await preflight(path, asked, { method });
      expect([path, response.status]).toEqual([path, 204]);
      expect(response.headers.get("Access-Control-Allow-Origin")).toBe("*");
      expect(granted(response)).toEqual([...new Set([...always, ...names])]);
      expect(listOf(response, "Access-Control-Allow-Methods")).toContain(
        method.toLowerCase(),
      );
      expect(await response.text()).toBe("");
    }
  });

  it("is not the same for every request: Vary names what it depends on", async () => {
    for (const asked of ["dpop", undefined]) {
      const response = await preflight("/access_token", asked);
      expect(listOf(response, "Vary")).toEqual([
        "origin",
        "access-control-request-headers",
      ]);
    }
  });

  it("grants Authorization and Content-Type whatever it asks for, each name once", async () => {
    for (const asked of [undefined, "", ",", "AUTHORIZATION, content-type"])
      expect(granted(await preflight("/revoke", asked))).toEqual(always);
    const repeated = await preflight("/revoke", "dpop,DPoP,x-a,dpop");
    expect(granted(repeated)).toEqual([...always, "dpop", "x-a"]);
  });

  it("does not echo what is no name of a header", async () => {
    for (const asked of [
      "a b",
      "a\tb",
      "x:1",
      "x=1",
      '"x"',
      "x;q=1",
      "<script>",
      "x/y",
      "x@y",
      "(x)",
      "[x]",
      "x\\y",
      "\u00e9",
      // For a browser this is no name but a wildcard.
      "*",
    ]) {
      const response = await preflight("/access_token", `${asked},x-good`);
      expect([asked, granted(response)]).toEqual([
        asked,
        [...always, "x-good"],
      ]);
    }
  });

  it("grants 64 headers, and names of 2,048 characters", async () => {
    const names = (count: number) =>
      Array.from({ length: count }, (_, index) => `x-header-${index}`);
    const many = await preflight("/access_token", names(64).join());
    expect(granted(many)).toEqual([...always, ...names(64)]);
    const long = await preflight("/access_token", "x".repeat(2048));
    expect(granted(long)).toEqual([...always, "x".repeat(2048)]);
  });

  it.each([
    ["of more headers", Array.from({ length: 65 }, (_, i) => `x-${i}`).join()],
    ["of longer names", "x".repeat(2049)],
    ["of 16 KiB of commas", ",".repeat(16_384)],
  ])(
    "%s grants none of them by halves, and still the two that always are",
    async (_, asked) => {
      const response = await preflight("/access_token", asked);
      expect([response.status, granted(response)]).toEqual([204, always]);
    },
  );

  it("allows no credentials across origins", async () => {
    for (const [path, method] of open) {
      const asking = await preflight(path, "cookie,authorization", { method });
      const answer = await all.http(path, { method, headers: { Origin } });
      for (const { headers } of [asking, answer])
        expect(headers.get("Access-Control-Allow-Credentials")).toBeNull();
    }
  });

  it("of an endpoint that is not open gets no CORS header", async () => {
    for (const path of closed) {
      const response = await preflight(path, "authorization,dpop");
      const names = [...response.headers.keys()];
      expect([
        path,
        names.filter((name) => name.startsWith("access-control")),
      ]).toEqual([path, []]);
    }
  });

  it("of an endpoint that is off is 404, as every method", async () => {
    const response = await preflight("/oauth/token", "dpop", { at: server });
    expect(response.headers.get("Access-Control-Allow-Origin")).toBe("*");
    expect(await refusal(response)).toEqual([404, "not_found", "path_unknown"]);
  });
});

describe("below /.well-known/ a page of another origin", () => {
  const unknown = [
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/mcp",
    "/.well-known/oauth-authorization-server/mcp",
    "/.well-known/openid-configuration/tenant",
    "/.well-known/webfinger?resource=acct:a@b",
    "/.well-known/",
    "/.well-known/OAUTH-authorization-server",
    "/.well-known/jwks.json/",
  ];

  it.each(unknown)("can read that there is nothing at %s", async (path) => {
    for (const method of ["GET", "HEAD"]) {
      const asking = await preflight(path, "mcp-protocol-version", { method });
      expect(asking.status).toBe(204);
      expect(asking.headers.get("Access-Control-Allow-Origin")).toBe("*");
      expect(granted(asking)).toContain("mcp-protocol-version");
      expect(listOf(asking, "Access-Control-Allow-Methods")).toContain(
        method.toLowerCase(),
      );
    }
    const response = await server.http(path, {
      headers: { Origin, "MCP-Protocol-Version": "2025-11-25" },
    });
    expect(response.headers.get("Access-Control-Allow-Origin")).toBe("*");
    expect(await refusal(response)).toEqual([404, "not_found", "path_unknown"]);
  });

  it("can read a 404 there also while the configuration is malformed", async () => {
    const broken = serverWith({ ISSUER: "" });
    const path = "/.well-known/oauth-protected-resource";
    expect((await preflight(path, "dpop", { at: broken })).status).toBe(204);
    const response = await broken.http(path, { headers: { Origin } });
    expect(response.headers.get("Access-Control-Allow-Origin")).toBe("*");
    expect(await refusal(response)).toEqual([404, "not_found", "path_unknown"]);
  });
});

describe("a page of another origin can read", () => {
  let client: TestClient;

  beforeAll(async () => {
    client = await server.makeClient();
  });

  /** Expects that a page may read an answer: its status, its body and the headers that say what to do. */
  function expectReadable({ headers }: Response): void {
    expect(headers.get("Access-Control-Allow-Origin")).toBe("*");
    expect(headers.get("Access-Control-Expose-Headers")).toBe(
      "DPoP-Nonce,Retry-After,WWW-Authenticate,X-Request-Id",
    );
    expect(headers.get("Vary")).toBe("Origin");
    expect(headers.get("Access-Control-Allow-Credentials")).toBeNull();
  }

  it("405, for every method that a browser sends", async () => {
    for (const [path, method] of open)
      for (const other of ["GET", "POST", "PUT", "PATCH", "DELETE"]) {
        if (other === method) continue;
        const response = await all.http(path, {
          method: other,
          headers: { Origin },
        });
        expectReadable(response);
        expect([path, ...(await refusal(response))]).toEqual([
          path,
          405,
          "invalid_request",
          "method_not_allowed",
        ]);
      }
  });

  it("413, 400 and 401", async () => {
    const responses: [Response, unknown[]][] = [];
    for (const path of ["/access_token", "/oauth/token", "/revoke"]) {
      const post = (body: BodyInit, type: string, more = {}) =>
        all.http(path, {
          method: "POST",
          body,
          headers: { Origin, "Content-Type": type, ...more },
        });
      const form = "application/x-www-form-urlencoded";
      responses.push(
        [
          await post("x".repeat(16 * 1024 + 1), form),
          [413, "invalid_request", "body_too_large"],
        ],
        [
          await post("x", "text/plain"),
          [400, "invalid_request", "content_type_wrong"],
        ],
        [
          await post("grant_type=refresh_token", form, { Host: "a b" }),
          [400, "invalid_request", "host_malformed"],
        ],
        [
          await post("grant_type=refresh_token&token=x&client_id=nobody", form),
          [401, "invalid_client", "client_unknown"],
        ],
      );
    }
    for (const [response, expected] of responses) {
      expectReadable(response);
      expect(await refusal(response)).toEqual(expected);
    }
  });

  it("429 with Retry-After", async () => {
    listenToLog();
    const isolate = serverWith({
      GUESSES_PER_NETWORK: undefined,
      GUESSES_PER_SITE: undefined,
    });
    const attempt = () =>
      isolate.http("/access_token", {
        method: "POST",
        headers: { Origin, "CF-Connecting-IP": "192.0.2.77" },
        body: new URLSearchParams({
          grant_type: "refresh_token",
          refresh_token: "x",
          client_id: client.client_id,
          client_secret: "not-the-right-one",
        }),
      });
    let response = await attempt();
    for (let count = 0; count < 121; count += 1) response = await attempt();
    expectReadable(response);
    expect(response.headers.get("Retry-After")).toMatch(/^[1-9]\d*$/);
    expect(await refusal(response)).toEqual([
      429,
      "temporarily_unavailable",
      "client_secrets_limited",
    ]);
    vi.restoreAllMocks();
  });

  it("503 with Retry-After", async () => {
    const TOKEN_FAMILY = familiesWith(() => ({
      exchange() {
        throw new Error("storage is on fire");
      },
    }));
    const KV = {
      getWithMetadata() {
        throw new Error("storage is on fire");
      },
    };
    const { refresh_token } = await server.login(client);
    const responses = [
      await serverWith({ TOKEN_FAMILY }).refresh(client, refresh_token),
      await serverWith({ KV }).http("/.well-known/openid-configuration"),
    ];
    for (const response of responses) {
      expectReadable(response);
      expect(response.headers.get("Retry-After")).toMatch(/^[1-9]\d*$/);
      expect(await refusal(response)).toEqual([
        503,
        "temporarily_unavailable",
        "storage_unavailable",
      ]);
    }
  });

  it("500 while the configuration is malformed, whose preflight succeeds", async () => {
    const broken = serverWith({ ...everythingOn, ENCRYPTION_KEY: "x" });
    for (const [path, method] of open) {
      const asking = await preflight(path, "dpop", { at: broken, method });
      expect([path, asking.status]).toEqual([path, 204]);
      expect(asking.headers.get("Access-Control-Allow-Origin")).toBe("*");
      expect(granted(asking)).toContain("dpop");
      const response = await broken.http(path, { method, headers: { Origin } });
      expectReadable(response);
      expect(await refusal(response)).toEqual([
        500,
        "server_error",
        "configuration_malformed",
      ]);
    }
  });

  it("nothing of an endpoint that is not open", async () => {
    for (const at of [all, serverWith({ ISSUER: "" })])
      for (const path of closed)
        for (const method of ["GET", "POST"]) {
          const response = await at.http(path, {
            method,
            headers: { Origin, Authorization: `Bearer ${env.ADMIN_TOKEN}` },
            redirect: "manual",
          });
          const names = [...response.headers.keys()];
          expect([
            path,
            names.filter((name) => name.startsWith("access-control")),
          ]).toEqual([path, []]);
          reasonOf(response);
        }
  });
});

describe("CORS_ORIGINS", () => {
  /** Every origin that is not in the list, also in another spelling of one that is. */
  const strangers = [
    "https://evil.example.com",
    "null",
    "https://app.example.com.evil.com",
    "https://app.example.com:443",
    "http://app.example.com",
    "HTTPS://APP.EXAMPLE.COM",
    "capacitor://localhost",
    "",
  ];
  const narrowed: TestServer = serverWith({
    ...everythingOn,
    CORS_ORIGINS: `${Origin},http://localhost:3000`,
  });

  it("narrows preflights, answers and errors, also below /.well-known/", async () => {
    const paths: [string, string][] = [
      ...open,
      ["/.well-known/oauth-protected-resource", "GET"],
    ];
    for (const [path, method] of paths) {
      for (const origin of [Origin, "http://localhost:3000"]) {
        const options = { at: narrowed, method, origin };
        const asking = await preflight(path, "dpop", options);
        expect(asking.headers.get("Access-Control-Allow-Origin")).toBe(origin);
        expect(granted(asking)).toContain("dpop");
        for (const each of [method, "DELETE"]) {
          const response = await narrowed.http(path, {
            method: each,
            headers: { Origin: origin },
          });
          expect(response.headers.get("Access-Control-Allow-Origin")).toBe(
            origin,
          );
          expect(response.headers.get("Vary")).toBe("Origin");
        }
      }
      for (const origin of strangers) {
        const options = { at: narrowed, method, origin };
        const asking = await preflight(path, "dpop", options);
        expect(asking.headers.get("Access-Control-Allow-Origin")).toBeNull();
        expect(granted(asking)).toEqual([]);
        expect(listOf(asking, "Vary")).toContain("origin");
        for (const each of [method, "DELETE"]) {
          const response = await narrowed.http(path, {
            method: each,
            headers: { Origin: origin },
          });
          expect(
            response.headers.get("Access-Control-Allow-Origin"),
          ).toBeNull();
        }
      }
    }
  });

  it.each([
    "capacitor://localhost",
    "ionic://localhost",
    "tauri://localhost",
    "http://tauri.localhost",
    "https://tauri.localhost",
    "app://obsidian.md",
    "app://-",
    "app://.",
    "app://localhost:3000",
    "app://localhost:65535",
    "com.example.app://callback",
    "chrome-extension://gighmmpiobklfepjocnamgkkbiglidom",
    "moz-extension://3c1a7bd1-4b0a-4a9a-8f4a-2f1c0c5f2f62",
    "safari-web-extension://3C1A7BD1-4B0A-4A9A-8F4A-2F1C0C5F2F62",
    "vscode-webview://1f3c2d4e5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d1e2f3a4b5c6d",
  ])("may have the origin of an app: %s", async (origin) => {
    const at = serverWith({ CORS_ORIGINS: `${Origin}, ${origin}` });
    expect(await (await at.health()).json()).toEqual({ status: "ok" });
    const asking = await preflight("/access_token", "dpop", { at, origin });
    expect(asking.headers.get("Access-Control-Allow-Origin")).toBe(origin);
    const headers = { Origin: origin };
    const answer = await at.http("/.well-known/jwks.json", { headers });
    expect(answer.headers.get("Access-Control-Allow-Origin")).toBe(origin);
    for (const other of [
      `${origin}.evil`,
      `${origin}/`,
      `x${origin}`,
      "null",
    ]) {
      const refused = await preflight("/access_token", "dpop", {
        at,
        origin: other,
      });
      expect(refused.headers.get("Access-Control-Allow-Origin")).toBeNull();
    }
  });

  it.each([
    ["null", /null/],
    ["file://", /file/],
    ["file:///", /file:/],
    ["FILE://", /file:/],
    ["File:///x", /file:/],
    ["NULL", /null:/],
    ["JavaScript://localhost", /javascript:/],
    ["file://localhost", /file/],
    ["*", /origin/],
    ["capacitor://*", /origin/],
    ["https://*.example.com", /origin/],
    ["chrome-extension://*", /origin/],
    ["capacitor://localhost/", /origin/],
    ["capacitor://localhost/index.html", /origin/],
    ["capacitor://localhost?x", /origin/],
    ["capacitor://localhost#x", /origin/],
    ["capacitor://user@localhost", /origin/],
    ["capacitor://user:secret@localhost", /origin/],
    ["Capacitor://localhost", /origin/],
    ["capacitor://LOCALHOST", /origin/],
    ["capacitor://local host", /origin/],
    ["capacitor://localhost:", /origin/],
    ["capacitor://localhost:123456", /origin/],
    ["capacitor://localhost:99999", /origin/],
    ["capacitor://localhost:65536", /origin/],
    ["capacitor://localhost:080", /origin/],
    ["foo://host:99999", /origin/],
    ["capacitor://localhost:x", /origin/],
    ["capacitor://", /origin/],
    ["capacitor:localhost", /origin/],
    ["capacitor:/localhost", /origin/],
    ["://localhost", /origin/],
    ["1app://localhost", /origin/],
    ["localhost", /origin/],
    ["javascript://localhost", /javascript/],
    ["data://x", /data/],
    ["vbscript://x", /vbscript/],
    ["blob://x", /blob/],
    ["about://blank", /about/],
    ["view-source://x", /view-source/],
    ["filesystem://x", /filesystem/],
    ["javascript:alert(1)", /origin/],
    ["blob:https://app.example.com/x", /origin/],
    ["https://app.example.com/", /origin/],
    ["https://app.example.com:443", /origin/],
    ["HTTPS://app.example.com", /origin/],
    ["https://user@app.example.com", /origin/],
    ["https://app.example.com,", /origin/],
    ["capacitor://localhost,,tauri://localhost", /origin/],
    ["capacitor://localhost tauri://localhost", /origin/],
    ["capacitor://localhost\nX-Injected: 1", /origin/],
  ])("must not be %j, and the problem says why", async (value, problem) => {
    const health = await serverWith({ CORS_ORIGINS: value }).health();
    expect([health.status, await health.json()]).toEqual([
      503,
      {
        status: "failing",
        problems: [
          { name: "CORS_ORIGINS", problem: expect.stringMatching(problem) },
        ],
      },
    ]);
  });
});
