import { decodeJwt } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { fieldErrors } from "../../support/admin.ts";
import { refusal, server, serverWith } from "../../support/server.ts";

/** Tests `POST /admin/grants`, by which a back end that has authenticated its user starts a login. */

beforeAll(() => server.makeScopes("read", "write"));

describe("POST /admin/grants", () => {
  it("answers 200 with a token response, as the token endpoint does", async () => {
    const { client_id } = await server.makeClient({ scope: "read write" });
    const body = { client_id, subject: "alice@example.com", scope: "read" };
    const response = await server.admin("POST", "/grants", body);
    expect(response.status).toBe(200);
    expect(response.headers.get("Cache-Control")).toBe("no-store");
    const tokens = await response.json<{ access_token: string }>();
    expect(tokens).toEqual({
      token_type: "Bearer",
      expires_in: 3600,
      access_token: expect.any(String),
      refresh_token: expect.stringMatching(/^baton_rt_/),
      refresh_token_timeout: expect.any(Number),
      authorization_expires_in: expect.any(Number),
      scope: "read",
    });
    expect(decodeJwt(tokens.access_token)).toMatchObject({
      sub: "alice@example.com",
      client_id,
    });
  });

  it("grants all scopes of the client if scope is left out, and none if it is empty", async () => {
    const client = await server.makeClient({ scope: "read write" });
    expect((await server.login(client)).scope).toBe("read write");
    expect(await server.login(client, { scope: "" })).not.toHaveProperty(
      "scope",
    );
    expect(await server.login(await server.makeClient())).not.toHaveProperty(
      "scope",
    );
  });

  it("accepts one resource or several", async () => {
    const [a, b] = ["https://a.example.com", "https://b.example.com"];
    const client = await server.makeClient({ resources: [a, b] });
    for (const resource of [a, [a, b]]) {
      const { access_token } = await server.login(client, { resource });
      expect(decodeJwt(access_token).aud).toEqual(resource);
    }
  });

  it.each(["ü".repeat(127), "👩‍🚀 with spaces", '"quoted"\\', "constructor"])(
    "accepts %j as a subject",
    async (subject) => {
      const { access_token } = await server.login(await server.makeClient(), {
        subject,
      });
      expect(decodeJwt(access_token).sub).toBe(subject);
    },
  );

  it.each([
    ["subject", { subject: "" }],
    ["subject", { subject: "ü".repeat(128) }],
    ["subject", { subject: "new\nline" }],
    ["subject", { subject: "lone \ud800 surrogate" }],
    ["subject", { subject: 7 }],
    ["subject", { subject: undefined }],
    ["client_id", { client_id: "nobody" }],
    ["client_id", { client_id: undefined }],
    ["resource", { resource: "not a uri" }],
    ["more", { more: 1 }],
  ])(
    "refuses an invalid %s (%#) and names the field",
    async (field, fields) => {
      const { client_id } = await server.makeClient();
      const response = await server.admin("POST", "/grants", {
        client_id,
        subject: "alice",
        ...fields,
      });
      expect(Object.keys(await fieldErrors(response))).toEqual([field]);
    },
  );

  it.each([
    ["invalid_scope", "scope_not_granted", { scope: "read write" }],
    ["invalid_scope", "scope_not_granted", { scope: "nosuchscope" }],
    ["invalid_scope", "scope_malformed", { scope: "read\t" }],
    [
      "invalid_target",
      "resource_not_allowed",
      { resource: "https://evil.example.com" },
    ],
  ])(
    "answers %s for more than the client may have (%#)",
    async (error, reason, fields) => {
      const { client_id } = await server.makeClient({ scope: "read" });
      const response = await server.admin("POST", "/grants", {
        client_id,
        subject: "alice",
        ...fields,
      });
      expect(await refusal(response)).toEqual([400, error, reason]);
    },
  );

  it("answers unauthorized_client for a client without the refresh token grant", async () => {
    const { client_id } = await server.makeClient({
      grant_types: ["client_credentials"],
    });
    const response = await server.admin("POST", "/grants", {
      client_id,
      subject: "alice",
    });
    expect(await refusal(response)).toEqual([
      400,
      "unauthorized_client",
      "grant_type_not_allowed",
    ]);
  });

  it("answers 500 if the signing key is malformed", async () => {
    const { client_id } = await server.makeClient();
    const broken = serverWith({ PRIVATE_KEY: "{}" });
    const response = await broken.admin("POST", "/grants", {
      client_id,
      subject: "alice",
    });
    expect(await refusal(response)).toEqual([
      500,
      "server_error",
      "configuration_malformed",
    ]);
  });
});
