import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import local from "../../src/dev/index.ts";
import { readDocument } from "../../src/oauth/self-registration/document.ts";
import { DOCUMENTS_ON } from "../support/agent-site.ts";
import { TestServer } from "../support/server.ts";

/** The metadata document that a local server has to try with. */

const LOCAL = "http://localhost:8787";

function localServer(variables: Record<string, unknown>): TestServer {
  const bindings = { ...env, ...variables };
  return new TestServer(async (request) => {
    const to = request.url.replace("https://auth.example.com", LOCAL);
    return local.fetch(new Request(to), bindings, createExecutionContext());
  });
}

it("is valid at its URL, and there while metadata documents are on", async () => {
  const at = localServer({ ISSUER: LOCAL, ...DOCUMENTS_ON });
  const response = await at.http("/dev/client.json");
  expect(response.status).toBe(200);
  expect(response.headers.get("Content-Type")).toBe("application/json");
  const url = `${LOCAL}/dev/client.json`;
  expect(readDocument(url, await response.text(), LOCAL)).toMatchObject({
    client_id: url,
    grant_types: ["authorization_code", "refresh_token"],
  });
});

it.each([
  ["off", { ISSUER: LOCAL }],
  [
    "on a deployed server",
    { ISSUER: "https://auth.example.com", ...DOCUMENTS_ON },
  ],
])("is not there %s", async (_, variables) => {
  const response = await localServer(variables).http("/dev/client.json");
  expect(response.status).toBe(404);
});
