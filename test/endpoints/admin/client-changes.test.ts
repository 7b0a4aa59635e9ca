import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  refusal,
  server,
  serverWith,
  type TestClient,
} from "../../support/server.ts";

/** Tests deleting a client, and simultaneous admin calls. */

afterEach(() => {
  vi.useRealTimers();
});

interface ClientList {
  clients: { client_id: string }[];
}

describe("DELETE /admin/clients/{client_id}", () => {
  it("answers 204; the client and its tokens are gone, and its id stays taken", async () => {
    const client = await server.makeClient();
    const path = `/clients/${client.client_id}`;
    const { refresh_token } = await server.login(client);
    expect((await server.admin("DELETE", path)).status).toBe(204);
    for (const method of ["GET", "DELETE"])
      expect(await refusal(await server.admin(method, path))).toEqual([
        404,
        "not_found",
        "admin_target_unknown",
      ]);
    const response = await server.refresh(client, refresh_token);
    expect(await refusal(response)).toEqual([
      401,
      "invalid_client",
      "client_unknown",
    ]);
    const again = await server.admin("POST", "/clients", {
      client_id: client.client_id,
    });
    expect(await refusal(again)).toEqual([409, "conflict", "client_id_taken"]);
    const { clients } = await server.expectAdmin<ClientList>("GET", "/clients");
    expect(clients.map(({ client_id }) => client_id)).not.toContain(
      client.client_id,
    );
  });

  it("keeps the id taken while a family of the client could be alive, and while it can be restored", async () => {
    const shortLived = serverWith({ REFRESH_TOKEN_MAX_AGE: "P40D" });
    const withDefault = await server.makeClient();
    const withOwnMaxAge = await server.makeClient({
      refresh_token_max_age: "P50D",
    });
    const days = async ({ client_id }: TestClient) => {
      await shortLived.expectAdmin("DELETE", `/clients/${client_id}`);
      const { keys } = await env.KV.list({ prefix: `client:${client_id}` });
      return ((keys[0]?.expiration ?? 0) - Date.now() / 1000) / 86_400;
    };
    expect(await days(withDefault)).toBeCloseTo(40, 2);
    expect(await days(withOwnMaxAge)).toBeCloseTo(50, 2);
  });

  it("does not let a later client with the same id use an old family", async () => {
    const client_id = crypto.randomUUID();
    const first = await server.makeClient({ client_id });
    const { refresh_token, access_token } = await server.login(first);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 10_000 });
    // As after the expiry of the tombstone, nothing is stored.
    await server.expectAdmin("DELETE", `/clients/${client_id}`);
    await env.KV.delete(`client:${client_id}`);
    vi.advanceTimersByTime(180_000);
    await runDurableObjectAlarm(
      env.KV_RECORD_WRITER.get(
        env.KV_RECORD_WRITER.idFromName(`client:${client_id}`),
      ),
    );
    const second = await serverWith({}).makeClient({ client_id });
    const later = serverWith({});
    expect(await refusal(await later.refresh(second, refresh_token))).toEqual([
      400,
      "invalid_grant",
      "refresh_token_of_another_client",
    ]);
    const asked = await later.about("/introspect", second, access_token);
    expect(await asked.json()).toEqual({ active: false });
  });
});

describe("simultaneous changes", () => {
  it("of a client never undo its deletion", async () => {
    for (let round = 0; round < 10; round++) {
      const client = await server.makeClient();
      const { refresh_token } = await server.login(client);
      const path = `/clients/${client.client_id}`;
      const [deleted] = await Promise.all([
        server.admin("DELETE", path),
        server.admin("PATCH", path, { client_name: "New" }),
        serverWith({}).admin("PATCH", path, { client_name: "Other" }),
      ]);
      expect(deleted.status).toBe(204);
      expect(await refusal(await server.admin("GET", path))).toEqual([
        404,
        "not_found",
        "admin_target_unknown",
      ]);
      const response = await server.refresh(client, refresh_token);
      expect(await refusal(response)).toEqual([
        401,
        "invalid_client",
        "client_unknown",
      ]);
    }
  });

  it("of a client never bring back a secret that has ended, or lose the new one", async () => {
    for (let round = 0; round < 10; round++) {
      const client = await server.makeClient();
      const { refresh_token } = await server.login(client);
      const path = `/clients/${client.client_id}`;
      const [rotated] = await Promise.all([
        server.expectAdmin<TestClient>("POST", `${path}/secrets`, {
          old_secret_ttl: "PT0S",
        }),
        server.expectAdmin("PATCH", path, { client_name: "New" }),
      ]);
      const old = await server.refresh(client, refresh_token);
      expect(await refusal(old)).toEqual([
        401,
        "invalid_client",
        "client_secret_wrong",
      ]);
      await server.expectRefresh(rotated, refresh_token);
    }
  });

  it("give every caller a secret that works", async () => {
    const client = await server.makeClient();
    const path = `/clients/${client.client_id}/secrets`;
    const rotated = await Promise.all(
      [1, 2, 3, 4].map(() => server.expectAdmin<TestClient>("POST", path, {})),
    );
    for (const { client_secret } of [client, ...rotated]) {
      const { refresh_token } = await server.login(client);
      await server.expectRefresh({ ...client, client_secret }, refresh_token);
    }
  });

  it("make only one client with the same id", async () => {
    const client_id = crypto.randomUUID();
    const responses = await Promise.all(
      Array.from({ length: 10 }, () =>
        server.admin("POST", "/clients", { client_id }),
      ),
    );
    expect(
      responses
        .map(({ status }) => status)
        .toSorted((one, other) => one - other),
    ).toEqual([201, ...Array<number>(9).fill(409)]);
  });

  it("leave nothing in the KvRecordWriter object once its alarm has fired", async () => {
    const { client_id } = await server.makeClient();
    const writers = env.KV_RECORD_WRITER;
    const writer = writers.get(writers.idFromName(`client:${client_id}`));
    await runDurableObjectAlarm(writer);
    const left = await runInDurableObject(writer, async (_, { storage }) => [
      ...storage.kv.list(),
      ...[await storage.getAlarm()].filter((alarm) => alarm !== null),
    ]);
    expect(left).toEqual([]);
  });
});
