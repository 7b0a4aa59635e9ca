import { DpopSession } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { Agent, REDIRECT_URI } from "./agent.ts";
import { Pair } from "./pair.ts";

/** Tests an agent with the client of the MCP SDK, as its documentation shows it, against the example MCP server. */

const DOCUMENT = "https://agent.example.com/oauth/client.json";

let pair: Pair;

beforeAll(async () => {
  standInForTheInternet();
  pair = await Pair.start({
    ask: true,
    variables: {
      CLIENT_ID_METADATA_DOCUMENTS: "on",
      DYNAMIC_REGISTRATION: "open",
    },
  });
  await pair.openResource();
});

afterAll(() => pair.stop());

/** The Workers of the harness fetch with the function of this process. */
function standInForTheInternet(): void {
  const { fetch } = globalThis;
  vi.stubGlobal("fetch", (...[url, init]: Parameters<typeof fetch>) => {
    if (new Request(url).url !== DOCUMENT) return fetch(url, init);
    return Promise.resolve(
      Response.json({
        client_id: DOCUMENT,
        client_name: "Agent",
        redirect_uris: [REDIRECT_URI],
        grant_types: ["authorization_code", "refresh_token"],
        token_endpoint_auth_method: "none",
      }),
    );
  });
}

/** The ways in which Baton learns of an agent. @returns what the login can say of it */
const ways = {
  async "by an administrator"({ provider }: Agent) {
    const { client_id } = await pair.admin<{ client_id: string }>(
      "POST",
      "/clients",
      {
        client_name: "Agent",
        token_endpoint_auth_method: "none",
        redirect_uris: [REDIRECT_URI],
        scope: "notes:read notes:write",
        resources: [pair.mcp],
      },
    );
    provider.registration = { client_id, issuer: pair.baton };
    return { client_id };
  },
  async "by its metadata document"({ provider }: Agent) {
    provider.clientMetadataUrl = DOCUMENT;
    return {
      client_id: DOCUMENT,
      registered_by: "metadata_document",
      client_host: "agent.example.com",
    };
  },
  async "by dynamic registration"() {
    return { registered_by: "dynamic_registration" };
  },
};

describe.each(Object.entries(ways))(
  "an agent that Baton knows %s",
  (way, introduce) => {
    let agent: Agent;
    let expected: object;

    beforeAll(async () => {
      pair.subject = `alice, ${way}`;
      agent = new Agent(pair.mcp);
      expected = await introduce(agent);
      await agent.connect();
    });

    afterAll(() => agent.close());

    const notes = async () => JSON.parse(await agent.call("list_notes")) as [];
    const logins = async () => {
      const path = `/subjects/${encodeURIComponent(pair.subject)}/grants`;
      const { grants } = await pair.admin<{
        grants: { grant_id: string; scope: string }[];
      }>("GET", path);
      return grants;
    };

    it("has its user sign in, for the scope and the resource that the MCP server names", async () => {
      const { visited, saved } = agent.provider;
      expect(visited).toHaveLength(1);
      const asked = Object.fromEntries(visited[0]?.searchParams ?? []);
      expect(asked).toMatchObject({ scope: "notes:read", resource: pair.mcp });
      expect(pair.shown.at(-1)).toMatchObject({
        client_name: "Agent",
        resource: [pair.mcp],
        ...expected,
      });
      expect(saved).toMatchObject({ scope: "notes:read" });
      expect(await notes()).toEqual([]);
    });

    it("refreshes without its user, and stays the same login", async () => {
      const { provider } = agent;
      const [count, before] = [provider.visited.length, provider.saved];
      for (let round = 0; round < 3; round++) {
        provider.saved = { ...provider.saved!, access_token: "an.old.token" };
        await notes();
      }
      expect(provider.saved?.refresh_token).not.toBe(before?.refresh_token);
      expect(provider.visited).toHaveLength(count);
      expect(await logins()).toHaveLength(1);
    });

    it("asks for one more scope where a tool needs it, and keeps what it has", async () => {
      await agent.call("add_note", { text: "Buy milk." });
      expect(await notes()).toEqual(["Buy milk."]);
      const { visited, saved } = agent.provider;
      expect(visited.at(-1)?.searchParams.get("scope")).toBe(
        "notes:read notes:write",
      );
      expect(saved?.scope).toBe("notes:read notes:write");
      // The page could say which of the scopes is new, and the first login was not ended.
      const { granted_scopes = [] } = pair.shown.at(-1) ?? {};
      expect(granted_scopes.map(({ scope }) => scope)).toEqual(["notes:read"]);
      expect((await logins()).map(({ scope }) => scope).toSorted()).toEqual([
        "notes:read",
        "notes:read notes:write",
      ]);
    });

    it("has its user sign in again at the next call after its logins were ended", async () => {
      const count = agent.provider.visited.length;
      for (const { grant_id } of await logins())
        await pair.admin("DELETE", `/grants/${grant_id}`);
      await notes();
      expect(agent.provider.visited).toHaveLength(count + 1);
      expect(await logins()).toHaveLength(1);
    });
  },
);

describe("an agent with a key (DPoP)", () => {
  let agent: Agent;

  beforeAll(async () => {
    pair.subject = "alice, with a key";
    agent = new Agent(pair.mcp);
    agent.provider.session = await DpopSession.create();
    await agent.connect();
  });

  afterAll(() => agent.close());

  it("calls the tools of the example MCP server with its proofs, refreshes, and asks for one more scope", async () => {
    const { provider } = agent;
    expect(provider.saved?.token_type).toMatch(/^dpop$/i);
    expect(await agent.call("list_notes")).toBe("[]");
    provider.saved = { ...provider.saved!, access_token: "an.old.token" };
    expect(await agent.call("list_notes")).toBe("[]");
    expect(provider.visited).toHaveLength(1);
    await agent.call("add_note", { text: "Buy milk." });
    expect(provider.saved?.scope).toBe("notes:read notes:write");
    expect(await agent.call("list_notes")).toBe('["Buy milk."]');
  });

  it("has an access token that nobody else can use", async () => {
    const { access_token = "" } = agent.provider.saved ?? {};
    const response = await fetch(pair.mcp, {
      method: "POST",
      headers: { Authorization: `Bearer ${access_token}` },
    });
    expect([response.status, response.headers.get("WWW-Authenticate")]).toEqual(
      [401, expect.stringMatching(/^Bearer error="invalid_token", /)],
    );
  });
});
