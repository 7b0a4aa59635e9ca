import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { listenToLog, parsedLog } from "../support/log.ts";
import { rewriteClient } from "../support/records.ts";
import { server } from "../support/server.ts";

/** Tests that each change of a client is an event: which fields, from what to what, and never a secret. */

let lines: string[];

beforeEach(() => {
  lines = listenToLog();
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** The events since the last call, without the lines of requests. */
function takeEvents(): Record<string, unknown>[] {
  const events = parsedLog(lines).filter(({ event }) => event !== "request");
  lines.length = 0;
  return events;
}

const changed = { event: "client.changed", actor: "root" };

describe("a change of a client", () => {
  it("is an event with the fields from and to, for each kind of change", async () => {
    const { client_id } = await server.makeClient({ client_name: "Old" });
    const path = `/clients/${client_id}`;
    const patch = (body: object) => server.expectAdmin("PATCH", path, body);
    await patch({ client_name: "New", redirect_uris: ["https://a.example/"] });
    await patch({ disabled: true });
    await patch({ disabled: false });
    await server.expectAdmin("POST", `${path}/secrets`, {});
    await server.expectAdmin("DELETE", path);
    await server.expectAdmin("POST", `${path}/restore`);
    const written = lines.join("\n");
    const event = (action: string) => ({ ...changed, client_id, action });
    expect(takeEvents()).toMatchObject([
      event("created"),
      {
        ...event("changed"),
        changes: [
          { field: "redirect_uris", added: ["https://a.example/"] },
          { field: "client_name", from: "Old", to: "New" },
        ],
      },
      {
        ...event("disabled"),
        changes: [{ field: "disabled_at", to: expect.any(Number) }],
      },
      event("enabled"),
      { ...event("changed"), changes: [{ field: "secrets" }] },
      event("deleted"),
      event("restored"),
    ]);
    expect(written).not.toMatch(/baton_cs_|"hash"/);
  });

  it("that deletes a record which cannot be read is an event with the client", async () => {
    const client = await server.makeClient();
    await rewriteClient(client, { scope: 7 });
    takeEvents();
    await server.expectAdmin("DELETE", `/clients/${client.client_id}`);
    expect(takeEvents()).toMatchObject([
      { ...changed, client_id: client.client_id, action: "deleted" },
    ]);
  });

  it("that is refused or rehearsed is none", async () => {
    const { client_id } = await server.makeClient();
    takeEvents();
    await server.admin("PATCH", `/clients/${client_id}`, { scope: "nowhere" });
    await server.expectAdmin("POST", "/clients?dry_run=true", {});
    await server.expectAdmin("PATCH", `/clients/${client_id}?dry_run=true`, {
      client_name: "New",
    });
    await server.expectAdmin("PUT", "/scopes/rehearsed?dry_run=true", {
      description: "May",
    });
    expect(takeEvents()).toEqual([]);
  });
});
