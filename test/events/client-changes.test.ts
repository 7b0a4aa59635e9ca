import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { listenToLog, parsedLog } from "../support/log.ts";
import { server, type TestClient } from "../support/server.ts";

/** Tests that each change of a client is an event: who, which fields, from and to, and never a secret. */

let lines: string[];

beforeEach(() => {
  lines = listenToLog();
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** The events since the last call. */
function takeEvents(): Record<string, unknown>[] {
  const events = parsedLog(lines).filter(({ event }) => event !== "request");
  lines.length = 0;
  return events;
}

interface Change {
  field: string;
  [name: string]: unknown;
}

/** The one event since the last call: its action, and its changes by field. */
function takeChange(): [action: unknown, Record<string, Change>] {
  const [event, ...others] = takeEvents();
  expect(others).toEqual([]);
  const { action, changes } = event as { action: unknown; changes: Change[] };
  return [
    action,
    Object.fromEntries(changes.map((change) => [change.field, change])),
  ];
}

/** Makes a client whose event was taken. */
async function makeClient(metadata: object = {}): Promise<TestClient> {
  await server.makeScopes("read", "write");
  const client = await server.makeClient({ ...metadata });
  takeEvents();
  return client;
}

describe("the event client.changed", () => {
  it("says who made a client, and with which fields", async () => {
    await makeClient();
    const { client_id } = await server.makeClient({
      client_name: "Notes",
      scope: "read write",
      redirect_uris: ["https://notes.example.com/callback"],
    });
    const [event] = parsedLog(lines);
    expect(event).toMatchObject({
      event: "client.changed",
      actor: "root",
      client_id,
    });
    const [action, changes] = takeChange();
    expect(action).toBe("created");
    expect(changes).toMatchObject({
      client_name: { to: "Notes" },
      scope: { added: ["read", "write"] },
      redirect_uris: { added: ["https://notes.example.com/callback"] },
      secrets: { added: [expect.stringMatching(/^made at \d{10}$/)] },
    });
  });

  it.each(["backchannel_logout_uri", "jwks_uri"])(
    "has %s without its query, which may hold a secret",
    async (field) => {
      const address = "https://notes.example.com/logout";
      await makeClient();
      const { client_id } = await server.makeClient({
        [field]: `${address}?key=secret-7`,
      });
      const patch = async (uri: string) => {
        const path = `/clients/${client_id}`;
        await server.expectAdmin("PATCH", path, { [field]: uri });
      };
      const written = [...lines];
      const [, created] = takeChange();
      await patch(`${address}?key=secret-8`);
      written.push(...lines);
      const [, changed] = takeChange();
      await patch(address);
      written.push(...lines);
      const [, shortened] = takeChange();
      const hidden = `${address}?…`;
      expect(
        [created, changed, shortened].map((changes) => changes[field]),
      ).toEqual([
        { field, to: hidden },
        { field, from: hidden, to: hidden },
        { field, from: hidden, to: address },
      ]);
      expect(written.join("\n")).not.toContain("secret-");
    },
  );

  it("has only the fields that changed, from and to, or what was added and removed", async () => {
    const { client_id } = await makeClient({
      client_name: "Notes",
      scope: "read",
      access_token_ttl: "PT1H",
      redirect_uris: ["https://a.example.com/", "https://b.example.com/"],
    });
    await server.expectAdmin("PATCH", `/clients/${client_id}`, {
      client_name: "My notes",
      scope: "read write",
      access_token_ttl: null,
      redirect_uris: ["https://b.example.com/", "https://c.example.com/"],
      require_pkce: true,
    });
    expect(takeChange()).toEqual([
      "changed",
      {
        client_name: { field: "client_name", from: "Notes", to: "My notes" },
        scope: { field: "scope", added: ["write"] },
        access_token_ttl: { field: "access_token_ttl", from: "PT1H" },
        redirect_uris: {
          field: "redirect_uris",
          added: ["https://c.example.com/"],
          removed: ["https://a.example.com/"],
        },
        require_pkce: { field: "require_pkce", to: true },
      },
    ]);
  });

  it("says that a client was deleted", async () => {
    const { client_id } = await makeClient();
    await server.expectAdmin("DELETE", `/clients/${client_id}`);
    const [event] = parsedLog(lines);
    expect(event).toMatchObject({ action: "deleted", client_id });
  });

  it("says that a client was disabled, enabled, deleted and restored", async () => {
    const { client_id } = await makeClient();
    const path = `/clients/${client_id}`;
    await server.expectAdmin("PATCH", path, { disabled: true });
    await server.expectAdmin("PATCH", path, { disabled: false });
    await server.expectAdmin("DELETE", path);
    await server.expectAdmin("POST", `${path}/restore`);
    const changed = { event: "client.changed", client_id };
    const field = "disabled_at";
    expect(takeEvents()).toMatchObject([
      {
        ...changed,
        action: "disabled",
        changes: [{ field, to: expect.any(Number) as number }],
      },
      {
        ...changed,
        action: "enabled",
        changes: [{ field, from: expect.any(Number) as number }],
      },
      { ...changed, action: "deleted" },
      { ...changed, action: "restored" },
    ]);
  });

  it("is not there for a rehearsal", async () => {
    const { client_id } = await makeClient();
    await server.expectAdmin("PATCH", `/clients/${client_id}?dry_run=true`, {
      client_name: "Notes",
    });
    await server.expectAdmin("POST", "/clients?dry_run=true", {});
    expect(takeEvents()).toEqual([]);
  });

  it("says that a client has lost a record that nobody could read", async () => {
    const client_id = crypto.randomUUID();
    await env.KV.put(`client:${client_id}`, "{}");
    await server.expectAdmin("DELETE", `/clients/${client_id}`);
    expect(takeEvents()).toMatchObject([
      { event: "client.changed", action: "deleted", client_id, changes: [] },
    ]);
  });

  it("says that a secret was replaced, by the times of both and never by their values or hashes", async () => {
    // Both in one second.
    const T0 = 1_900_000_000;
    vi.useFakeTimers({ toFake: ["Date"], now: T0 * 1000 });
    const client = await makeClient();
    const path = `/clients/${client.client_id}/secrets`;
    const { client_secret } = await server.expectAdmin<TestClient>(
      "POST",
      path,
      { old_secret_ttl: "PT1H" },
    );
    const text = lines.join();
    const [action, { secrets, ...others }] = takeChange();
    expect([action, others]).toEqual(["changed", {}]);
    expect(secrets).toEqual({
      field: "secrets",
      added: [`made at ${T0}`, `made at ${T0}, ends at ${T0 + 3600}`],
      removed: [`made at ${T0}`],
    });
    const stored = await env.KV.get(`client:${client.client_id}`);
    const { secrets: kept } = JSON.parse(stored ?? "{}") as {
      secrets: { hash: string }[];
    };
    expect(kept).toHaveLength(2);
    for (const secret of [
      client.client_secret,
      client_secret,
      ...kept.map(({ hash }) => hash),
    ])
      expect(text).not.toContain(secret);
  });

  it("is not there for a change that changes nothing, or that is refused", async () => {
    const { client_id } = await makeClient({ client_name: "Notes" });
    const path = `/clients/${client_id}`;
    await server.expectAdmin("PATCH", path, { client_name: "Notes" });
    expect((await server.admin("PATCH", path, { scope: "none" })).status).toBe(
      400,
    );
    await server.admin("PATCH", "/clients/never-made", { client_name: "x" });
    await server.admin("POST", "/clients", { client_id });
    expect(takeEvents()).toEqual([]);
  });

  it("is short, however long a client's fields are", async () => {
    const { client_id } = await makeClient();
    const uri = (number: number) =>
      `https://${number}.example.com/${"x".repeat(1_500)}`;
    await server.expectAdmin("PATCH", `/clients/${client_id}`, {
      redirect_uris: Array.from({ length: 9 }, (_, number) => uri(number)),
    });
    const [, { redirect_uris }] = takeChange();
    const { added } = redirect_uris as unknown as { added: string[] };
    expect(added).toHaveLength(9);
    expect(added[0]).toBe(`${uri(0).slice(0, 200)}…`);
    await server.expectAdmin("PATCH", `/clients/${client_id}`, {
      redirect_uris: Array.from(
        { length: 100 },
        (_, number) => `https://${number}.example.org/`,
      ),
    });
    const [, after] = takeChange();
    const many = after["redirect_uris"] as unknown as { added: string[] };
    expect(many.added).toHaveLength(21);
    expect(many.added.at(-1)).toBe("and 80 more");
  });
});
