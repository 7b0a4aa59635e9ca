import { beforeAll, describe, expect, it } from "vitest";
import {
  authorize,
  decide,
  expectTokens,
  location,
  makeWebClient,
  obtainCode,
  redeem,
  requestAtLogin,
} from "../support/authorization.ts";
import { told } from "../support/refusals.ts";
import {
  type ErrorBody,
  refusal,
  server as whereAny,
  serverWith,
  type TestClient,
  type Tokens,
} from "../support/server.ts";

/** Tests `offline_access` (OpenID Connect Core section 11), where OFFLINE_ACCESS_REQUIRED is on and where it is not. */

const server = serverWith({ OFFLINE_ACCESS_REQUIRED: "on" });

/** A client that may refresh, whose record does not name `offline_access`. */
let client: TestClient;

beforeAll(async () => {
  await server.makeScopes("read", "write");
  client = await makeWebClient({ scope: "read write" });
});

/** Signs a user in. `scope` undefined: the request names none. */
async function signIn(
  to: TestClient,
  scope: string | undefined,
  at = server,
): Promise<Tokens> {
  const code = await obtainCode(to, { scope }, undefined, at);
  return expectTokens(await redeem(to, code, {}, at));
}

/** Lists the grants of a user. */
async function grantsOf(subject: string) {
  const { grants } = await server.expectAdmin<{
    grants: { created_at: number; expires_at: number }[];
  }>("GET", `/subjects/${subject}/grants`);
  return grants;
}

/** The scopes of an authorization request, as the sign-in page shows them. */
async function scopesShown(request: string) {
  const { scopes } = await server.expectAdmin<{ scopes: object[] }>(
    "GET",
    `/authorizations?request=${request}`,
  );
  return scopes;
}

function expectNoRefreshToken(tokens: Tokens) {
  expect(tokens).not.toHaveProperty("refresh_token");
  expect(tokens).not.toHaveProperty("refresh_token_timeout");
}

describe("where offline_access is required, the metadata", () => {
  it("lists it among the scopes, once, and the catalogue of the administrators does not", async () => {
    const response = await server.http(
      "/.well-known/oauth-authorization-server",
    );
    const { scopes_supported } = await response.json<{
      scopes_supported: string[];
    }>();
    expect(scopes_supported).toEqual(["read", "write", "offline_access"]);
    const { scopes } = await server.expectAdmin<{ scopes: object }>(
      "GET",
      "/scopes",
    );
    expect(JSON.stringify(scopes)).not.toContain("offline_access");
  });
});

describe("where offline_access is required, a sign-in", () => {
  it("that asks for it gets a refresh token, and every refresh the next one", async () => {
    const first = await signIn(client, "read offline_access");
    expect(first.scope).toBe("read offline_access");
    const second = await server.expectRefresh(client, first.refresh_token);
    expect(second.scope).toBe("read offline_access");
    // Also if the refresh asks for fewer scopes, and one that is not offline_access.
    const third = await server.expectRefresh(client, second.refresh_token, {
      scope: "read",
    });
    expect(third.scope).toBe("read");
    await server.expectRefresh(client, third.refresh_token, {
      scope: "read offline_access",
    });
  });

  it("that asks for nothing else gets it as well", async () => {
    const tokens = await signIn(client, "offline_access");
    expect(tokens.scope).toBe("offline_access");
    await server.expectRefresh(client, tokens.refresh_token);
  });

  it.each([["read"], [undefined]])(
    "that does not, with scope %s, gets no refresh token, and the login ends with its access token",
    async (scope) => {
      const subject = crypto.randomUUID();
      const code = await obtainCode(client, { scope }, { subject }, server);
      const tokens = await expectTokens(await redeem(client, code, {}, server));
      expect(tokens).toEqual({
        token_type: "Bearer",
        expires_in: 3600,
        access_token: expect.any(String),
        scope: scope ?? "read write",
      });
      const [grant, ...others] = await grantsOf(subject);
      expect(others).toEqual([]);
      expect((grant?.expires_at ?? 0) - (grant?.created_at ?? 0)).toBe(3600);
    },
  );

  it("shows it to the sign-in page with words for the user, who may leave it out", async () => {
    const request = await requestAtLogin(
      client,
      { scope: "read offline_access" },
      server,
    );
    expect(await scopesShown(request)).toEqual([
      { scope: "read", description: "May read" },
      {
        scope: "offline_access",
        description: "Stay signed in when you are away",
      },
    ]);
    const decision = { subject: "alice", scope: "read" };
    const back = await decide(request, decision, server);
    const code = back.searchParams.get("code") ?? "";
    const tokens = await expectTokens(await redeem(client, code, {}, server));
    expect(tokens.scope).toBe("read");
    expectNoRefreshToken(tokens);
  });

  it("needs no prompt=consent for it, and may send it", async () => {
    for (const prompt of [undefined, "consent", "none"]) {
      const more = { scope: "offline_access", prompt };
      expect(location(await authorize(client, more, server)).host).toBe(
        "login.example.com",
      );
    }
  });

  it("gets a refresh token without it if the client's record says so", async () => {
    const trusted = await makeWebClient({
      scope: "read",
      refresh_without_offline_access: true,
    });
    const tokens = await signIn(trusted, "read");
    expect(tokens.scope).toBe("read");
    await server.expectRefresh(trusted, tokens.refresh_token);
  });

  it("of a client that may not refresh has no use for it: it is dropped", async () => {
    const once = await makeWebClient({
      scope: "read",
      grant_types: ["authorization_code"],
      refresh_without_offline_access: true,
    });
    const tokens = await signIn(once, "read offline_access");
    expect(tokens.scope).toBe("read");
    expectNoRefreshToken(tokens);
    const [answer, reason] = told(
      await authorize(once, { scope: "offline_access" }, server),
    );
    expect([answer["error"], reason]).toEqual([
      "invalid_scope",
      "scope_none_left",
    ]);
  });
});

describe("where offline_access is required, POST /admin/grants", () => {
  it("starts a login with a refresh token if it grants it", async () => {
    const { client_id } = client;
    const scope = "read offline_access";
    const tokens = await server.login({ client_id }, { scope });
    expect(tokens.scope).toBe(scope);
    await server.expectRefresh(client, tokens.refresh_token);
  });

  it("starts one without a refresh token if not, also with all scopes of the client's record", async () => {
    for (const grant of [{ scope: "read" }, {}])
      expect(await server.login(client, grant)).not.toHaveProperty(
        "refresh_token",
      );
  });
});

describe("where offline_access is required, a token of the client itself", () => {
  it("cannot have it", async () => {
    const machine = await server.makeClient({
      scope: "read",
      grant_types: ["client_credentials", "refresh_token"],
    });
    const response = await server.token({
      grant_type: "client_credentials",
      scope: "offline_access",
      ...credentials(machine),
    });
    expect(await refusal(response)).toEqual([
      400,
      "invalid_scope",
      "scope_not_granted",
    ]);
  });
});

describe("the catalogue's own offline_access", () => {
  it("keeps its words, and every client may ask for it", async () => {
    const description = "Work for you at night";
    const path = "/scopes/offline_access";
    await server.expectAdmin("PUT", path, { description });
    try {
      const request = await requestAtLogin(
        client,
        { scope: "offline_access" },
        server,
      );
      expect(await scopesShown(request)).toEqual([
        { scope: "offline_access", description },
      ]);
    } finally {
      await server.expectAdmin("DELETE", path);
    }
  });
});

describe("turning the rule on or off", () => {
  it("on ends no login that has a refresh token already", async () => {
    const tokens = await signIn(client, "read", whereAny);
    const next = await server.expectRefresh(client, tokens.refresh_token);
    await server.expectRefresh(client, next.refresh_token);
  });

  it("off leaves the login its other scopes, and offline_access is a scope like any other", async () => {
    const { refresh_token } = await signIn(client, "read offline_access");
    const refused = await whereAny.refresh(client, refresh_token, {
      scope: "read offline_access",
    });
    expect(await refusal(refused)).toEqual([
      400,
      "invalid_scope",
      "scope_not_granted",
    ]);
    const tokens = await whereAny.expectRefresh(client, refresh_token);
    expect(tokens.scope).toBe("read");
  });
});

describe("where it is not required", () => {
  it("every login of a client that may refresh has a refresh token, and offline_access is dropped", async () => {
    const tokens = await signIn(client, "read offline_access", whereAny);
    expect(tokens.scope).toBe("read");
    expect(tokens.refresh_token).toMatch(/^baton_rt_/);
  });
});

describe("refresh_without_offline_access", () => {
  it("must be true or false", async () => {
    const response = await server.admin("POST", "/clients", {
      refresh_without_offline_access: "yes",
    });
    const { fields } = await response.json<ErrorBody>();
    expect([response.status, Object.keys(fields ?? {})]).toEqual([
      400,
      ["refresh_without_offline_access"],
    ]);
  });
});

function credentials({ client_id, client_secret }: TestClient) {
  return { client_id, client_secret };
}
