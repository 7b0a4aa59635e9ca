import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { decodeJwt } from "jose";
import { describe, expect, it, vi } from "vitest";
import worker from "../src/index.ts";
import { shown } from "./support/refusals.ts";
import { refusal, TestServer } from "./support/server.ts";

/** Plain `wrangler dev`: the deployed entry at a loopback address, with the variables of wrangler.toml. */

const LOCAL = "http://localhost:8787";
const noKeys = { PRIVATE_KEY: "", ENCRYPTION_KEY: "", ADMIN_TOKEN: "" };

/**
 * The Worker at an origin, without ISSUER.
 *
 * @param host the header Host. Left out: that of the origin, as the platform sets it
 */
function at(
  origin: string,
  variables: Record<string, unknown> = {},
  host: string | null = new URL(origin).host,
): TestServer {
  const bindings = { ...env, ISSUER: "", LOGIN_URL: "", ...variables };
  return new TestServer(async ({ url, method, headers, body }) => {
    const { pathname, search } = new URL(url);
    const sent = new Headers(headers);
    if (host !== null) sent.set("Host", host);
    const request = new Request(origin + pathname + search, {
      method,
      headers: sent,
      redirect: "manual",
      ...(body && { body }),
    });
    return worker.fetch(request, bindings, createExecutionContext());
  });
}

async function issuerOf(server: TestServer): Promise<unknown> {
  const answer = await server.http("/.well-known/oauth-authorization-server");
  return (await answer.json<{ issuer?: unknown }>()).issuer;
}

describe("an empty ISSUER", () => {
  it.each([
    LOCAL,
    "http://localhost:9000",
    "http://127.0.0.1:8787",
    "http://[::1]:8787",
    "http://localhost",
    "https://localhost:8787",
  ])("stands for the loopback address that was asked: %s", async (origin) => {
    const server = at(origin);
    expect(await (await server.health()).json()).toMatchObject({
      status: "ok",
    });
    expect(await issuerOf(server)).toBe(origin);
  });

  it("is the address of each request, and its tokens are those of that address", async () => {
    const bindings = { ...env, ISSUER: "", LOGIN_URL: "" };
    const issuers = await Promise.all(
      [LOCAL, "http://127.0.0.1:8787", LOCAL].map(async (origin) => {
        const request = new Request(
          `${origin}/.well-known/openid-configuration`,
        );
        request.headers.set("Host", new URL(origin).host);
        const answer = await worker.fetch(
          request,
          bindings,
          createExecutionContext(),
        );
        return (await answer.json<{ issuer: string }>()).issuer;
      }),
    );
    expect(issuers).toEqual([LOCAL, "http://127.0.0.1:8787", LOCAL]);

    const server = at(LOCAL);
    await server.makeScopes("read");
    const client = await server.makeClient({ scope: "read" });
    const { refresh_token } = await server.login(client);
    const { access_token } = await server.expectRefresh(client, refresh_token);
    expect(decodeJwt(access_token)).toMatchObject({
      iss: LOCAL,
      aud: LOCAL,
      sub: "alice",
    });
  });

  it.each([
    "https://auth.example.com",
    "https://baton.example.workers.dev",
    "http://auth.example.com",
    "http://localhost.example.com",
    "http://127.0.0.1.example.com",
    "http://192.168.1.20:8787",
    "http://baton:8787",
    "http://0.0.0.0:8787",
    "https://localhost.example.com:8787",
  ])("is an error at every other address: %s", async (origin) => {
    const server = at(origin);
    expect(
      await refusal(await server.http("/access_token", { method: "POST" })),
    ).toEqual(
      origin.startsWith("http://")
        ? [400, "invalid_request", "https_required"]
        : [500, "server_error", "configuration_malformed"],
    );
  });

  it.each([null, "auth.example.com", "localhost", "localhost:1"])(
    "is an error for a request of another Worker to a loopback URL, with Host %s",
    async (host) => {
      const server = at(LOCAL, {}, host);
      expect(
        await refusal(await server.http("/access_token", { method: "POST" })),
      ).toEqual([500, "server_error", "configuration_malformed"]);
    },
  );

  it.each([
    ["127.0.0.1", [200]],
    ["127.8.9.10", [200]],
    ["::1", [200]],
    ["::ffff:127.0.0.1", [200]],
    ["192.168.1.20", [500, "server_error", "configuration_malformed"]],
    ["127.0.0.1.example.com", [500, "server_error", "configuration_malformed"]],
    ["2001:db8::1", [500, "server_error", "configuration_malformed"]],
    ["::ffff:192.168.1.20", [500, "server_error", "configuration_malformed"]],
  ] as const)(
    "stands for it only if this machine asks, because a neighbour in the network chooses its Host: %s",
    async (address, expected) => {
      const answer = await at(LOCAL).http("/.well-known/jwks.json", {
        headers: { "CF-Connecting-IP": address },
      });
      expect(answer.status === 200 ? [200] : await refusal(answer)).toEqual(
        expected,
      );
    },
  );

  it("stands for at most 16 addresses, and is an error at the next ones, so that nobody has servers made without end", async () => {
    const bindings = { ...env, ISSUER: "", LOGIN_URL: "" };
    const statusAt = async (port: number) => {
      const request = new Request(
        `http://localhost:${port}/.well-known/jwks.json`,
        { headers: { Host: `localhost:${port}` } },
      );
      const context = createExecutionContext();
      return (await worker.fetch(request, bindings, context)).status;
    };
    for (let port = 9001; port <= 9016; port++)
      expect(await statusAt(port)).toBe(200);
    expect(await statusAt(9017)).toBe(500);
    expect(await statusAt(9018)).toBe(500);
    expect(await statusAt(9001)).toBe(200);
  });

  it("is the only thing that the address of a request replaces", async () => {
    expect(
      await issuerOf(at(LOCAL, { ISSUER: "https://auth.example.com" })),
    ).toBe("https://auth.example.com");
    const malformed = at(LOCAL, { ISSUER: "auth.example.com" });
    expect(
      await refusal(await malformed.http("/.well-known/jwks.json")),
    ).toEqual([500, "server_error", "configuration_malformed"]);
  });
});

describe("a local server without keys", () => {
  it.each(["/", "/access_token", "/.well-known/jwks.json", "/admin/clients"])(
    "says at %s which command makes them",
    async (path) => {
      const server = at(LOCAL, noKeys);
      const method = path === "/access_token" ? "POST" : "GET";
      const answer = await server.http(path, { method });
      expect(await answer.clone().text()).toContain("npm run dev");
      expect(await answer.clone().text()).toContain(
        "npm run baton -- setup --local",
      );
      expect(await refusal(answer)).toEqual([
        500,
        "server_error",
        "local_keys_missing",
      ]);
    },
  );

  it("says so on the page of the authorization endpoint, and also where ISSUER is set", async () => {
    const server = at(LOCAL, {
      ...noKeys,
      ISSUER: "https://auth.example.com",
      LOGIN_URL: "https://login.example.com",
    });
    const page = await server.http("/authorize");
    expect(await page.clone().text()).toContain("npm run dev");
    expect(await shown(page)).toEqual([
      500,
      "server_error",
      "local_keys_missing",
    ]);
  });

  it("says so in the log", async () => {
    const written = vi.spyOn(console, "error");
    await at(LOCAL, noKeys).http("/");
    await at(LOCAL, noKeys).http("/health");
    const lines = written.mock.calls.map(String);
    expect(lines).toHaveLength(2);
    for (const line of lines) expect(line).toContain("setup --local");
  });

  it("names a key that is malformed, and not the command", async () => {
    const server = at(LOCAL, { ENCRYPTION_KEY: "short" });
    expect(await refusal(await server.http("/"))).toEqual([
      500,
      "server_error",
      "configuration_malformed",
    ]);
  });

  it("is not a deployed server without keys, whose answer names no command", async () => {
    const server = at("https://auth.example.com", noKeys);
    const answer = await server.http("/.well-known/jwks.json");
    expect(await answer.clone().text()).not.toContain("npm run");
    expect(await refusal(answer)).toEqual([
      500,
      "server_error",
      "configuration_malformed",
    ]);
  });
});
