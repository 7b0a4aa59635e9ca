import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { batonWithServer, temporaryDirectory } from "../support.ts";

/** A client with a metadata document: the command line changes what an operator decides, and nothing else. */

const baton = batonWithServer();

const decided = {
  client_name: "An agent",
  token_endpoint_auth_method: "none",
  grant_types: ["authorization_code", "refresh_token"],
  redirect_uris: ["http://127.0.0.1/callback"],
};

/** Makes the client of a document that has signed somebody in. @returns its URL */
async function documentClient(): Promise<string> {
  const client_id = `https://agent.example.com/${crypto.randomUUID()}.json`;
  const record = {
    client_id,
    client_id_issued_at: 0,
    registered_by: "metadata_document",
    ...decided,
    scope: "",
    resources: [],
    refresh_token_retry_window: "PT1M",
    secrets: [],
  };
  await baton.server.put({ [`client:${client_id}`]: JSON.stringify(record) });
  return client_id;
}

function file(client_id: string, fields: object): string {
  const path = join(temporaryDirectory(), "clients.json");
  writeFileSync(path, JSON.stringify({ clients: { [client_id]: fields } }));
  return path;
}

const ofDocument =
  "is what the client's metadata document says, so it changes only there";

test("baton clients update names the option that its document decides", async () => {
  const id = await documentClient();
  for (const [option, value] of [
    ["--auth-method", "client_secret_basic"],
    ["--redirect-uri", "https://other.example.com/callback"],
    ["--name", "Another name"],
    ["--grant-type", "authorization_code"],
  ] as const) {
    const { code, stderr } = await baton.run(
      ["clients", "update", id],
      [option, value],
    );
    expect(code).toBe(1);
    expect(stderr).toContain(`${option}: ${ofDocument}`);
  }
  expect(await baton.json("clients", "show", id)).toMatchObject(decided);
});

describe("baton apply", () => {
  test.each([["--dry-run"], ["--yes"]])(
    "refuses a field that the document decides (%s)",
    async (option) => {
      const id = await documentClient();
      const { code, stderr } = await baton.run(
        ["apply", file(id, { client_name: "Another name" })],
        option,
      );
      expect(code).toBe(1);
      expect(stderr).toContain(`client_name: ${ofDocument}`);
      expect(stderr).not.toContain("redirect_uris");
      expect(await baton.json("clients", "show", id)).toMatchObject(decided);
    },
  );

  test("leaves what the document decides as it is, if the file does not have it", async () => {
    const id = await documentClient();
    const path = file(id, {
      access_token_ttl: "PT5M",
      refresh_token_retry_window: "PT2M",
    });
    expect(await baton.json("apply", path, "--yes")).toMatchObject({
      changes: [{ name: id, done: true }],
    });
    expect(await baton.json("clients", "show", id)).toMatchObject({
      ...decided,
      access_token_ttl: "PT5M",
      refresh_token_retry_window: "PT2M",
    });
    expect(await baton.json("apply", path, "--yes")).toMatchObject({
      changes: [],
    });
  });
});
