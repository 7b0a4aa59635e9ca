import { env } from "cloudflare:workers";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { fieldErrors } from "../support/admin.ts";
import { expectTokens } from "../support/authorization.ts";
import { bindingsWithoutObjects } from "../support/counting.ts";
import {
  basic,
  ISSUER,
  refusal,
  server,
  serverWith,
  type TestClient,
  type TestServer,
} from "../support/server.ts";
import { rewriteClient } from "../support/records.ts";

/** Tests the client credentials grant (RFC 6749 section 4.4): a token for the client itself. */

const grant_types = ["client_credentials"];
const inactive = { active: false };

beforeAll(() => server.makeScopes("read", "write"));

afterEach(() => {
  vi.useRealTimers();
});

/** Makes a client that may use the client credentials grant. */
function makeClient(metadata: Record<string, unknown> = {}) {
  return server.makeClient({ grant_types, ...metadata });
}

function ask(
  { client_id, client_secret }: { client_id: string; client_secret?: string },
  more: string[][] = [],
  to: TestServer = server,
): Promise<Response> {
  return to.token([
    ["grant_type", "client_credentials"],
    ["client_id", client_id],
    ...(client_secret === undefined ? [] : [["client_secret", client_secret]]),
    ...more,
  ]);
}

/** The claims of a new token of the client. */
async function claims(client: TestClient, more: string[][] = []) {
  const { access_token } = await expectTokens(await ask(client, more));
  return decodeJwt(access_token);
}

async function introspect(client: TestClient, token: string) {
  const response = await server.about("/introspect", client, token);
  expect(response.status).toBe(200);
  return response.json<Record<string, unknown>>();
}

describe("the token response", () => {
  it("has an access token for the client itself, and no refresh token (section 4.4.3)", async () => {
    const client = await makeClient({ scope: "read write" });
    const response = await ask(client);
    expect(response.headers.get("Cache-Control")).toBe("no-store");
    expect(response.headers.get("Pragma")).toBe("no-cache");
    const tokens = await expectTokens(response);
    expect(tokens).toEqual({
      token_type: "Bearer",
      expires_in: 3600,
      access_token: expect.any(String),
      scope: "read write",
    });
    const payload = decodeJwt(tokens.access_token);
    expect(payload).toEqual({
      iss: ISSUER,
      sub: client.client_id,
      sub_type: "client",
      aud: ISSUER,
      client_id: client.client_id,
      scope: "read write",
      iat: expect.any(Number),
      exp: (payload.iat ?? 0) + 3600,
      jti: expect.any(String),
    });
    expect(decodeProtectedHeader(tokens.access_token).typ).toBe("at+jwt");
  });

  it("has no refresh token even if the client may refresh", async () => {
    const client = await makeClient({
      grant_types: ["client_credentials", "refresh_token"],
    });
    expect(await expectTokens(await ask(client))).not.toHaveProperty(
      "refresh_token",
    );
  });

  it("has a different token each time", async () => {
    const client = await makeClient();
    const [one, two] = [await claims(client), await claims(client)];
    expect(one.jti).not.toBe(two.jti);
  });

  it("has a token with the lifetime of the client's record", async () => {
    const client = await makeClient({ access_token_ttl: "PT10M" });
    const { expires_in, access_token } = await expectTokens(await ask(client));
    const { iat = 0, exp = 0 } = decodeJwt(access_token);
    expect([expires_in, exp - iat]).toEqual([600, 600]);
  });
});

describe("scope", () => {
  const scope = (name: string) => [["scope", name]];

  it("that is left out means all scopes of the client; a client without scopes gets no scope in the response", async () => {
    const client = await makeClient({ scope: "read write" });
    expect((await claims(client))["scope"]).toBe("read write");
    expect((await claims(client, scope("")))["scope"]).toBe("read write");
    const none = await makeClient();
    expect(await expectTokens(await ask(none))).not.toHaveProperty("scope");
    expect(await claims(none)).not.toHaveProperty("scope");
  });

  it("may be narrowed, and is a set: repetition does not matter", async () => {
    const client = await makeClient({ scope: "read write" });
    const narrowed = await expectTokens(await ask(client, scope("write")));
    expect(narrowed.scope).toBe("write");
    expect((await claims(client, scope("write write")))["scope"]).toBe("write");
  });

  it.each([
    ["read write", "scope_not_granted"],
    ["write", "scope_not_granted"],
    ["nosuchscope", "scope_not_granted"],
    ["read\tread", "scope_malformed"],
    ["READ", "scope_not_granted"],
  ])(
    "of %j is invalid_scope for a client that has only read",
    async (name, reason) => {
      const client = await makeClient({ scope: "read" });
      expect(await refusal(await ask(client, scope(name)))).toEqual([
        400,
        "invalid_scope",
        reason,
      ]);
    },
  );

  it("that has left the catalogue is left out; it is invalid_scope if it is named, or was the client's only one", async () => {
    const lost = `lost-${crypto.randomUUID()}`;
    await server.makeScopes(lost);
    const client = await makeClient({ scope: `read ${lost}` });
    const withoutScopes = await makeClient({ scope: lost });
    await server.expectAdmin("DELETE", `/scopes/${lost}`);
    expect((await claims(client))["scope"]).toBe("read");
    expect(await refusal(await ask(client, scope(lost)))).toEqual([
      400,
      "invalid_scope",
      "scope_not_granted",
    ]);
    expect(await refusal(await ask(withoutScopes))).toEqual([
      400,
      "invalid_scope",
      "scope_all_lost",
    ]);
  });
});

describe("resource (RFC 8707)", () => {
  const [one, two] = ["https://one.example", "https://two.example"] as const;
  const resource = (...values: string[]) =>
    values.map((value) => ["resource", value]);

  it("is the audience: one or several of those that the client may request", async () => {
    const client = await makeClient({ resources: [one, two] });
    expect((await claims(client)).aud).toBe(ISSUER);
    expect((await claims(client, resource(two))).aud).toBe(two);
    expect((await claims(client, resource(one, two, one))).aud).toEqual([
      one,
      two,
    ]);
  });

  it("that the client may not request is invalid_target, also beside one that it may request", async () => {
    const client = await makeClient({ resources: [one] });
    for (const asked of [resource(two), resource(one, two)])
      expect(await refusal(await ask(client, asked))).toEqual([
        400,
        "invalid_target",
        "resource_not_allowed",
      ]);
  });
});

describe("a client", () => {
  const unauthorized = [400, "unauthorized_client", "grant_type_not_allowed"];
  it("gets a token if it sends its secret, in the body or by HTTP Basic", async () => {
    const client = await makeClient();
    const { client_id, client_secret } = client;
    expect((await ask(client)).status).toBe(200);
    const byBasic = await server.token(
      { grant_type: "client_credentials" },
      { Authorization: basic(client_id, client_secret) },
    );
    expect(byBasic.status).toBe(200);
    for (const [impostor, reason] of [
      [{ client_id }, "client_authentication_method_wrong"],
      [{ client_id, client_secret: "x" }, "client_secret_wrong"],
      [{ client_id: "nobody", client_secret }, "client_unknown"],
    ] as const)
      expect(await refusal(await ask(impostor))).toEqual([
        401,
        "invalid_client",
        reason,
      ]);
  });

  it("gets no token if it is registered for other grant types only", async () => {
    const client = await server.makeClient();
    expect(await refusal(await ask(client))).toEqual(unauthorized);
  });

  it("gets no token if it is public, even if its record has the grant type (section 4.4)", async () => {
    const { client_id } = await server.makeClient({
      token_endpoint_auth_method: "none",
    });
    await rewriteClient({ client_id }, { grant_types });
    expect(await refusal(await ask({ client_id }, [], serverWith({})))).toEqual(
      unauthorized,
    );
  });

  it("that is public can't be registered for the grant type, and one with the grant type can't become public", async () => {
    const token_endpoint_auth_method = "none";
    const made = await server.admin("POST", "/clients", {
      grant_types,
      token_endpoint_auth_method,
    });
    expect(Object.keys(await fieldErrors(made))).toEqual(["grant_types"]);

    const confidential = await makeClient();
    const path = `/clients/${confidential.client_id}`;
    const becomesPublic = { token_endpoint_auth_method };
    expect(
      Object.keys(
        await fieldErrors(await server.admin("PATCH", path, becomesPublic)),
      ),
    ).toEqual(["grant_types"]);
    expect((await ask(confidential)).status).toBe(200);

    const publicClient = await server.makeClient({
      token_endpoint_auth_method,
    });
    const patched = await server.admin(
      "PATCH",
      `/clients/${publicClient.client_id}`,
      {
        grant_types,
      },
    );
    expect(Object.keys(await fieldErrors(patched))).toEqual(["grant_types"]);
    const both = { token_endpoint_auth_method, grant_types: ["refresh_token"] };
    expect((await server.admin("PATCH", path, both)).status).toBe(200);
  });

  it("gets a token also without LOGIN_URL", async () => {
    const client = await makeClient();
    const withoutLogin = serverWith({ LOGIN_URL: "" });
    expect((await ask(client, [], withoutLogin)).status).toBe(200);
  });
});

describe("a token of the client itself", () => {
  it("costs no object call, no write, and no read once the cache is warm; introspection and revocation cost no more", async () => {
    const client = await makeClient({ scope: "read" });
    const { calls, bindings } = bindingsWithoutObjects();
    const counted = serverWith(bindings);
    const first = await expectTokens(await ask(client, [], counted));
    expect(calls).toEqual({ family: 0, kvRead: 2, kvWrite: 0 });
    await expectTokens(await ask(client, [], counted));
    const { access_token } = first;
    const asked = await counted.about("/introspect", client, access_token);
    expect(await asked.json()).toMatchObject({ active: true });
    await counted.about("/revoke", client, access_token);
    expect(calls).toEqual({ family: 0, kvRead: 2, kvWrite: 0 });
  });

  it("makes no login", async () => {
    const client = await makeClient();
    await expectTokens(await ask(client));
    const path = `/subjects/${client.client_id}/grants`;
    expect(await server.expectAdmin("GET", path)).toEqual({ grants: [] });
  });
});

describe("introspection", () => {
  const audience = "https://api.example.com";

  it("describes the token to its client and to the resource server of its audience, and to no other client", async () => {
    const client = await makeClient({ scope: "read", resources: [audience] });
    const resourceServer = await server.makeClient({
      resource_server: audience,
    });
    const otherClient = await makeClient({ resources: [audience] });
    const { access_token } = await expectTokens(
      await ask(client, [["resource", audience]]),
    );
    const all = {
      ...decodeJwt(access_token),
      active: true,
      token_type: "Bearer",
    };
    expect(all).toMatchObject({ sub: client.client_id, scope: "read" });
    expect(await introspect(client, access_token)).toEqual(all);
    expect(await introspect(resourceServer, access_token)).toEqual(all);
    expect(await introspect(otherClient, access_token)).toEqual(inactive);
    const plain = await expectTokens(await ask(await makeClient()));
    expect(await introspect(resourceServer, plain.access_token)).toEqual(
      inactive,
    );
  });

  it("answers inactive once the client is deleted", async () => {
    const client = await makeClient({ resources: [audience] });
    const resourceServer = await server.makeClient({
      resource_server: audience,
    });
    const { access_token } = await expectTokens(
      await ask(client, [["resource", audience]]),
    );
    expect(await introspect(resourceServer, access_token)).toMatchObject({
      active: true,
    });
    await server.expectAdmin("DELETE", `/clients/${client.client_id}`);
    expect(await introspect(resourceServer, access_token)).toEqual(inactive);
  });

  it("answers inactive once the token has expired", async () => {
    const client = await makeClient({ access_token_ttl: "PT1M" });
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const start = Math.floor(Date.now() / 1000);
    const { access_token } = await expectTokens(await ask(client));
    vi.setSystemTime((start + 59) * 1000);
    expect(await introspect(client, access_token)).toMatchObject({
      active: true,
    });
    vi.setSystemTime((start + 60) * 1000);
    expect(await introspect(client, access_token)).toEqual(inactive);
  });
});

describe("the id of a deleted client", () => {
  it("stays taken while a token of the client itself could be valid", async () => {
    const client = await makeClient({ access_token_ttl: "P3Y" });
    await server.expectAdmin("DELETE", `/clients/${client.client_id}`);
    const prefix = `client:${client.client_id}`;
    const [tombstone] = (await env.KV.list({ prefix })).keys;
    const now = Date.now() / 1000;
    const twoYears = 2 * 366 * 24 * 3600;
    expect((tombstone?.expiration ?? 0) - now).toBeGreaterThan(twoYears);
  });
});

describe("revocation", () => {
  it("of the client's own token is unsupported_token_type (RFC 7009 section 2.2.1), and the token stays good", async () => {
    const client = await makeClient();
    const { access_token } = await expectTokens(await ask(client));
    const response = await server.about("/revoke", client, access_token);
    expect(await refusal(response)).toEqual([
      400,
      "unsupported_token_type",
      "token_not_revocable",
    ]);
    expect(await introspect(client, access_token)).toMatchObject({
      active: true,
    });
  });

  it("of an expired token is answered with 200 (section 2.2)", async () => {
    const client = await makeClient();
    const { access_token } = await expectTokens(await ask(client));
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_600_000 });
    const response = await server.about("/revoke", client, access_token);
    expect(response.status).toBe(200);
  });

  it("of another client's token is invalid_grant", async () => {
    const [client, otherClient] = [await makeClient(), await makeClient()];
    const { access_token } = await expectTokens(await ask(client));
    const response = await server.about("/revoke", otherClient, access_token);
    expect(await refusal(response)).toEqual([
      400,
      "invalid_grant",
      "token_of_another_client",
    ]);
  });
});
