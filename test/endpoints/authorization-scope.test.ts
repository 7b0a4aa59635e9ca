import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import {
  authorize,
  decide,
  expectTokens,
  makeWebClient,
  obtainCode,
  redeem,
  requestAtLogin,
} from "../support/authorization.ts";
import { listenToLog, parsedLog } from "../support/log.ts";
import { told } from "../support/refusals.ts";
import { refusal, server, type TestClient } from "../support/server.ts";

/** Tests that `GET /authorize` drops scopes that the client may not have (RFC 6749 section 3.3). */

let client: TestClient;

beforeAll(async () => {
  await server.makeScopes("read", "write", "admin");
  client = await makeWebClient({ scope: "read write" });
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** The scopes that the sign-in page shows for a request. */
async function shownFor(request: string): Promise<string[]> {
  const query = new URLSearchParams({ request }).toString();
  const { scopes } = await server.expectAdmin<{ scopes: { scope: string }[] }>(
    "GET",
    `/authorizations?${query}`,
  );
  return scopes.map(({ scope }) => scope);
}

async function granted(scope: string, of = client): Promise<unknown> {
  const response = await redeem(of, await obtainCode(of, { scope }));
  return (await expectTokens(response)).scope;
}

describe("a request for too many scopes", () => {
  it.each([
    ["a scope of the catalogue that the client may not have", "read admin"],
    ["a scope that the catalogue does not have", "nosuchscope read"],
    ["offline_access", "read offline_access"],
    ["the scopes of OpenID Connect", "openid profile email read"],
    ["another case", "READ read"],
    ["the name of a property that every object has", "constructor read"],
    ["a comma", "read,write read"],
  ])(
    "(%s) is shown to the user, and granted, without them",
    async (_, scope) => {
      const request = await requestAtLogin(client, { scope });
      expect(await shownFor(request)).toEqual(["read"]);
      expect(await granted(scope)).toBe("read");
    },
  );

  it("keeps the order of what is left", async () => {
    expect(await granted("openid write admin read")).toBe("write read");
  });

  it("makes a login that can be refreshed with what was granted, and not with more", async () => {
    const scope = "read admin offline_access";
    const response = await redeem(client, await obtainCode(client, { scope }));
    const { refresh_token } = await expectTokens(response);
    for (const more of [scope, "read write", "read offline_access"]) {
      const wider = await server.refresh(client, refresh_token, {
        scope: more,
      });
      expect(await refusal(wider)).toEqual([
        400,
        "invalid_scope",
        "scope_not_granted",
      ]);
    }
    const next = await server.expectRefresh(client, refresh_token);
    expect(next.scope).toBe("read");
  });

  it("is invalid_scope if nothing is left", async () => {
    const withoutScopes = await makeWebClient();
    for (const [of, scope] of [
      [client, "admin"],
      [client, "offline_access"],
      [client, "openid profile"],
      [client, "READ"],
      [withoutScopes, "read"],
      [withoutScopes, "offline_access openid"],
    ] as const)
      expect(told(await authorize(of, { scope })), scope).toMatchObject([
        { error: "invalid_scope", state: "xyz" },
        "scope_none_left",
      ]);
  });

  it("names every scope in its error if nothing is left, and the command that adds one", async () => {
    const scope = "openid profile email";
    const [{ error_description }] = told(await authorize(client, { scope }));
    expect(error_description).toBe(
      "The client has none of these scopes, or the scope catalogue does not: openid profile email. An operator adds them with: clients update ID --add-scope SCOPE. To clients that registered themselves: resources put.",
    );
  });

  it("has the beginning of a long scope in its error only", async () => {
    const described = async (scope: string) => {
      const [answer] = told(await authorize(client, { scope }));
      return answer["error_description"] ?? "";
    };
    const start = "x".repeat(200);
    expect(await described(start)).toContain(`does not: ${start}. An`);
    expect(await described(`${start}y`)).toContain(`not: ${start}.... An`);
    expect((await described("y".repeat(3_500))).length).toBeLessThan(400);
  });

  it("is invalid_scope if it is malformed, whatever else it has", async () => {
    for (const scope of [
      'read "',
      "read\tadmin",
      "read admin\\",
      "read \u00a0 write",
      "read\nwrite",
      "read\0 write",
      "lésen read",
    ])
      expect(told(await authorize(client, { scope })), scope).toMatchObject([
        { error: "invalid_scope" },
        "scope_malformed",
      ]);
  });
});

describe("the sign-in page", () => {
  it("cannot allow a scope that was dropped", async () => {
    const request = await requestAtLogin(client, { scope: "read admin" });
    for (const scope of ["read admin", "admin", "write"]) {
      // A user without a login at the client, because a scope of such a login may be allowed again.
      const body = { request, subject: "new here", scope };
      const response = await server.admin("POST", "/authorizations", body);
      expect(await refusal(response)).toEqual([
        400,
        "invalid_scope",
        "scope_not_granted",
      ]);
    }
    const code = (await decide(request)).searchParams.get("code") ?? "";
    const tokens = await expectTokens(await redeem(client, code));
    expect(tokens.scope).toBe("read");
  });

  it("cannot bring back a scope that the client gets after the request", async () => {
    const late = await makeWebClient({ scope: "read" });
    const request = await requestAtLogin(late, { scope: "read admin" });
    const path = `/clients/${late.client_id}`;
    await server.expectAdmin("PATCH", path, { scope: "read admin" });
    expect(await shownFor(request)).toEqual(["read"]);
    const code = (await decide(request)).searchParams.get("code") ?? "";
    expect(await expectTokens(await redeem(late, code))).toMatchObject({
      scope: "read",
    });
  });
});

describe("offline_access", () => {
  it("is an ordinary scope if catalogue and client have it", async () => {
    await server.makeScopes("offline_access");
    const having = await makeWebClient({ scope: "read offline_access" });
    expect(await granted("read offline_access", having)).toBe(
      "read offline_access",
    );
    expect(await granted("offline_access", having)).toBe("offline_access");
    expect(await granted("read offline_access")).toBe("read");
  });
});

describe("a client that copies scopes_supported of the metadata", () => {
  it("gets in with what it may have", async () => {
    const response = await server.http(
      "/.well-known/oauth-authorization-server",
    );
    const { scopes_supported } = await response.json<{
      scopes_supported: string[];
    }>();
    expect(scopes_supported).toEqual(
      expect.arrayContaining(["read", "write", "admin"]),
    );
    const scope = [...scopes_supported, "offline_access"].join(" ");
    expect(await granted(scope)).toBe("read write");
  });
});

describe("other doors stay strict:", () => {
  it("POST /admin/grants", async () => {
    const { client_id } = client;
    for (const scope of ["read admin", "read offline_access"]) {
      const body = { client_id, subject: "alice", scope };
      const response = await server.admin("POST", "/grants", body);
      expect(await refusal(response)).toEqual([
        400,
        "invalid_scope",
        "scope_not_granted",
      ]);
    }
  });

  it("the client credentials grant", async () => {
    const { client_id, client_secret } = await server.makeClient({
      grant_types: ["client_credentials"],
      scope: "read",
    });
    const grant_type = "client_credentials";
    for (const scope of ["read admin", "read offline_access"]) {
      const form = { grant_type, client_id, client_secret, scope };
      expect(await refusal(await server.token(form))).toEqual([
        400,
        "invalid_scope",
        "scope_not_granted",
      ]);
    }
  });
});

describe("the log", () => {
  const lastLine = (lines: string[]) => parsedLog(lines).at(-1);

  it("names the dropped scopes that the catalogue has, and counts the others", async () => {
    const lines = listenToLog();
    await authorize(client, { scope: "read admin openid secret-in-scope" });
    expect(lastLine(lines)).toMatchObject({
      outcome: "ok",
      dropped_scopes: ["admin"],
      unknown_scopes: 2,
    });
    expect(lines.join("")).not.toContain("secret-in-scope");
  });

  it("has no such field if nothing was dropped", async () => {
    const lines = listenToLog();
    await authorize(client, { scope: "read write" });
    await authorize(client);
    for (const line of parsedLog(lines)) {
      expect(line).not.toHaveProperty("dropped_scopes");
      expect(line).not.toHaveProperty("unknown_scopes");
    }
  });

  it("names at most ten", async () => {
    const many = Array.from({ length: 12 }, (_, number) => `many-${number}`);
    await server.makeScopes(...many);
    const lines = listenToLog();
    await authorize(client, { scope: ["read", ...many].join(" ") });
    const { dropped_scopes } = lastLine(lines) as { dropped_scopes: string[] };
    expect(dropped_scopes).toEqual(many.slice(0, 10));
    for (const name of many)
      await server.expectAdmin("DELETE", `/scopes/${name}`);
  });
});
