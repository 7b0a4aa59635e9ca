import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import type { ClientRecord } from "../../support/admin.ts";
import { rewriteClient } from "../../support/records.ts";
import {
  type ErrorBody,
  refusal,
  server,
  type TestClient,
} from "../../support/server.ts";

/** Tests restoring deleted clients, with their secrets and logins. */

const DAY = 24 * 60 * 60;

beforeAll(() => server.makeScopes("read"));

function restore({ client_id }: { client_id: string }): Promise<Response> {
  return server.admin("POST", `/clients/${client_id}/restore`);
}

async function deleted(
  metadata: Record<string, unknown> = {},
): Promise<TestClient> {
  const client = await server.makeClient(metadata);
  await server.expectAdmin("DELETE", `/clients/${client.client_id}`);
  return client;
}

/** Lists the deleted clients whose ids begin with that of a client. */
async function listed({ client_id }: { client_id: string }) {
  const { clients } = await server.expectAdmin<{ clients: ClientRecord[] }>(
    "GET",
    `/clients?deleted=true&prefix=${client_id}`,
  );
  return clients;
}

/** Writes a tombstone as if it were older, or of an older version. */
function writeTombstone(client_id: string, tombstone: object): Promise<void> {
  const record = { client_id, ...tombstone };
  return env.KV.put(`client:${client_id}`, JSON.stringify(record));
}

function now(): number {
  return Math.floor(Date.now() / 1000);
}

describe("POST /admin/clients/{client_id}/restore", () => {
  it("brings a deleted client back, with its secrets and its logins", async () => {
    const client = await server.makeClient({ scope: "read" });
    const path = `/clients/${client.client_id}`;
    const before = await server.expectAdmin("GET", path);
    const { refresh_token } = await server.login(client);
    await server.expectAdmin("DELETE", path);
    expect(await refusal(await server.refresh(client, refresh_token))).toEqual([
      401,
      "invalid_client",
      "client_unknown",
    ]);
    const response = await restore(client);
    expect([response.status, await response.json()]).toEqual([200, before]);
    expect(await server.expectAdmin("GET", path)).toEqual(before);
    const next = await server.expectRefresh(client, refresh_token);
    await server.expectRefresh(client, next.refresh_token);
    const key = await env.KV.list({ prefix: `client:${client.client_id}` });
    expect(key.keys[0]).not.toHaveProperty("expiration");
  });

  it("brings back what was deleted: a disabled client is still disabled", async () => {
    const client = await deleted({ disabled: true });
    expect(await (await restore(client)).json()).toHaveProperty("disabled_at");
  });

  it("is possible until 30 days after the deletion, however short the client's logins are", async () => {
    const short = "PT1H";
    const client = await deleted({ refresh_token_max_age: short });
    const [key] = (await env.KV.list({ prefix: `client:${client.client_id}` }))
      .keys;
    expect(key!.expiration! - now()).toBeGreaterThan(29 * DAY);
    const [entry] = await listed(client);
    expect(entry).toMatchObject({ client_id: client.client_id });
    const { deleted_at, restorable_until } = entry as unknown as {
      deleted_at: number;
      restorable_until: number;
    };
    expect(restorable_until - deleted_at).toBe(30 * DAY);
  });

  it("is refused after 30 days, and the client is no longer listed", async () => {
    const { client_id } = await server.makeClient();
    const deleted_client = await env.KV.get(`client:${client_id}`, "json");
    const old = crypto.randomUUID();
    await writeTombstone(old, {
      deleted_at: now() - 30 * DAY,
      deleted_client: { ...(deleted_client as object), client_id: old },
    });
    expect(await listed({ client_id: old })).toEqual([]);
    const response = await restore({ client_id: old });
    const body = await response.clone().json<ErrorBody>();
    expect(body.error_description).toContain("more than 30 days ago");
    expect(await refusal(response)).toEqual([
      409,
      "conflict",
      "client_not_restorable",
    ]);
  });

  it.each([
    ["an older version has left", {}],
    ["has a record that cannot be read", { deleted_client: { scope: 7 } }],
  ])("is refused for a tombstone that %s", async (_, more) => {
    const client_id = crypto.randomUUID();
    await writeTombstone(client_id, { deleted_at: now(), ...more });
    const response = await restore({ client_id });
    const body = await response.clone().json<ErrorBody>();
    expect(body.error_description).toContain("its record was not kept");
    expect(await refusal(response)).toEqual([
      409,
      "conflict",
      "client_not_restorable",
    ]);
    const taken = await server.admin("POST", "/clients", { client_id });
    expect(await refusal(taken)).toEqual([409, "conflict", "client_id_taken"]);
  });

  it("is refused for a client that is not deleted", async () => {
    expect(await refusal(await restore(await server.makeClient()))).toEqual([
      409,
      "conflict",
      "client_not_deleted",
    ]);
  });

  it("is refused for a client that never was", async () => {
    const nobody = { client_id: crypto.randomUUID() };
    expect(await refusal(await restore(nobody))).toEqual([
      404,
      "not_found",
      "admin_target_unknown",
    ]);
  });

  it("is refused for a client whose record could not be read when it was deleted", async () => {
    const client = await server.makeClient();
    await rewriteClient(client, { scope: 7 });
    await server.expectAdmin("DELETE", `/clients/${client.client_id}`);
    expect(await refusal(await restore(client))).toEqual([
      409,
      "conflict",
      "client_not_restorable",
    ]);
  });
});

describe("GET /admin/clients?deleted=true", () => {
  it("lists the clients that can be restored, and no hash; they are in no other list", async () => {
    const client = await deleted({ client_name: "Notes" });
    const [entry, ...others] = await listed(client);
    expect(others).toEqual([]);
    expect(entry).toMatchObject({
      client_id: client.client_id,
      client_name: "Notes",
      deleted_at: expect.any(Number),
    });
    expect(JSON.stringify(entry)).not.toContain('"hash"');
    expect(
      await server.expectAdmin("GET", `/clients?prefix=${client.client_id}`),
    ).toEqual({ clients: [] });
    await restore(client);
    expect(await listed(client)).toEqual([]);
  });

  it("finds clients by the first characters of their ids", async () => {
    const prefix = `p${crypto.randomUUID()}`;
    for (const end of ["a", "b"])
      await server.makeClient({ client_id: `${prefix}-${end}` });
    const found = async (text: string) => {
      const { clients } = await server.expectAdmin<{
        clients: ClientRecord[];
      }>("GET", `/clients?prefix=${text}`);
      return clients.map(({ client_id }) => client_id.slice(prefix.length));
    };
    expect(await found(prefix)).toEqual(["-a", "-b"]);
    expect(await found(`${prefix}-b`)).toEqual(["-b"]);
    expect(await found(`${prefix}-c`)).toEqual([]);
  });
});
