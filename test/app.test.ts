import { describe, expect, it, vi } from "vitest";
import type { ExchangeAttempt } from "../src/oauth/repositories.ts";
import { familiesWith, fault } from "./support/faults.ts";
import { keepRequestLine, reasonOf } from "./support/request-lines.ts";
import { refusal, server, serverWith } from "./support/server.ts";

/** Tests what all paths have in common: methods, CORS and the answer to a fault. */

const methodsByPath: [string, string][] = [
  ["/access_token", "POST"],
  ["/.well-known/oauth-authorization-server", "GET, HEAD"],
  ["/.well-known/openid-configuration", "GET, HEAD"],
  ["/.well-known/jwks.json", "GET, HEAD"],
  ["/revoke", "POST"],
  ["/introspect", "POST"],
  ["/health", "GET, HEAD"],
];

describe("a path", () => {
  it.each(methodsByPath)(
    "%s answers other methods with 405 and Allow: %s",
    async (path, allow) => {
      for (const method of [
        "GET",
        "HEAD",
        "POST",
        "PUT",
        "PATCH",
        "DELETE",
        "PROPFIND",
      ]) {
        if (allow.split(", ").includes(method)) continue;
        const response = await server.http(path, { method });
        expect([method, response.status, reasonOf(response)]).toEqual([
          method,
          405,
          "method_not_allowed",
        ]);
        expect(response.headers.get("Allow")).toBe(allow);
      }
    },
  );

  it.each([
    ["/scopes", "GET, HEAD"],
    ["/scopes/read", "PUT, DELETE"],
    ["/clients", "POST, GET, HEAD"],
    ["/clients/web", "GET, PATCH, DELETE, HEAD"],
    ["/clients/web/secrets", "POST"],
    ["/grants", "POST"],
    ["/grants/x", "GET, PATCH, DELETE, HEAD"],
    ["/subjects/alice/grants", "GET, DELETE, HEAD"],
    ["/openapi.json", "GET, HEAD"],
  ])(
    "/admin%s answers other methods with 405 and Allow: %s",
    async (path, allow) => {
      const response = await server.admin("PROPFIND", path);
      expect(await refusal(response)).toEqual([
        405,
        "invalid_request",
        "method_not_allowed",
      ]);
      expect(response.headers.get("Allow")).toBe(allow);
    },
  );

  it.each(["", " "])(
    "below /admin does not exist while ADMIN_TOKEN is not set (%j), whatever its method",
    async (ADMIN_TOKEN) => {
      const off = serverWith({ ADMIN_TOKEN });
      for (const path of ["", "/clients", "/openapi.json", "/nowhere"])
        for (const method of ["GET", "POST", "PROPFIND"])
          expect(await refusal(await off.admin(method, path))).toEqual([
            404,
            "not_found",
            "path_unknown",
          ]);
      const malformed = serverWith({ ADMIN_TOKEN, ISSUER: "" });
      expect(await refusal(await malformed.admin("GET", "/clients"))).toEqual([
        500,
        "server_error",
        "configuration_malformed",
      ]);
    },
  );

  it.each([
    "/",
    "/access_token/",
    "/ACCESS_TOKEN",
    "/authorized",
    "/access_token/x",
    "//access_token",
  ])("that does not exist (%s) is answered with 404 in JSON", async (path) => {
    const response = await server.http(path, { method: "POST" });
    expect(await refusal(response)).toEqual([404, "not_found", "path_unknown"]);
  });

  it("has a new request id in every response", async () => {
    const ids = await Promise.all(
      ["/health", "/nowhere", "/access_token"].map(async (path) =>
        (await server.http(path)).headers.get("X-Request-Id"),
      ),
    );
    for (const id of ids) expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(new Set(ids).size).toBe(3);
  });
});

describe("CORS", () => {
  const Origin = "https://app.example.com";
  const open = [
    "/access_token",
    "/.well-known/oauth-authorization-server",
    "/.well-known/jwks.json",
  ];

  it.each(open)(
    "lets any origin call %s, without credentials",
    async (path) => {
      const preflight = await server.http(path, {
        method: "OPTIONS",
        headers: {
          Origin,
          "Access-Control-Request-Method": "POST",
          "Access-Control-Request-Headers": "authorization,content-type",
        },
      });
      expect(preflight.status).toBe(204);
      expect(preflight.headers.get("Access-Control-Allow-Origin")).toBe("*");
      expect(preflight.headers.get("Access-Control-Allow-Headers")).toMatch(
        /Authorization/,
      );
      expect(
        preflight.headers.get("Access-Control-Allow-Credentials"),
      ).toBeNull();
      const method = path === "/access_token" ? "POST" : "GET";
      expect(preflight.headers.get("Access-Control-Allow-Methods")).toContain(
        method,
      );
      const response = await server.http(path, { method, headers: { Origin } });
      expect(response.headers.get("Access-Control-Allow-Origin")).toBe("*");
      const notAllowed = await server.http(path, {
        method: "DELETE",
        headers: { Origin },
      });
      expect(notAllowed.headers.get("Access-Control-Allow-Origin")).toBe("*");
    },
  );

  it.each(open)(
    "allows only the origins of CORS_ORIGINS on %s",
    async (path) => {
      const narrowed = serverWith({
        CORS_ORIGINS: `${Origin},http://localhost:3000`,
      });
      for (const origin of [Origin, "http://localhost:3000"]) {
        const allowed = await narrowed.http(path, {
          headers: { Origin: origin },
        });
        expect(allowed.headers.get("Access-Control-Allow-Origin")).toBe(origin);
        expect(allowed.headers.get("Vary")).toContain("Origin");
      }
      for (const origin of [
        "https://evil.example.com",
        "null",
        `${Origin}.evil.com`,
      ]) {
        const refused = await narrowed.http(path, {
          headers: { Origin: origin },
        });
        expect(refused.headers.get("Access-Control-Allow-Origin")).toBeNull();
      }
    },
  );

  it("does not open the admin API or /health to other origins", async () => {
    for (const path of ["/admin/clients", "/health"]) {
      const response = await server.http(path, { headers: { Origin } });
      expect(response.headers.get("Access-Control-Allow-Origin")).toBeNull();
    }
  });
});

describe("a fault of the server", () => {
  function unreachable() {
    throw new Error("storage is on fire");
  }

  it("in the family's object is answered with 503 and Retry-After, and the token stays good", async () => {
    const TOKEN_FAMILY = familiesWith(() => ({ exchange: unreachable }));
    const failing = serverWith({ TOKEN_FAMILY });
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    const response = await failing.refresh(client, refresh_token);
    expect(response.headers.get("Retry-After")).toMatch(/^[1-9]\d*$/);
    expect(response.headers.get("Cache-Control")).toBe("no-store");
    expect(await refusal(response)).toEqual([
      503,
      "temporarily_unavailable",
      "storage_unavailable",
    ]);
    await server.expectRefresh(client, refresh_token);
  });

  it("in KV is answered with 503 and Retry-After, at the token endpoint and in the admin API", async () => {
    const KV = { getWithMetadata: unreachable, list: unreachable };
    const failing = serverWith({ KV });
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    const responses = [
      await failing.refresh(client, refresh_token),
      await failing.http("/.well-known/oauth-authorization-server"),
      await failing.admin("GET", "/clients"),
    ];
    for (const response of responses) {
      expect(response.headers.get("Retry-After")).toMatch(/^[1-9]\d*$/);
      expect(await refusal(response)).toEqual([
        503,
        "temporarily_unavailable",
        "storage_unavailable",
      ]);
    }
    const health = await failing.health();
    expect(health.status).toBe(503);
    expect(await health.json()).toMatchObject({ problems: [{ name: "KV" }] });
    await server.expectRefresh(client, refresh_token);
  });

  it("in the object that orders the writes of a KV record is answered with 503 and Retry-After, and changes nothing", async () => {
    const writer = {
      read: () => ({ outcome: "unavailable", error: "on fire" }),
    };
    const KV_RECORD_WRITER = { idFromName: () => "", get: () => writer };
    const failing = serverWith({ KV_RECORD_WRITER });
    const client = await server.makeClient();
    for (const response of [
      await failing.admin("PUT", "/scopes/x", { description: "x" }),
      await failing.admin("POST", "/clients", {}),
      await failing.admin("DELETE", `/clients/${client.client_id}`),
    ]) {
      expect(response.headers.get("Retry-After")).toMatch(/^[1-9]\d*$/);
      expect(await refusal(response)).toEqual([
        503,
        "temporarily_unavailable",
        "storage_unavailable",
      ]);
    }
    expect(
      (await server.admin("GET", `/clients/${client.client_id}`)).status,
    ).toBe(200);
  });

  it("in the configuration is answered without the Allow header of the response that it replaces", async () => {
    const response = await serverWith({ ISSUER: "" }).http("/access_token");
    expect(await refusal(response.clone())).toEqual([
      500,
      "server_error",
      "configuration_malformed",
    ]);
    expect(response.headers.get("Allow")).toBeNull();
  });

  it("that is temporary makes the server repeat the call, and the token is exchanged once", async () => {
    let tries = 0;
    const TOKEN_FAMILY = familiesWith((_, real) => ({
      // The exchange is made, and then its answer is lost. This happens twice.
      async exchange(attempt: ExchangeAttempt) {
        const result = await real().exchange(attempt);
        tries += 1;
        // The platform marks the first error as retryable, and not the second one.
        if (tries === 1) fault("lost", { retryable: true });
        if (tries === 2) fault("reset");
        return result;
      },
    }));
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    const lossy = serverWith({ TOKEN_FAMILY });
    const answer = await lossy.expectRefresh(client, refresh_token);
    expect(tries).toBe(3);
    await server.expectRefresh(client, answer.refresh_token);
  });

  it("by too much load does not make the server repeat the call", async () => {
    let tries = 0;
    const TOKEN_FAMILY = familiesWith(() => ({
      exchange() {
        tries += 1;
        return fault("overloaded", { retryable: true, overloaded: true });
      },
    }));
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    const response = await serverWith({ TOKEN_FAMILY }).refresh(
      client,
      refresh_token,
    );
    expect(await refusal(response)).toEqual([
      503,
      "temporarily_unavailable",
      "storage_unavailable",
    ]);
    expect(tries).toBe(1);
    await server.expectRefresh(client, refresh_token);
  });

  it("that its own code throws inside an object is answered with 500, because it is not temporary", async () => {
    const TOKEN_FAMILY = familiesWith(() => ({
      exchange: () => fault("a bug", { remote: true }),
    }));
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    const response = await serverWith({ TOKEN_FAMILY }).refresh(
      client,
      refresh_token,
    );
    expect(await refusal(response)).toEqual([
      500,
      "server_error",
      "unexpected",
    ]);
  });

  it("in the signing key is answered with 500 before the exchange, and the token stays good", async () => {
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    const broken = serverWith({ PRIVATE_KEY: '{"kty":"EC"}' });
    const response = await broken.refresh(client, refresh_token);
    expect(await refusal(response)).toEqual([
      500,
      "server_error",
      "configuration_malformed",
    ]);
    await server.expectRefresh(client, refresh_token);
  });

  it("that is unexpected is answered with 500 server_error without details, and logged", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(keepRequestLine);
    const TOKEN_FAMILY = familiesWith(() => ({
      exchange: () => ({ outcome: "refused", reason: "no such reason" }),
    }));
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    const response = await serverWith({ TOKEN_FAMILY }).refresh(
      client,
      refresh_token,
    );
    expect([response.status, reasonOf(response)]).toEqual([500, "unexpected"]);
    expect(await response.json()).toEqual({
      error: "server_error",
      error_description:
        "An internal error occurred. The log of the server has the cause.",
    });
    const line: unknown = JSON.parse(String(log.mock.calls.at(-1)?.[0]));
    expect(line).toMatchObject({
      reason: "unexpected",
      fault: { name: "SyntaxError" },
    });
    log.mockRestore();
  });
});
