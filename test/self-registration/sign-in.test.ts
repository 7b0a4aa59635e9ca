import { env } from "cloudflare:workers";
import { decodeJwt } from "jose";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  AGENT_REDIRECT_URI,
  AgentSite,
  AGREED,
  DOCUMENTS_ON,
} from "../support/agent-site.ts";
import {
  authorize,
  decide,
  location,
  LOGIN_URL,
  redeem,
  requestAtLogin,
} from "../support/authorization.ts";
import { shown } from "../support/refusals.ts";
import {
  refusal,
  server,
  type TestServer,
  type Tokens,
} from "../support/server.ts";
import { waitingServerWith } from "../support/waiting-server.ts";

/** A client of a metadata document signs a user in, stays in, and is administered as any other client. */

const RESOURCE = "https://mcp.example.com/";
const redirect = { redirect_uri: AGENT_REDIRECT_URI };
const asked = { ...redirect, scope: "tools", resource: RESOURCE };

/** One isolate, and another one that has read nothing yet. */
let one: TestServer;
let other: TestServer;
let agent: AgentSite;

beforeEach(async () => {
  one = waitingServerWith(DOCUMENTS_ON);
  other = waitingServerWith(DOCUMENTS_ON);
  agent = new AgentSite();
  await server.makeScopes("tools");
  const open = { scope: "tools", self_registered_clients: true };
  await env.KV.put("resources", JSON.stringify({ [RESOURCE]: open }));
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** Makes a code, at one isolate. */
async function obtainCode(at = one): Promise<string> {
  const request = await requestAtLogin(agent, asked, at);
  const back = await decide(request, AGREED, at);
  expect(back.origin + back.pathname).toBe(AGENT_REDIRECT_URI);
  return back.searchParams.get("code") ?? "";
}

/** Signs in, and expects tokens. */
async function signIn(at = one): Promise<Tokens> {
  const response = await redeem(agent, await obtainCode(at), redirect, at);
  expect(await response.clone().text()).toContain("refresh_token");
  return response.json<Tokens>();
}

function pathOf({ client_id }: { client_id: string }): string {
  return `/clients/${encodeURIComponent(client_id)}`;
}

describe("a client of a metadata document", () => {
  it("signs a user in for a resource that the catalogue opens, and refreshes, with one fetch of its document", async () => {
    const tokens = await signIn();
    expect(decodeJwt(tokens.access_token)).toMatchObject({
      client_id: agent.client_id,
      sub: "alice",
      aud: RESOURCE,
      scope: "tools",
    });
    const next = await one.expectRefresh(agent, tokens.refresh_token);
    expect(next.scope).toBe("tools");
    expect(agent.fetched.map(({ url }) => url)).toEqual([agent.client_id]);
  });

  it("is asked for its document by a request that says nothing of the user", async () => {
    await authorize(agent, asked, one);
    const [request] = agent.fetched;
    expect(request?.method).toBe("GET");
    expect(request?.redirect).toBe("manual");
    expect(Object.fromEntries(request!.headers)).toEqual({
      accept: "application/json",
      "user-agent": "Baton",
    });
  });

  it("comes back with another port of its loopback address", async () => {
    const to = { ...asked, redirect_uri: "http://localhost:1/callback" };
    const login = location(await authorize(agent, to, one));
    expect(login.origin + login.pathname).toBe(LOGIN_URL);
  });

  it("gets no code for a redirect URI that its document does not have", async () => {
    const to = { ...asked, redirect_uri: "https://evil.example/callback" };
    expect(await shown(await authorize(agent, to, one))).toEqual([
      400,
      "invalid_request",
      "redirect_uri_unregistered",
    ]);
  });

  it("needs PKCE, and sends no secret", async () => {
    const without = { ...asked, code_challenge: undefined };
    const response = await authorize(agent, without, one);
    expect(location(response).searchParams.get("error")).toBe(
      "invalid_request",
    );
    const code = await obtainCode();
    const secret = { ...redirect, client_secret: "s" };
    expect(await refusal(await redeem(agent, code, secret, one))).toEqual([
      401,
      "invalid_client",
      "client_authentication_method_wrong",
    ]);
  });

  it("redeems its code at an isolate that has never seen it", async () => {
    const code = await obtainCode(one);
    const response = await redeem(agent, code, redirect, other);
    expect(response.status).toBe(200);
    expect(agent.fetched).toHaveLength(2);
  });

  it("goes on refreshing while its site is down, also at an isolate that has never seen it", async () => {
    const tokens = await signIn(one);
    agent.goDown();
    const second = await one.expectRefresh(agent, tokens.refresh_token);
    await other.expectRefresh(agent, second.refresh_token);
    expect(agent.fetched).toHaveLength(1);
  });

  it("signs in while its site is down, if it was known before, and not if it was not", async () => {
    agent.goDown();
    expect(await shown(await authorize(agent, asked, one))).toEqual([
      400,
      "invalid_request",
      "metadata_document_unreachable",
    ]);
    agent = new AgentSite();
    await signIn(one);
    agent.goDown();
    await signIn(other);
  });

  it("has the new redirect URI of its document at once", async () => {
    await authorize(agent, asked, one);
    const added = "https://agent.example/callback";
    agent.document.redirect_uris = [added];
    const now = vi.spyOn(Date, "now").mockReturnValue(Date.now() + 11_000);
    const to = { ...asked, redirect_uri: added };
    expect((await authorize(agent, to, one)).status).toBe(303);
    expect(agent.fetched).toHaveLength(2);
    // And no longer the old one.
    expect(await shown(await authorize(agent, asked, one))).toEqual([
      400,
      "invalid_request",
      "redirect_uri_unregistered",
    ]);
    now.mockRestore();
  });

  it("signs in with the new redirect URI of its document, also where the sign-in page reaches an isolate that knows the old one", async () => {
    await signIn(one);
    const added = "https://agent.example/callback";
    agent.document.redirect_uris = [AGENT_REDIRECT_URI, added];
    const now = vi.spyOn(Date, "now").mockReturnValue(Date.now() + 11_000);
    const to = { redirect_uri: added };
    const third = waitingServerWith(DOCUMENTS_ON);
    for (const at of [third, one]) {
      const request = await requestAtLogin(agent, { ...asked, ...to }, other);
      const back = await decide(request, AGREED, at);
      expect(back.origin + back.pathname).toBe(added);
      const code = back.searchParams.get("code") ?? "";
      expect((await redeem(agent, code, to, at)).status).toBe(200);
    }
    now.mockRestore();
  });

  it("cannot use a code for a redirect URI that its document has lost meanwhile", async () => {
    await signIn(one);
    agent.document.redirect_uris = ["https://agent.example/callback"];
    expect(await shown(await authorize(agent, asked, other))).toEqual([
      400,
      "invalid_request",
      "redirect_uri_unregistered",
    ]);
  });

  it("is as another isolate has stored it by its newer document, and not as an old copy says", async () => {
    await authorize(agent, asked, one);
    const now = vi.spyOn(Date, "now").mockReturnValue(Date.now() + 7_200_000);
    agent.document.client_name = "Agent 2";
    await signIn(other);
    const code = await obtainCode(other);
    expect((await redeem(agent, code, redirect, one)).status).toBe(200);
    expect(await other.expectAdmin("GET", pathOf(agent))).toMatchObject({
      client_name: "Agent 2",
    });
    now.mockRestore();
  });

  it("is asked what it may have at each refresh: a resource that the catalogue closes ends at once", async () => {
    const tokens = await signIn(one);
    await env.KV.put("resources", "{}");
    const response = await other.refresh(agent, tokens.refresh_token);
    expect(await refusal(response)).toEqual([
      400,
      "invalid_scope",
      "scope_all_lost",
    ]);
  });

  it("may introspect and revoke as any public client", async () => {
    const tokens = await signIn(one);
    const revoked = await other.about("/revoke", agent, tokens.refresh_token);
    expect(revoked.status).toBe(200);
    expect(
      await refusal(await one.refresh(agent, tokens.refresh_token)),
    ).toEqual([400, "invalid_grant", "family_ended"]);
  });
});

describe("an operator", () => {
  it.each([
    ["disables", "PATCH", { disabled: true }],
    ["deletes", "DELETE", undefined],
  ])("%s a client of a metadata document", async (_, method, change) => {
    const tokens = await signIn(one);
    await one.expectAdmin(method, pathOf(agent), change);
    const before = agent.fetched.length;
    expect(
      (await refusal(await one.refresh(agent, tokens.refresh_token))).slice(
        0,
        2,
      ),
    ).toEqual([401, "invalid_client"]);
    expect(await shown(await authorize(agent, asked, one))).toEqual([
      400,
      "invalid_request",
      "authorization_client_unknown",
    ]);
    expect(agent.fetched).toHaveLength(before);
  });

  it("disables a client of a metadata document for as long as it is disabled, used or not", async () => {
    await signIn(one);
    await one.expectAdmin("PATCH", pathOf(agent), { disabled: true });
    const { keys } = await env.KV.list({ prefix: `client:${agent.client_id}` });
    expect(keys).toMatchObject([{ name: `client:${agent.client_id}` }]);
    expect(keys[0]).not.toHaveProperty("expiration");
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 400 * 24 * 3_600_000);
    for (const at of [one, other])
      expect(await shown(await authorize(agent, asked, at))).toEqual([
        400,
        "invalid_request",
        "authorization_client_unknown",
      ]);
  });

  it("ends all logins of a client of a metadata document, and it may sign in again", async () => {
    const tokens = await signIn(one);
    await one.expectAdmin("PATCH", pathOf(agent), { tokens_not_before: "now" });
    expect(
      await refusal(await one.refresh(agent, tokens.refresh_token)),
    ).toEqual([400, "invalid_grant", "client_logins_ended"]);
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 2_000);
    await signIn(one);
  });

  it("sets a lifetime, which the document does not take away", async () => {
    await signIn(one);
    await one.expectAdmin("PATCH", pathOf(agent), { access_token_ttl: "PT5M" });
    agent.document.client_name = "Agent 2";
    expect((await signIn(other)).expires_in).toBe(300);
    expect(await other.expectAdmin("GET", pathOf(agent))).toMatchObject({
      client_name: "Agent 2",
      access_token_ttl: "PT5M",
    });
  });

  it("lists the logins of a user with such a client", async () => {
    const subject = crypto.randomUUID();
    const request = await requestAtLogin(agent, asked, one);
    const back = await decide(request, { ...AGREED, subject }, one);
    await redeem(agent, back.searchParams.get("code")!, redirect, one);
    const { grants } = await other.expectAdmin<{ grants: object[] }>(
      "GET",
      `/subjects/${subject}/grants`,
    );
    expect(grants).toMatchObject([{ client_id: agent.client_id }]);
  });

  it("registers a URL by hand: no document is read for it", async () => {
    await one.makeScopes("tools");
    await one.makeClient({
      client_id: agent.client_id,
      redirect_uris: [AGENT_REDIRECT_URI],
      token_endpoint_auth_method: "none",
      resources: [RESOURCE],
      scope: "tools",
    });
    const tokens = await signIn(one);
    await one.expectRefresh(agent, tokens.refresh_token);
    expect(agent.fetched).toEqual([]);
  });
});

describe("with CLIENT_ID_METADATA_DOCUMENTS off", () => {
  it("a URL as client_id is an id like any other, and nothing is fetched", async () => {
    expect(await shown(await authorize(agent, asked))).toEqual([
      400,
      "invalid_request",
      "authorization_client_unknown",
    ]);
    expect(await refusal(await server.refresh(agent, "x"))).toEqual([
      401,
      "invalid_client",
      "client_unknown",
    ]);
    expect(agent.fetched).toEqual([]);
  });

  it("clients that are known sign nobody in anew, and their logins go on", async () => {
    const tokens = await signIn(one);
    const off = waitingServerWith({});
    await off.expectRefresh(agent, tokens.refresh_token);
    expect(await shown(await authorize(agent, asked, off))).toEqual([
      400,
      "invalid_request",
      "authorization_client_unknown",
    ]);
  });
});
