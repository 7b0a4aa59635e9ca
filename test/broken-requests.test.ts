import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { fault, familiesWith } from "./support/faults.ts";
import {
  type ErrorBody,
  refusal,
  server,
  serverWith,
} from "./support/server.ts";

/** Faults that are the request's, and those of ours that a page of another origin can read. */

describe("a body that breaks off", () => {
  it.each(["/access_token", "/revoke", "/introspect", "/admin/clients", "/x"])(
    "at %s is 400, whatever was sent of it",
    async (path) => {
      const body = new ReadableStream({
        start(controller) {
          controller.enqueue(new TextEncoder().encode("token=x"));
          controller.error(new Error("the connection was lost"));
        },
      });
      // Not by way of the runtime, which would not pass the error on.
      const response = await serverWith({}).http(path, {
        method: "POST",
        body,
        headers: { Authorization: `Bearer ${env.ADMIN_TOKEN}` },
      });
      expect(await refusal(response)).toEqual([
        400,
        "invalid_request",
        "body_incomplete",
      ]);
    },
  );

  it("is still 413 if it is too large", async () => {
    for (const body of ["x".repeat(16 * 1024 + 1), streamOf(16 * 1024 + 1)]) {
      const response = await server.http("/access_token", {
        method: "POST",
        body,
      });
      expect(await refusal(response)).toEqual([
        413,
        "invalid_request",
        "body_too_large",
      ]);
    }
  });
});

function streamOf(bytes: number): ReadableStream {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(new Uint8Array(bytes));
      controller.close();
    },
  });
}

describe("a cursor that no page has given", () => {
  const wrong = {
    error: "invalid_request",
    error_description: "cursor: must be the cursor of the page before",
    fields: { cursor: "must be the cursor of the page before" },
  };

  it("at the list of clients is 400 and names the field, where KV refuses it", async () => {
    let tries = 0;
    const KV = {
      list() {
        tries += 1;
        return Promise.reject(new Error("KV GET failed: 400 Bad Request"));
      },
    };
    const response = await serverWith({ KV }).admin(
      "GET",
      "/clients?cursor=garbage",
    );
    expect(await response.clone().json<ErrorBody>()).toEqual(wrong);
    expect(await refusal(response)).toEqual([
      400,
      "invalid_request",
      "admin_body_invalid",
    ]);
    expect(tries).toBe(1);
  });

  it.each(["garbage", "%", "\u0000", "é".repeat(1024), "0".repeat(64)])(
    "at the list of a user's grants (%j) is 400 and names the field",
    async (cursor) => {
      const query = new URLSearchParams({ cursor }).toString();
      const path = `/subjects/alice/grants?${query}`;
      const response = await server.admin("GET", path);
      expect(await response.clone().json<ErrorBody>()).toEqual(wrong);
      expect(await refusal(response)).toEqual([
        400,
        "invalid_request",
        "admin_body_invalid",
      ]);
    },
  );

  it("does not make another fault of KV a fault of the request", async () => {
    const list = () => Promise.reject(new Error("KV GET failed: 429"));
    const response = await serverWith({ KV: { list } }).admin(
      "GET",
      "/clients?cursor=x",
    );
    expect(await refusal(response)).toEqual([
      503,
      "temporarily_unavailable",
      "storage_unavailable",
    ]);
  });
});

describe("a page of another origin", () => {
  const Origin = "https://app.example.com";

  it.each([
    ["/access_token", "POST"],
    ["/revoke", "POST"],
    ["/.well-known/jwks.json", "GET"],
    ["/.well-known/oauth-authorization-server", "GET"],
  ])("can read 500 at %s", async (path, method) => {
    for (const broken of [{ ENCRYPTION_KEY: "x" }, { CORS_ORIGINS: "x" }]) {
      const unconfigured = serverWith(broken);
      const preflight = await unconfigured.http(path, {
        method: "OPTIONS",
        headers: { Origin, "Access-Control-Request-Method": method },
      });
      expect(preflight.status).toBe(204);
      expect(preflight.headers.get("Access-Control-Allow-Origin")).toBe("*");
      const response = await unconfigured.http(path, {
        method,
        headers: { Origin },
      });
      expect(response.headers.get("Access-Control-Allow-Origin")).toBe("*");
      expect(response.headers.get("Vary")).toBe("Origin");
      expect(await refusal(response)).toEqual([
        500,
        "server_error",
        "configuration_malformed",
      ]);
    }
  });

  it("can read 500 of an exception, and 503 with its Retry-After", async () => {
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    for (const [flags, expected] of [
      [{ remote: true }, [500, "server_error", "unexpected"]],
      [
        { overloaded: true },
        [503, "temporarily_unavailable", "storage_unavailable"],
      ],
    ] as const) {
      const TOKEN_FAMILY = familiesWith(() => ({
        exchange: () => fault("on fire", flags),
      }));
      const response = await serverWith({
        TOKEN_FAMILY,
        CORS_ORIGINS: Origin,
      }).token(
        { grant_type: "refresh_token", refresh_token, ...client },
        { Origin },
      );
      expect(response.headers.get("Access-Control-Allow-Origin")).toBe(Origin);
      expect(response.headers.get("Access-Control-Expose-Headers")).toContain(
        "Retry-After",
      );
      expect(await refusal(response)).toEqual(expected);
    }
  });
});
