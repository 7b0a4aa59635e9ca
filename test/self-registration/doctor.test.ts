import { afterEach, describe, expect, it } from "vitest";
import { DOCUMENTS_ON } from "../support/agent-site.ts";
import {
  deleteResource,
  pathOfResource,
  putResource,
} from "../support/resources.ts";
import { server, serverWith, type TestServer } from "../support/server.ts";

/** Doctor says what keeps every client that registers itself from signing anybody in. */

const URI = "https://mcp.example.com/doctor";

/** What doctor says of the two things without which no agent gets a token. */
async function examine(examined: TestServer) {
  const { checks } = await examined.expectAdmin<{
    checks: { name: string; problem?: string }[];
  }>("POST", "/doctor");
  const problemOf = (name: string) =>
    checks
      .filter((check) => check.name === name)
      .map(({ problem = "ok" }) => problem);
  return {
    LOGIN_URL: problemOf("LOGIN_URL"),
    resources: problemOf("resources"),
  };
}

afterEach(() => server.admin("DELETE", pathOfResource(URI)));

describe.each([
  ["metadata documents", DOCUMENTS_ON],
  ["dynamic registration", { DYNAMIC_REGISTRATION: "open" }],
])("doctor of a server with %s", (_, on) => {
  it("says so if no resource is open to such clients, and how to open one", async () => {
    const own = serverWith(on);
    const closed = {
      LOGIN_URL: ["ok"],
      resources: [
        expect.stringMatching(/PUT \/admin\/resources\/\{resource\}/),
      ],
    };
    expect(await examine(own)).toEqual(closed);
    await putResource(URI, { self_registered_clients: false }, own);
    expect(await examine(own)).toEqual(closed);
    await putResource(URI, { self_registered_clients: true }, own);
    expect(await examine(own)).toEqual({
      LOGIN_URL: ["ok"],
      resources: ["ok"],
    });
    await deleteResource(URI);
    expect(await examine(own)).toEqual(closed);
  });

  it("says so if nobody can sign in, and /health does not", async () => {
    const own = serverWith({ ...on, LOGIN_URL: "" });
    await putResource(URI, { self_registered_clients: true }, own);
    expect(await examine(own)).toEqual({
      LOGIN_URL: [expect.stringContaining("is empty")],
      resources: ["ok"],
    });
    const health = await own.health();
    expect([health.status, await health.json()]).toEqual([
      200,
      { status: "ok" },
    ]);
  });
});

it("doctor of a server where no client registers itself does not look at that", async () => {
  expect(await examine(serverWith({ LOGIN_URL: "" }))).toEqual({
    LOGIN_URL: [],
    resources: [],
  });
});
