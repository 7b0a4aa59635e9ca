import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Agent, REDIRECT_URI } from "./agent.ts";
import { Pair } from "./pair.ts";

/** Tests an agent with the official MCP client against the example MCP server. */

let pair: Pair;

beforeAll(async () => {
  pair = await Pair.start();
  await pair.makeScopes();
});

afterAll(() => pair.stop());

describe("the client of the MCP SDK, registered in advance", () => {
  it("signs in, calls a tool, and refreshes", async () => {
    const client_id = "agent";
    await pair.admin("POST", "/clients", {
      client_id,
      client_name: "Agent",
      token_endpoint_auth_method: "none",
      redirect_uris: [REDIRECT_URI],
      scope: "notes:read notes:write",
      resources: [pair.mcp],
    });
    const agent = new Agent(pair.mcp);
    agent.provider.registration = { client_id };
    await agent.connect();
    expect(await agent.call("list_notes")).toBe("[]");
    console.log(agent.provider.visited.map(String), agent.provider.saved);
    expect(await agent.call("add_note", { text: "hello" })).toBe(
      "Added for alice.",
    );
    console.log(agent.provider.visited.map(String), agent.provider.saved);
    await agent.close();
  });
});
