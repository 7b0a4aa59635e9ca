import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { makeProofKey } from "../../support/dpop.ts";
import { fieldErrors } from "../../support/admin.ts";
import { refusal, server } from "../../support/server.ts";

/** Tests what the whole admin API has in common: its token, its requests and its OpenAPI document. */

interface Document {
  openapi: string;
  servers: { url: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema>; securitySchemes: object };
}

interface Operation {
  security: object[];
  responses: Record<string, object>;
  requestBody?: { content: { "application/json": { schema: Schema } } };
}

interface Schema {
  $ref?: string;
  required?: string[];
  properties?: Record<string, object>;
  additionalProperties?: boolean;
}

describe("the admin token", () => {
  it.each([
    ["no token", undefined],
    ["an empty token", "Bearer "],
    ["a wrong token", "Bearer wrong"],
    ["a part of the token", `Bearer ${env.ADMIN_TOKEN.slice(0, -1)}`],
    ["the token with another character", `Bearer ${env.ADMIN_TOKEN}x`],
    ["the token by HTTP Basic", `Basic ${btoa(`admin:${env.ADMIN_TOKEN}`)}`],
    ["the token without a scheme", env.ADMIN_TOKEN],
  ])("is required: %s is answered with 401", async (_, header) => {
    const headers: Record<string, string> =
      header === undefined ? {} : { Authorization: header };
    for (const path of [
      "/scopes",
      "/clients",
      "/grants",
      "/openapi.json",
      "/nowhere",
    ]) {
      const response = await server.http(`/admin${path}`, { headers });
      expect(response.headers.get("WWW-Authenticate")).toMatch(
        /^Bearer realm=/,
      );
      expect(await refusal(response)).toEqual([
        401,
        "invalid_token",
        "admin_token_wrong",
      ]);
    }
  });

  it("in the query string is not read", async () => {
    const response = await server.http(
      `/admin/scopes?access_token=${env.ADMIN_TOKEN}`,
    );
    expect(await refusal(response)).toEqual([
      401,
      "invalid_token",
      "admin_token_wrong",
    ]);
  });

  it("may have its scheme in lower case", async () => {
    const headers = { Authorization: `bearer ${env.ADMIN_TOKEN}` };
    expect((await server.http("/admin/scopes", { headers })).status).toBe(200);
  });
});

describe("a body", () => {
  function create(type: string | undefined, body?: string) {
    const headers = {
      Authorization: `Bearer ${env.ADMIN_TOKEN}`,
      ...(type !== undefined && { "Content-Type": type }),
    };
    // As bytes, because a string would get a Content-Type of its own.
    const bytes = body === undefined ? null : new TextEncoder().encode(body);
    const init = { method: "POST", headers, body: bytes };
    return server.http("/admin/clients", init);
  }

  it.each([
    "application/json",
    "application/json; charset=utf-8",
    'Application/JSON;charset="utf-8"',
    "application/merge-patch+json",
  ])("is read if its Content-Type is %s", async (type) => {
    const response = await create(type, '{"client_name":"An app"}');
    expect(response.status).toBe(201);
    expect(await response.json()).toMatchObject({ client_name: "An app" });
  });

  it.each([undefined, "text/json", "application/jsonx", "application/json;"])(
    "is refused if its Content-Type is %s",
    async (type) => {
      expect(await refusal(await create(type, "{}"))).toEqual([
        400,
        "invalid_request",
        "admin_body_invalid",
      ]);
    },
  );

  it.each(["", "{", "\u0000"])(
    "is refused if it is not JSON: %j",
    async (body) => {
      expect(await refusal(await create("application/json", body))).toEqual([
        400,
        "invalid_request",
        "admin_body_invalid",
      ]);
    },
  );

  it.each(["null", "7", '"x"', "[]", "[[]]"])(
    "is refused if it is not an object: %s",
    async (body) => {
      const response = await create("application/json", body);
      expect(await fieldErrors(response)).toEqual({
        body: "must be an object",
      });
    },
  );

  it.each([undefined, ""])(
    "may be left out, which is the same as no fields (%j)",
    async (body) => {
      expect((await create(undefined, body)).status).toBe(201);
    },
  );
});

describe("the query parameters of a list", () => {
  it.each([
    ["limit=0", "limit", "must be at least 1"],
    ["limit=", "limit", "must be at least 1"],
    ["limit=101", "limit", "must be at most 100"],
    ["limit=1.5", "limit", "must be a whole number"],
    ["limit=x", "limit", "must be a number"],
    ["limit=1&limit=2", "limit", "must be a number"],
    ["cursor=x&cursor=y", "cursor", "must be a string"],
    ["__proto__=1", "__proto__", "is not a field of this request"],
  ])("are checked: %s", async (query, field, problem) => {
    const response = await server.admin("GET", `/clients?${query}`);
    expect(Object.entries(await fieldErrors(response))).toEqual([
      [field, problem],
    ]);
  });
});

describe("/admin/openapi.json", () => {
  it("describes every route in OpenAPI 3.1, with its server and its security", async () => {
    const document = await server.expectAdmin<Document>("GET", "/openapi.json");
    expect(document.openapi).toBe("3.1.0");
    expect(document.servers).toEqual([{ url: "https://auth.example.com" }]);
    const operations = Object.entries(document.paths).flatMap(
      ([path, methods]) =>
        Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(operations.toSorted()).toEqual([
      "DELETE /admin/clients/{client_id}",
      "DELETE /admin/grants/{grant_id}",
      "DELETE /admin/resources/{resource}",
      "DELETE /admin/scopes/{scope}",
      "DELETE /admin/subjects/{subject}/grants",
      "DELETE /admin/tokens/{name}",
      "GET /admin/authorizations",
      "GET /admin/clients",
      "GET /admin/clients/{client_id}",
      "GET /admin/grants/{grant_id}",
      "GET /admin/league",
      "GET /admin/logouts",
      "GET /admin/resources",
      "GET /admin/scopes",
      "GET /admin/subjects/{subject}/grants",
      "GET /admin/tokens",
      "PATCH /admin/clients/{client_id}",
      "PATCH /admin/grants/{grant_id}",
      "POST /admin/authorizations",
      "POST /admin/clients",
      "POST /admin/clients/{client_id}/restore",
      "POST /admin/clients/{client_id}/secrets",
      "POST /admin/doctor",
      "POST /admin/grants",
      "POST /admin/introspect",
      "POST /admin/league/revoked-tokens",
      "POST /admin/league/tokens",
      "POST /admin/logouts",
      "POST /admin/revoke",
      "POST /admin/tokens",
      "PUT /admin/resources/{resource}",
      "PUT /admin/scopes/{scope}",
    ]);
    for (const operation of Object.values(document.paths).flatMap((path) =>
      Object.values(path),
    )) {
      expect(operation.security).toEqual([{ adminToken: [] }]);
      expect(Object.keys(operation.responses)).toEqual(
        expect.arrayContaining(["400", "401", "503"]),
      );
    }
    expect(document.components.securitySchemes).toMatchObject({
      adminToken: { type: "http", scheme: "bearer" },
    });
  });

  it("lists all fields that a route accepts, and says that it accepts no others", async () => {
    const { paths, components } = await server.expectAdmin<Document>(
      "GET",
      "/openapi.json",
    );
    const body =
      paths["/admin/clients"]?.["post"]?.requestBody?.content[
        "application/json"
      ].schema;
    const schema = components.schemas[body?.$ref?.split("/").at(-1) ?? ""];
    expect(schema?.additionalProperties).toBe(false);
    const examples: Record<string, unknown> = {
      client_id: crypto.randomUUID(),
      client_name: "x",
      token_endpoint_auth_method: "client_secret_post",
      grant_types: ["refresh_token"],
      scope: "",
      redirect_uris: ["https://a.example"],
      post_logout_redirect_uris: ["https://a.example"],
      backchannel_logout_uri: "https://a.example.com/logout",
      backchannel_logout_session_required: true,
      resources: ["https://a.example"],
      resource_server: "https://a.example",
      require_pkce: false,
      refresh_without_offline_access: true,
      access_token_ttl: "PT1H",
      refresh_token_ttl: "P1M",
      refresh_token_max_age: "P1Y",
      refresh_token_retry_window: "PT30S",
      access_token_format: "league",
      client_secret: "of the server that it comes from",
      allow_weak_secret: true,
      disabled: true,
    };
    const byKey = { token_endpoint_auth_method: "private_key_jwt" };
    const { jwk } = await makeProofKey();
    // Each needs a client of its own, because they exclude each other.
    const ofOthers: Record<string, unknown>[] = [
      { ...byKey, jwks: { keys: [jwk] } },
      {
        ...byKey,
        jwks_uri: "https://a.example.com/jwks.json",
        dpop_bound_access_tokens: true,
        tls_client_certificate_bound_access_tokens: true,
        refresh_token_catch_up: "P7D",
        single_use_client_assertions: true,
      },
      ...Object.entries({
        tls_client_auth_subject_dn: "CN=a",
        tls_client_auth_san_dns: "a.example.com",
        tls_client_auth_san_uri: "https://a.example.com/",
        tls_client_auth_san_ip: "192.0.2.1",
        tls_client_auth_san_email: "a@example.com",
      }).map(([name, value]) => ({
        token_endpoint_auth_method: "tls_client_auth",
        [name]: value,
      })),
    ];
    const all = new Set([examples, ...ofOthers].flatMap(Object.keys));
    expect(Object.keys(schema?.properties ?? {}).toSorted()).toEqual(
      [...all].toSorted(),
    );
    for (const body of [examples, ...ofOthers])
      expect((await server.admin("POST", "/clients", body)).status).toBe(201);
  });
});

describe("the bounds of a body", () => {
  const smile = "\u{1f600}";

  it("count characters, so that what fits can be stored, read and changed", async () => {
    const client_name = smile.repeat(255);
    const { client_id } = await server.makeClient({ client_name });
    const path = `/clients/${client_id}`;
    const read = await server.admin("GET", path);
    expect(await read.json()).toMatchObject({ client_name });
    const changed = await server.admin("PATCH", path, { client_name });
    expect(changed.status).toBe(200);
    const longer = { client_name: client_name + smile };
    expect(
      await fieldErrors(await server.admin("PATCH", path, longer)),
    ).toEqual({ client_name: "must have at most 255 characters" });
  });

  it("keep the answer to a body of many wrong values short", async () => {
    const response = await server.admin("POST", "/clients", {
      redirect_uris: Array<number>(5_000).fill(1),
    });
    expect(response.status).toBe(400);
    expect((await response.text()).length).toBeLessThan(16_384);
  });

  it("name a field without a name", async () => {
    const response = await server.admin("POST", "/clients", { "": 1 });
    expect(await fieldErrors(response)).toEqual({
      "": "is not a field of this request",
    });
  });
});
