import { decodeJwt } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { reasonOf } from "../support/request-lines.ts";
import {
  basic,
  type ErrorBody,
  refusal,
  server,
  type Tokens,
} from "../support/server.ts";

/** Tests the refresh request (RFC 6749 section 6). */

beforeAll(() => server.makeScopes("read", "write", "admin"));

describe("a valid refresh", () => {
  it("gets a new pair of tokens, in the format of RFC 6749 section 5.1", async () => {
    const client = await server.makeClient({ scope: "read write" });
    const first = await server.login(client);
    const response = await server.refresh(client, first.refresh_token);
    expect(response.status).toBe(200);
    expect(response.headers.get("Content-Type")).toMatch(/^application\/json/);
    expect(response.headers.get("Cache-Control")).toBe("no-store");
    expect(response.headers.get("Pragma")).toBe("no-cache");
    const second = await response.json<Tokens>();
    expect(second).toEqual({
      token_type: "Bearer",
      expires_in: 3600,
      access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      refresh_token: expect.stringMatching(/^baton_rt_[\w-]{140}$/),
      refresh_token_timeout: expect.any(Number),
      authorization_expires_in: expect.any(Number),
      scope: "read write",
    });
    expect(second.access_token).not.toBe(first.access_token);
    expect(second.refresh_token).not.toBe(first.refresh_token);
  });

  it("can be repeated with each new token in turn", async () => {
    const client = await server.makeClient({ scope: "read" });
    let { refresh_token } = await server.login(client);
    const seen = new Set([refresh_token]);
    for (let turn = 0; turn < 20; turn++) {
      ({ refresh_token } = await server.expectRefresh(client, refresh_token));
      seen.add(refresh_token);
    }
    expect(seen.size).toBe(21);
  });

  it("works for a public client with its client_id alone", async () => {
    const client = await server.makeClient({
      token_endpoint_auth_method: "none",
      scope: "read",
    });
    expect(client).not.toHaveProperty("client_secret");
    const { refresh_token } = await server.login(client);
    const answer = await server.expectRefresh(client, refresh_token);
    expect(answer.scope).toBe("read");
  });

  it("works with client authentication by HTTP Basic", async () => {
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    const response = await server.token(
      { grant_type: "refresh_token", refresh_token },
      { Authorization: basic(client.client_id, client.client_secret) },
    );
    expect(response.status).toBe(200);
  });

  it("gets no scope in the response if no scope is granted", async () => {
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    const answer = await server.expectRefresh(client, refresh_token);
    expect(answer).not.toHaveProperty("scope");
    expect(decodeJwt(answer.access_token)).not.toHaveProperty("scope");
  });

  it("uses the lifetimes of the client's record", async () => {
    const client = await server.makeClient({ access_token_ttl: "PT5M" });
    const { refresh_token } = await server.login(client);
    const answer = await server.expectRefresh(client, refresh_token);
    expect(answer.expires_in).toBe(300);
    const { iat, exp } = decodeJwt(answer.access_token);
    expect(exp).toBe((iat ?? 0) + 300);
  });

  it("gets an access token that does not outlive its family", async () => {
    const client = await server.makeClient({ refresh_token_max_age: "PT10M" });
    const first = await server.login(client);
    const { iat: start = 0 } = decodeJwt(first.access_token);
    expect(first.expires_in).toBe(600);
    const { access_token, expires_in } = await server.expectRefresh(
      client,
      first.refresh_token,
    );
    const { iat = 0, exp } = decodeJwt(access_token);
    expect(exp).toBe(start + 600);
    expect(expires_in).toBe(start + 600 - iat);
  });
});

describe("scope", () => {
  async function family(scope = "read write") {
    const client = await server.makeClient({ scope: "read write admin" });
    return { client, ...(await server.login(client, { scope })) };
  }

  it("narrows the access token and the response of this refresh alone", async () => {
    const { client, refresh_token } = await family();
    const narrowed = await server.expectRefresh(client, refresh_token, {
      scope: "read",
    });
    expect(narrowed.scope).toBe("read");
    expect(decodeJwt(narrowed.access_token)["scope"]).toBe("read");
    const next = await server.expectRefresh(client, narrowed.refresh_token);
    expect(next.scope).toBe("read write");
    expect(decodeJwt(next.access_token)["scope"]).toBe("read write");
  });

  it("is a set: repetition and order do not matter", async () => {
    const { client, refresh_token } = await family();
    const answer = await server.expectRefresh(client, refresh_token, {
      scope: "write read write read",
    });
    expect(answer.scope?.split(" ").toSorted()).toEqual(["read", "write"]);
  });

  it("that is empty counts as left out", async () => {
    const { client, refresh_token } = await family();
    const answer = await server.expectRefresh(client, refresh_token, {
      scope: "",
    });
    expect(answer.scope).toBe("read write");
  });

  it.each([
    ["more than was granted", "read write admin", "scope_not_granted"],
    ["only a scope that was not granted", "admin", "scope_not_granted"],
    ["an unknown scope", "read nosuchscope", "scope_not_granted"],
    ["a scope in another case", "READ", "scope_not_granted"],
    ["a double quote", 'read"', "scope_malformed"],
    ["a backslash", "re\\ad", "scope_malformed"],
    ["only a space", " ", "scope_malformed"],
    ["a tab", "read\twrite", "scope_malformed"],
    ["a line break", "read\n", "scope_malformed"],
    ["a null character", "read\0", "scope_malformed"],
    ["letters outside ASCII", "lésen", "scope_malformed"],
    [
      "the name of a property that every object has",
      "constructor",
      "scope_not_granted",
    ],
  ])(
    "with %s is invalid_scope, and the token stays good",
    async (_, scope, reason) => {
      const { client, refresh_token } = await family();
      const response = await server.refresh(client, refresh_token, { scope });
      expect(await refusal(response)).toEqual([400, "invalid_scope", reason]);
      const answer = await server.expectRefresh(client, refresh_token);
      expect(answer.scope).toBe("read write");
    },
  );

  it("that the client has lost is left out, and is invalid_scope if it is named", async () => {
    const { client, refresh_token } = await family();
    await server.expectAdmin("PATCH", `/clients/${client.client_id}`, {
      scope: "read",
    });
    const byName = await server.refresh(client, refresh_token, {
      scope: "read write",
    });
    expect(await refusal(byName)).toEqual([
      400,
      "invalid_scope",
      "scope_not_granted",
    ]);
    const leftOut = await server.expectRefresh(client, refresh_token);
    expect(leftOut.scope).toBe("read");
  });

  it("that has left the catalogue is left out as well", async () => {
    await server.makeScopes("passing");
    const client = await server.makeClient({ scope: "read passing" });
    const { refresh_token } = await server.login(client);
    await server.expectAdmin("DELETE", "/scopes/passing");
    const answer = await server.expectRefresh(client, refresh_token);
    expect(answer.scope).toBe("read");
  });

  it("of which nothing is left is invalid_scope until the client has one of its scopes again", async () => {
    const { client, refresh_token } = await family("write");
    const path = `/clients/${client.client_id}`;
    await server.expectAdmin("PATCH", path, { scope: "read" });
    const response = await server.refresh(client, refresh_token);
    expect(await refusal(response)).toEqual([
      400,
      "invalid_scope",
      "scope_all_lost",
    ]);
    await server.expectAdmin("PATCH", path, { scope: "read write" });
    const answer = await server.expectRefresh(client, refresh_token);
    expect(answer.scope).toBe("write");
  });
});

describe("resource (RFC 8707)", () => {
  const a = "https://a.example.com";
  const b = "https://b.example.com/api";

  async function family(grant: Record<string, unknown> = {}) {
    const client = await server.makeClient({ resources: [a, b] });
    return { client, ...(await server.login(client, grant)) };
  }

  function audience({ access_token }: Tokens) {
    return decodeJwt(access_token).aud;
  }

  it("is the audience if the client may request it", async () => {
    const { client, refresh_token } = await family();
    const one = await server.expectRefresh(client, refresh_token, {
      resource: a,
    });
    expect(audience(one)).toBe(a);
    const both = await server.expectRefresh(client, one.refresh_token, [
      ["resource", a],
      ["resource", b],
    ]);
    expect(audience(both)).toEqual([a, b]);
    const none = await server.expectRefresh(client, both.refresh_token);
    expect(audience(none)).toBe("https://auth.example.com");
  });

  it("that was granted is the audience if none is requested", async () => {
    const { client, refresh_token } = await family({ resource: b });
    const answer = await server.expectRefresh(client, refresh_token);
    expect(audience(answer)).toBe(b);
  });

  it.each([
    ["not the client's", "https://evil.example.com"],
    ["spelled differently", `${a}/.`],
    ["not a URI", "a"],
  ])(
    "that is %s is invalid_target, and the token stays good",
    async (_, resource) => {
      const { client, refresh_token } = await family();
      const response = await server.refresh(client, refresh_token, [
        ["resource", a],
        ["resource", resource],
      ]);
      expect(await refusal(response)).toEqual([
        400,
        "invalid_target",
        "resource_not_allowed",
      ]);
      await server.expectRefresh(client, refresh_token);
    },
  );

  it("that was not granted is invalid_target (RFC 8707 section 2.2)", async () => {
    const { client, refresh_token } = await family({ resource: [a] });
    const response = await server.refresh(client, refresh_token, {
      resource: b,
    });
    expect(await refusal(response)).toEqual([
      400,
      "invalid_target",
      "resource_not_allowed",
    ]);
  });
});

describe("a grant type", () => {
  it("that the client may not use is unauthorized_client, after the client is authenticated", async () => {
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    await server.expectAdmin("PATCH", `/clients/${client.client_id}`, {
      grant_types: ["authorization_code"],
    });
    const wrongSecret = await server.refresh(
      { ...client, client_secret: "wrong" },
      refresh_token,
    );
    expect(await refusal(wrongSecret)).toEqual([
      401,
      "invalid_client",
      "client_secret_wrong",
    ]);
    const response = await server.refresh(client, refresh_token);
    expect(await refusal(response)).toEqual([
      400,
      "unauthorized_client",
      "grant_type_not_allowed",
    ]);
    await server.expectAdmin("PATCH", `/clients/${client.client_id}`, {
      grant_types: ["refresh_token"],
    });
    await server.expectRefresh(client, refresh_token);
  });
});

describe("an error description", () => {
  it("has only the characters of RFC 6749 section 5.2, and nothing that was sent", async () => {
    const client = await server.makeClient({ scope: "read" });
    const { refresh_token } = await server.login(client);
    const refused = await Promise.all([
      server.refresh(client, "nonsense-token"),
      server.refresh(client, refresh_token, { scope: "nonsense-scope" }),
      server.refresh(client, refresh_token, { resource: "nonsense-resource" }),
      server.token({ grant_type: "nonsense-type" }),
      server.refresh({ client_id: "nonsense-client" }, refresh_token),
    ]);
    expect(refused.map(reasonOf)).toEqual([
      "refresh_token_malformed",
      "scope_not_granted",
      "resource_not_allowed",
      "grant_type_unknown",
      "client_unknown",
    ]);
    for (const response of refused) {
      const { error_description } = await response.json<ErrorBody>();
      expect(error_description).toMatch(/^[\x20\x21\x23-\x5b\x5d-\x7e]{10,}$/);
      expect(error_description).not.toContain("nonsense");
      expect(error_description).not.toContain(refresh_token);
    }
  });
});
