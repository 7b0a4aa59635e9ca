import { createExecutionContext } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { Login } from "../src/index.ts";
import {
  makeWebClient,
  redeem,
  REDIRECT_URI,
  requestAtLogin,
} from "./support/authorization.ts";
import { listenToLog } from "./support/log.ts";
import { answerOf, reasonOf } from "./support/request-lines.ts";
import { ISSUER, server, type TestClient } from "./support/server.ts";

/** Tests the entrypoint `Login`: what a sign-in page needs, for a Worker with a service binding. */

let client: TestClient;

beforeAll(async () => {
  await server.makeScopes("read", "write");
  client = await makeWebClient({ scope: "read write", client_name: "An app" });
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** The entrypoint without types, as a Worker in plain JavaScript calls it. */
const untyped = exports.Login as unknown as {
  describeAuthorization(...args: unknown[]): Promise<unknown>;
  decideAuthorization(...args: unknown[]): Promise<unknown>;
};

/** A refusal that names fields, in `fields` and in its description. */
function naming(...fields: string[]) {
  return {
    error: "invalid_request",
    error_description: expect.stringContaining(fields.join("")),
    fields: Object.fromEntries(
      fields.map((name) => [name, expect.any(String)]),
    ),
  };
}

describe("describeAuthorization", () => {
  it("returns what GET /admin/authorizations returns", async () => {
    const request = await requestAtLogin(client, { login_hint: "alice" });
    const described = await exports.Login.describeAuthorization(request);
    expect(described).toEqual({
      client_id: client.client_id,
      client_name: "An app",
      redirect_uri: REDIRECT_URI,
      scopes: [
        { scope: "read", description: "May read" },
        { scope: "write", description: "May write" },
      ],
      resource: [],
      login_hint: "alice",
      expires_at: expect.any(Number),
    });
    const query = new URLSearchParams({ request }).toString();
    expect(await server.expectAdmin("GET", `/authorizations?${query}`)).toEqual(
      described,
    );
  });

  it.each<[string, unknown, string]>([
    ["nothing", undefined, "admin_body_invalid"],
    ["null", null, "admin_body_invalid"],
    ["a number", 7, "admin_body_invalid"],
    ["an object", { request: "x" }, "admin_body_invalid"],
    ["an array", ["x"], "admin_body_invalid"],
    ["bytes", new Uint8Array(3), "admin_body_invalid"],
    ["a function", () => "x", "admin_body_invalid"],
    ["an empty string", "", "admin_body_invalid"],
    ["garbage", "x", "authorization_request_malformed"],
    ["a huge string", "x".repeat(1024 * 1024), "admin_body_invalid"],
  ])("names the request if it is %s", async (_, request, reason) => {
    expect(
      await answerOf(() => untyped.describeAuthorization(request)),
    ).toEqual([naming("request"), reason]);
  });
});

describe("decideAuthorization", () => {
  it("returns the URL for the browser, with a good code", async () => {
    const request = await requestAtLogin(client);
    const decided = await exports.Login.decideAuthorization({
      request,
      subject: "alice",
      scope: "read",
    });
    expect(decided).toEqual({ redirect_to: expect.any(String) });
    const { redirect_to } = decided as { redirect_to: string };
    const redirect = new URL(redirect_to);
    expect(redirect.origin + redirect.pathname).toBe(REDIRECT_URI);
    expect(redirect.searchParams.get("iss")).toBe(ISSUER);
    const code = redirect.searchParams.get("code") ?? "";
    const response = await redeem(client, code);
    expect(await response.json()).toMatchObject({ scope: "read" });
  });

  it("returns the URL for the browser, with an error, if the user denied the request", async () => {
    const request = await requestAtLogin(client);
    const error = "access_denied";
    const decided = await exports.Login.decideAuthorization({ request, error });
    const { redirect_to } = decided as { redirect_to: string };
    const { origin, pathname, searchParams } = new URL(redirect_to);
    expect(origin + pathname).toBe(REDIRECT_URI);
    expect(Object.fromEntries(searchParams)).toEqual({
      error,
      error_description: "The resource owner denied the request.",
      state: "xyz",
      iss: ISSUER,
    });
  });

  it.each<[string, Record<string, unknown>, string?]>([
    ["request", { request: undefined }],
    ["request", { request: 7 }],
    ["request", { request: "x" }, "authorization_request_malformed"],
    ["request", { request: "x".repeat(1024 * 1024) }],
    ["subject", { subject: undefined }],
    ["subject", { subject: 7 }],
    ["subject", { subject: "" }],
    ["subject", { subject: "x".repeat(1024 * 1024) }],
    ["subject", { subject: () => "alice" }],
    ["subject", { subject: new Date() }],
    ["subject", { subject: "." }],
    ["scope", { scope: null }],
    ["scope", { scope: ["read"] }],
    ["scope", { scope: "x".repeat(1024 * 1024) }],
    ["error", { error: "access_denied" }],
    ["error", { subject: undefined, error: "nonsense" }],
    ["more", { more: 1 }],
  ])(
    "names an invalid %s (%#)",
    async (field, change, reason = "admin_body_invalid") => {
      const request = await requestAtLogin(client);
      const decision = { request, subject: "alice", ...change };
      expect(
        await answerOf(() => untyped.decideAuthorization(decision)),
      ).toEqual([naming(field), reason]);
    },
  );

  it.each<[string, unknown]>([
    ["nothing", undefined],
    ["null", null],
    ["a string", "x"],
    ["an array", []],
    ["a map", new Map([["subject", "alice"]])],
    ["a function", () => ({})],
  ])("refuses a decision that is %s", async (_, decision) => {
    expect(
      await answerOf(() => untyped.decideAuthorization(decision)),
    ).toMatchObject([
      {
        error: "invalid_request",
        error_description: expect.any(String),
        fields: expect.any(Object),
      },
      "admin_body_invalid",
    ]);
  });

  it("refuses a scope that was not requested, as the admin API does", async () => {
    const request = await requestAtLogin(client, { scope: "read" });
    const decision = { request, subject: "alice", scope: "read write" };
    const [refused, reason] = await answerOf(() =>
      exports.Login.decideAuthorization(decision),
    );
    expect(refused).toEqual({
      error: "invalid_scope",
      error_description: expect.any(String),
    });
    const response = await server.admin("POST", "/authorizations", decision);
    expect([reason, reasonOf(response)]).toEqual([
      "scope_not_granted",
      "scope_not_granted",
    ]);
    expect(await response.json()).toEqual(refused);
  });

  it("refuses a request that has expired", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const request = await requestAtLogin(client);
    vi.advanceTimersByTime(1800_000);
    const decision = { request, subject: "alice" };
    const refused = [naming("request"), "authorization_request_expired"];
    expect(
      await answerOf(() => exports.Login.decideAuthorization(decision)),
    ).toEqual(refused);
    expect(
      await answerOf(() => exports.Login.describeAuthorization(request)),
    ).toEqual(refused);
  });
});

describe("the entrypoint Login", () => {
  /** Makes the entrypoint as the platform does, with changed bindings. */
  function loginWith(bindings: Record<string, unknown>): Login {
    return new Login(createExecutionContext(), { ...env, ...bindings });
  }

  it("needs no admin token, because only a Worker with a service binding can call it", async () => {
    const request = await requestAtLogin(client);
    const entrypoint = loginWith({ ADMIN_TOKEN: "" });
    expect(await entrypoint.describeAuthorization(request)).toMatchObject({
      client_id: client.client_id,
    });
    const decision = { request, subject: "alice" };
    expect(await entrypoint.decideAuthorization(decision)).toEqual({
      redirect_to: expect.stringContaining("code="),
    });
  });

  it.each<[string, Record<string, unknown>, string, string]>([
    [
      "the configuration",
      { PRIVATE_KEY: "{}" },
      "server_error",
      "configuration_malformed",
    ],
    [
      "storage",
      {
        KV: {
          getWithMetadata() {
            throw new Error("storage is on fire");
          },
        },
      },
      "temporarily_unavailable",
      "storage_unavailable",
    ],
  ])(
    "returns a fault in %s as an error without details, and does not throw",
    async (_, bindings, error, reason) => {
      const request = await requestAtLogin(client);
      const entrypoint = loginWith(bindings);
      const decision = { request, subject: "alice" };
      const refused = [
        { error, error_description: expect.any(String) },
        reason,
      ];
      const answers = [
        await answerOf(() => entrypoint.describeAuthorization(request)),
        await answerOf(() => entrypoint.decideAuthorization(decision)),
      ];
      expect(answers).toEqual([refused, refused]);
      expect(JSON.stringify(answers)).not.toMatch(/fire|PRIVATE_KEY/);
    },
  );
});

describe("the log of the entrypoint", () => {
  it("has one line per call, without a secret", async () => {
    const lines = listenToLog();
    const request = await requestAtLogin(client);
    lines.length = 0;
    const subject = crypto.randomUUID();
    await exports.Login.describeAuthorization(request);
    const decided = await exports.Login.decideAuthorization({
      request,
      subject,
    });
    await untyped.decideAuthorization({ request, [request]: subject });
    await untyped.describeAuthorization(subject);
    await exports.Login.decideAuthorization({
      request,
      subject,
      scope: "admin",
    });
    const line = (endpoint: string, outcome: string, reason?: string) =>
      expect.objectContaining({
        event: "request",
        request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        endpoint,
        method: "RPC",
        outcome,
        ...(reason !== undefined && { reason }),
        duration_ms: expect.any(Number),
      });
    const parsed = lines.map(
      (text) => JSON.parse(text) as { client_id?: string },
    );
    expect(parsed).toEqual([
      line("describeAuthorization", "ok"),
      line("decideAuthorization", "ok"),
      line("decideAuthorization", "invalid_request", "admin_body_invalid"),
      line(
        "describeAuthorization",
        "invalid_request",
        "authorization_request_malformed",
      ),
      line("decideAuthorization", "invalid_scope", "scope_not_granted"),
    ]);
    expect(parsed[1]?.client_id).toBe(client.client_id);
    const { redirect_to } = decided as { redirect_to: string };
    const code = new URL(redirect_to).searchParams.get("code") ?? "none";
    for (const secret of [request, code, subject])
      expect(lines.join("\n")).not.toContain(secret);
  });
});
