import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { type ClientRecord, fieldErrors } from "../../support/admin.ts";
import { type ErrorBody, refusal, server } from "../../support/server.ts";

/** Tests making, listing and changing clients by `/admin/clients`. */

beforeAll(() => server.makeScopes("read", "write"));

describe("POST /admin/clients", () => {
  it("answers 201 with the record and, only this once, the secret", async () => {
    const before = Math.floor(Date.now() / 1000);
    const response = await server.admin("POST", "/clients", {
      client_id: "notes-web",
      client_name: "Notes",
      scope: "read write",
      redirect_uris: ["https://notes.example.com/cb"],
      resources: ["https://api.example.com"],
      access_token_ttl: "PT10M",
    });
    expect(response.status).toBe(201);
    expect(response.headers.get("Cache-Control")).toBe("no-store");
    const after = Math.floor(Date.now() / 1000);
    const made = await response.json<ClientRecord>();
    expect(made).toEqual({
      client_id: "notes-web",
      client_id_issued_at: expect.toSatisfy(
        (at: number) => before <= at && at <= after,
      ),
      client_name: "Notes",
      grant_types: ["authorization_code", "refresh_token"],
      scope: "read write",
      redirect_uris: ["https://notes.example.com/cb"],
      resources: ["https://api.example.com"],
      access_token_ttl: "PT10M",
      credentials: [{ created_at: made.client_id_issued_at }],
      client_secret: expect.stringMatching(/^baton_cs_[\w-]{43}$/),
      client_secret_expires_at: 0,
    });
    const shown = await (
      await server.admin("GET", "/clients/notes-web")
    ).text();
    expect(shown).not.toContain(made.client_secret);
    const stored = await env.KV.get("client:notes-web", "json");
    const { hash } = (stored as { secrets: { hash: string }[] }).secrets[0]!;
    expect(hash).toMatch(/^[\w-]{43}$/);
    expect(shown).not.toContain(hash);
  });

  it("makes, by default, a confidential client with a random id and without scopes", async () => {
    const made = await server.expectAdmin<ClientRecord>("POST", "/clients", {});
    expect(made.client_id).toMatch(/^[0-9a-f-]{36}$/);
    expect(made).toMatchObject({ scope: "", redirect_uris: [], resources: [] });
    expect(made).not.toHaveProperty("token_endpoint_auth_method");
  });

  it("gives a public client no secret", async () => {
    const made = await server.expectAdmin<ClientRecord>("POST", "/clients", {
      token_endpoint_auth_method: "none",
    });
    expect(made).not.toHaveProperty("client_secret");
    expect(made.credentials).toEqual([]);
  });

  it("makes a client that works at once in the same isolate", async () => {
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    await server.expectRefresh(client, refresh_token);
  });

  it("answers 409 for an id that is taken, and changes nothing", async () => {
    const client = await server.makeClient({ client_name: "First" });
    const again = await server.admin("POST", "/clients", {
      client_id: client.client_id,
      client_name: "Second",
    });
    expect(await refusal(again)).toEqual([409, "conflict", "client_id_taken"]);
    const kept = await server.expectAdmin(
      "GET",
      `/clients/${client.client_id}`,
    );
    expect(kept).toMatchObject({ client_name: "First" });
  });

  it.each([
    ["client_id", { client_id: "" }],
    ["client_id", { client_id: "x".repeat(256) }],
    ["client_id", { client_id: "ümlaut" }],
    ["client_id", { client_id: ".." }],
    ["client_id", { client_id: 7 }],
    ["client_id", { client_id: null }],
    ["client_name", { client_name: "" }],
    ["client_name", { client_name: "x".repeat(256) }],
    ["scope", { scope: "read nosuchscope" }],
    ["scope", { scope: "read\twrite" }],
    ["scope", { scope: " " }],
    ["scope", { scope: ["read"] }],
    ["scope", { scope: "constructor" }],
    ["grant_types.0", { grant_types: ["password"] }],
    ["grant_types", { grant_types: "refresh_token" }],
    [
      "token_endpoint_auth_method",
      { token_endpoint_auth_method: "client_secret_jwt" },
    ],
    ["redirect_uris.1", { redirect_uris: ["https://a.example/", "/relative"] }],
    ["redirect_uris.0", { redirect_uris: ["https://a.example/#fragment"] }],
    ["redirect_uris.0", { redirect_uris: ["javascript:alert(1)"] }],
    ["redirect_uris.0", { redirect_uris: ["https://a.example/ b"] }],
    ["resources.0", { resources: ["api"] }],
    ["resource_server", { resource_server: "https://a.example/#x" }],
    ["access_token_ttl", { access_token_ttl: "3600" }],
    ["access_token_ttl", { access_token_ttl: 3600 }],
    ["access_token_ttl", { access_token_ttl: "PT0S" }],
    ["refresh_token_ttl", { refresh_token_ttl: "-P1D" }],
    ["refresh_token_ttl", { refresh_token_ttl: "P1Y6" }],
    ["refresh_token_ttl", { refresh_token_ttl: "P7DT" }],
    ["refresh_token_ttl", { refresh_token_ttl: "PT1HT30M" }],
    ["refresh_token_ttl", { refresh_token_ttl: "P1M1Y" }],
    ["refresh_token_ttl", { refresh_token_ttl: "PT30M1H" }],
    ["refresh_token_ttl", { refresh_token_ttl: "PT1H30" }],
    ["refresh_token_ttl", { refresh_token_ttl: "P30D12H" }],
    ["refresh_token_max_age", { refresh_token_max_age: "P1000Y" }],
    ["refresh_token_retry_window", { refresh_token_retry_window: "soon" }],
    ["access_token_format", { access_token_format: "jwt" }],
    ["access_token_format", { access_token_format: "" }],
    ["client_secret", { client_secret: "" }],
    ["client_secret", { client_secret: "x".repeat(256) }],
    ["client_secret", { client_secret: "geheim\u00fc" }],
    ["client_secret", { client_secret: "two\nlines" }],
    ["client_secret", { client_secret: 7 }],
    ["nonsense", { nonsense: 1 }],
    ["__proto__", JSON.parse('{"__proto__": 1}') as object],
  ])("refuses an invalid %s (%#) and names the field", async (field, body) => {
    const response = await server.admin("POST", "/clients", body);
    expect(Object.keys(await fieldErrors(response))).toEqual([field]);
  });

  it.each(["{", "", "[]", "null", '"text"', "7", '{"scope":"read"'])(
    "refuses %j as a body",
    async (body) => {
      const response = await server.http("/admin/clients", {
        method: "POST",
        headers: {
          Authorization: `Bearer ${env.ADMIN_TOKEN}`,
          "Content-Type": "application/json",
        },
        body,
      });
      expect(await refusal(response)).toEqual([
        400,
        "invalid_request",
        "admin_body_invalid",
      ]);
    },
  );

  it("refuses a body whose Content-Type is not JSON, and makes no client", async () => {
    const client_id = crypto.randomUUID();
    for (const type of ["text/plain", "application/x-www-form-urlencoded"]) {
      const response = await server.http("/admin/clients", {
        method: "POST",
        headers: {
          Authorization: `Bearer ${env.ADMIN_TOKEN}`,
          "Content-Type": type,
        },
        body: JSON.stringify({ client_id }),
      });
      expect(await refusal(response.clone())).toEqual([
        400,
        "invalid_request",
        "admin_body_invalid",
      ]);
      const body = await response.json<ErrorBody>();
      expect(body.error_description).toContain("application/json");
    }
    const made = await server.admin("GET", `/clients/${client_id}`);
    expect(await refusal(made)).toEqual([
      404,
      "not_found",
      "admin_target_unknown",
    ]);
  });
});

describe("an id that no client can have", () => {
  it.each(["%E2%82%AC".repeat(255), "%C3%BC", "x".repeat(256), "a%00b"])(
    "is answered with 400 in a path (%#)",
    async (id) => {
      for (const method of ["GET", "DELETE"]) {
        const response = await server.admin(method, `/clients/${id}`);
        expect(Object.keys(await fieldErrors(response))).toEqual(["client_id"]);
      }
    },
  );
});

describe("GET /admin/clients", () => {
  it("does not return an empty page because of deleted clients", async () => {
    for (let n = 0; n < 5; n++) {
      const { client_id } = await server.makeClient({
        client_id: `!deleted-${crypto.randomUUID()}`,
      });
      await server.expectAdmin(
        "DELETE",
        `/clients/${encodeURIComponent(client_id)}`,
      );
    }
    await server.makeClient();
    const page = await server.expectAdmin<{ clients: object[] }>(
      "GET",
      "/clients?limit=2",
    );
    expect(page.clients.length).toBeGreaterThan(0);
  });

  it("lists every client once, page by page, without secrets and hashes", async () => {
    const made = new Set<string>();
    for (let n = 0; n < 7; n++) made.add((await server.makeClient()).client_id);
    const listed: string[] = [];
    let cursor: string | undefined;
    do {
      const query = new URLSearchParams({
        limit: "3",
        ...(cursor !== undefined && { cursor }),
      });
      const response = await server.admin(
        "GET",
        `/clients?${query.toString()}`,
      );
      const text = await response.text();
      expect(text).not.toMatch(/client_secret"|"hash"/);
      const page = JSON.parse(text) as {
        clients: ClientRecord[];
        cursor?: string;
      };
      expect(page.clients.length).toBeLessThanOrEqual(3);
      listed.push(...page.clients.map(({ client_id }) => client_id));
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(new Set(listed).size).toBe(listed.length);
    expect([...made].every((id) => listed.includes(id))).toBe(true);
  });

  it.each(["limit=0", "limit=101", "limit=x", "limit=1&nonsense=1"])(
    "refuses the query %s",
    async (query) => {
      const response = await server.admin("GET", `/clients?${query}`);
      expect(await refusal(response)).toEqual([
        400,
        "invalid_request",
        "admin_body_invalid",
      ]);
    },
  );
});

describe("PATCH /admin/clients/{client_id}", () => {
  it("changes the fields that it names, and removes those that are null (RFC 7396)", async () => {
    const client = await server.makeClient({
      scope: "read",
      client_name: "Old",
      access_token_ttl: "PT5M",
    });
    const path = `/clients/${client.client_id}`;
    const changed = await server.expectAdmin<ClientRecord>("PATCH", path, {
      client_name: "New",
      access_token_ttl: null,
      grant_types: null,
    });
    expect(changed).toMatchObject({
      client_name: "New",
      scope: "read",
      grant_types: ["authorization_code", "refresh_token"],
    });
    expect(changed).not.toHaveProperty("access_token_ttl");
    expect(await server.expectAdmin("GET", path)).toEqual(changed);
    const { refresh_token } = await server.login(client);
    await server.expectRefresh(client, refresh_token);
  });

  it.each([
    ["client_id", { client_id: "other" }],
    ["secrets", { secrets: [] }],
    ["scope", { scope: "nosuchscope" }],
  ])("refuses an invalid %s and changes nothing", async (field, patch) => {
    const client = await server.makeClient();
    const path = `/clients/${client.client_id}`;
    const before = await server.expectAdmin("GET", path);
    const response = await server.admin("PATCH", path, {
      client_name: "New",
      ...patch,
    });
    expect(Object.keys(await fieldErrors(response))).toEqual([field]);
    expect(await server.expectAdmin("GET", path)).toEqual(before);
  });

  it("lets a client keep a scope that has left the catalogue, and accepts it for no other client", async () => {
    await server.makeScopes("leaving");
    const client = await server.makeClient({ scope: "read leaving" });
    const path = `/clients/${client.client_id}`;
    await server.expectAdmin("DELETE", "/scopes/leaving");
    await server.expectAdmin("PATCH", path, {
      grant_types: ["authorization_code"],
    });
    await server.expectAdmin("PATCH", path, { scope: "leaving" });
    const otherClient = await server.makeClient({ scope: "read" });
    const response = await server.admin(
      "PATCH",
      `/clients/${otherClient.client_id}`,
      {
        scope: "read leaving",
      },
    );
    expect(Object.keys(await fieldErrors(response))).toEqual(["scope"]);
  });

  it("removes the secrets of a client that becomes public", async () => {
    const client = await server.makeClient();
    const path = `/clients/${client.client_id}`;
    const { refresh_token } = await server.login(client);
    await server.expectAdmin("PATCH", path, {
      token_endpoint_auth_method: "none",
    });
    await server.expectAdmin("PATCH", path, {
      token_endpoint_auth_method: null,
    });
    const response = await server.refresh(client, refresh_token);
    expect(await refusal(response)).toEqual([
      401,
      "invalid_client",
      "client_secret_wrong",
    ]);
    const fresh = await server.expectAdmin<ClientRecord>(
      "POST",
      `${path}/secrets`,
    );
    // Its logins have ended with the old secret.
    expect(await refusal(await server.refresh(fresh, refresh_token))).toEqual([
      400,
      "invalid_grant",
      "client_logins_ended",
    ]);
  });
});
