import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type AdminToken,
  askWith,
  makeToken,
} from "../../support/administrators.ts";
import { makeWebClient, requestAtLogin } from "../../support/authorization.ts";
import { refusal, server, serverWith } from "../../support/server.ts";

/** What each role of an administrator may do. */

const roles = ["admin", "operator", "login", "read"] as const;
type Role = (typeof roles)[number];
let tokens: Record<Role, AdminToken>;

beforeAll(async () => {
  const made = await Promise.all(roles.map((role) => makeToken(role)));
  tokens = Object.fromEntries(
    made.map((token) => [token.role, token]),
  ) as typeof tokens;
});

interface Document {
  paths: Record<string, Record<string, { "x-role": Role }>>;
}

/** The roles that may do what needs a role. */
const sufficient: Record<Role, Role[]> = {
  admin: ["admin"],
  operator: ["admin", "operator"],
  login: ["admin", "login"],
  read: ["admin", "operator", "read"],
};

describe("the role of an operation", () => {
  it("is in the OpenAPI document, and everybody without it is refused before anything else is looked at", async () => {
    const { paths } = await server.expectAdmin<Document>(
      "GET",
      "/openapi.json",
    );
    const operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        method: method.toUpperCase(),
        path: path.replace("/admin", "").replaceAll(/\{\w+\}/g, "%00"),
        needed: operation["x-role"],
      })),
    );
    expect(operations.length).toBeGreaterThan(15);
    for (const { method, path, needed } of operations)
      for (const role of roles) {
        const { token } = tokens[role];
        const response = await askWith(server, token, method, path);
        const label = `${role}: ${method} ${path}`;
        if (sufficient[needed].includes(role)) {
          expect(response.status, label).not.toBe(403);
          continue;
        }
        expect(response.headers.get("WWW-Authenticate"), label).toBe(
          `Bearer realm="baton/admin", error="insufficient_scope", scope="${needed}"`,
        );
        const body = await response
          .clone()
          .json<{ error_description: string }>();
        expect(body.error_description).toContain(`the role ${needed}`);
        expect(await refusal(response), label).toEqual([
          403,
          "insufficient_scope",
          "admin_role_insufficient",
        ]);
      }
  });

  it.each<[Role, string[]]>([
    [
      "admin",
      [
        "DELETE /admin/clients/{client_id}",
        "DELETE /admin/tokens/{name}",
        "GET /admin/tokens",
        "POST /admin/clients",
        "POST /admin/clients/{client_id}/restore",
        "POST /admin/clients/{client_id}/secrets",
        "POST /admin/tokens",
      ],
    ],
    [
      "login",
      [
        "GET /admin/authorizations",
        "GET /admin/logouts",
        "PATCH /admin/grants/{grant_id}",
        "POST /admin/authorizations",
        "POST /admin/grants",
        "POST /admin/logouts",
      ],
    ],
  ])("is %s for these", async (role, expected) => {
    const { paths } = await server.expectAdmin<Document>(
      "GET",
      "/openapi.json",
    );
    const found = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods)
        .filter(([, operation]) => operation["x-role"] === role)
        .map(([method]) => `${method.toUpperCase()} ${path}`),
    );
    expect(found.toSorted()).toEqual(expected);
  });
});

describe("an operator", () => {
  it("cannot raise its own role: it makes no token, and ends none", async () => {
    const { name, token } = tokens.operator;
    const insufficient = [403, "insufficient_scope", "admin_role_insufficient"];
    for (const [method, path, body] of [
      ["POST", "/tokens", { name: "mine", role: "admin" }],
      ["POST", "/tokens", { name: "mine", role: "operator" }],
      ["DELETE", `/tokens/${tokens.admin.name}`, undefined],
      ["DELETE", `/tokens/${name}`, undefined],
    ] as const)
      expect(
        await refusal(await askWith(server, token, method, path, body)),
      ).toEqual(insufficient);
    expect(
      (await askWith(server, tokens.admin.token, "GET", "/scopes")).status,
    ).toBe(200);
  });

  it("changes a client, but not how it authenticates", async () => {
    const { client_id } = await server.makeClient({
      token_endpoint_auth_method: "client_secret_basic",
    });
    const { token } = tokens.operator;
    const patch = (body: object) =>
      askWith(server, token, "PATCH", `/clients/${client_id}`, body);
    expect((await patch({ client_name: "New" })).status).toBe(200);
    for (const token_endpoint_auth_method of [
      "none",
      "client_secret_post",
      null,
    ])
      expect(
        await refusal(
          await patch({ token_endpoint_auth_method, client_name: "Newer" }),
        ),
      ).toEqual([403, "insufficient_scope", "admin_role_insufficient"]);
    expect(
      await server.expectAdmin("GET", `/clients/${client_id}`),
    ).toMatchObject({ client_name: "New" });
  });

  it("starts no login for a user, because that would be every user's access", async () => {
    const { client_id } = await server.makeClient();
    const body = { client_id, subject: "alice" };
    const { token } = tokens.operator;
    const response = await askWith(server, token, "POST", "/grants", body);
    expect(response.status).toBe(403);
    await response.body?.cancel();
  });
});

describe("the role login", () => {
  it("is enough for a sign-in page and for a back end that signs people in", async () => {
    const { token } = tokens.login;
    const client = await makeWebClient();
    const request = await requestAtLogin(client);
    const query = new URLSearchParams({ request }).toString();
    for (const [method, path, body] of [
      ["GET", `/authorizations?${query}`, undefined],
      ["POST", "/authorizations", { request, subject: "alice" }],
      ["POST", "/grants", { client_id: client.client_id, subject: "alice" }],
    ] as const)
      expect(
        (await askWith(server, token, method, path, body)).status,
        path,
      ).toBe(200);
  });
});

describe("/health", () => {
  it("names what is wrong to every role but login", async () => {
    await env.KV.put("client:broken", "{}");
    const degraded = serverWith({});
    for (const role of roles) {
      const response = await degraded.health(tokens[role].token);
      const body = await response.json<object>();
      expect("problems" in body, role).toBe(role !== "login");
    }
    await env.KV.delete("client:broken");
  });
});
