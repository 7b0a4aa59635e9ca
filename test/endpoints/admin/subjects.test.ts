import {
  listDurableObjectIds,
  runDurableObjectAlarm,
  runInDurableObject,
} from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { BUSY } from "../../support/busy.ts";
import { familiesWith, fault } from "../../support/faults.ts";
import {
  refusal,
  server,
  serverWith,
  type TestClient,
  type Tokens,
} from "../../support/server.ts";

/** Tests `/admin/subjects/{subject}/grants` and `DELETE /admin/grants/{grant_id}`. */

interface Grant {
  grant_id: string;
  client_id: string;
  scope: string;
  created_at: number;
  last_used_at: number;
  expires_at: number;
}

beforeAll(() => server.makeScopes("read", "write"));

afterEach(() => {
  vi.useRealTimers();
});

const newSubject = () => `user-${crypto.randomUUID()}`;

function path(subject: string): string {
  return `/subjects/${encodeURIComponent(subject)}/grants`;
}

async function grantsOf(subject: string): Promise<Grant[]> {
  return (await server.expectAdmin<{ grants: Grant[] }>("GET", path(subject)))
    .grants;
}

async function hasEnded(client: TestClient, tokens: Tokens): Promise<boolean> {
  const response = await server.refresh(client, tokens.refresh_token);
  return (
    response.status === 400 && (await response.text()).includes("invalid_grant")
  );
}

/** The families in a subject's index, ended ones included. */
async function indexed(subject: string): Promise<string[]> {
  const index = env.SUBJECT_INDEX.get(env.SUBJECT_INDEX.idFromName(subject));
  return index.list(1000);
}

describe("GET /admin/subjects/{subject}/grants", () => {
  it("lists the current logins of a user", async () => {
    const subject = newSubject();
    const client = await server.makeClient({
      scope: "read write",
      refresh_token_ttl: "P1D",
    });
    vi.useFakeTimers({ toFake: ["Date"], now: 1_800_000_000_000 });
    await server.login(client, { subject, scope: "read" });
    const second = await server.login(client, { subject });
    vi.advanceTimersByTime(3_600_000);
    await server.expectRefresh(client, second.refresh_token);
    const grants = await grantsOf(subject);
    const { client_id } = client;
    const common = {
      grant_id: expect.stringMatching(/^[0-9a-f]{64}$/),
      client_id,
    };
    const [created_at, day, hour] = [1_800_000_000, 86_400, 3600];
    expect(grants).toHaveLength(2);
    expect(grants).toEqual(
      expect.arrayContaining([
        {
          ...common,
          scope: "read",
          created_at,
          last_used_at: created_at,
          expires_at: created_at + day,
        },
        {
          ...common,
          scope: "read write",
          created_at,
          last_used_at: created_at + hour,
          expires_at: created_at + hour + day,
        },
      ]),
    );
  });

  it("lists the logins of a disabled client, because they go on when it is enabled", async () => {
    const subject = newSubject();
    const client = await server.makeClient();
    const { client_id } = client;
    const tokens = await server.login(client, { subject });
    const before = await grantsOf(subject);
    await server.expectAdmin("PATCH", `/clients/${client_id}`, {
      disabled: true,
    });
    expect(await grantsOf(subject)).toEqual(before);
    const { grants } = await server.expectAdmin<{ grants: Grant[] }>(
      "GET",
      `${path(subject)}?client_id=${client_id}`,
    );
    expect(grants).toEqual(before);
    expect(await server.expectAdmin("DELETE", path(subject))).toEqual({
      revoked: 1,
    });
    await server.expectAdmin("PATCH", `/clients/${client_id}`, {
      disabled: false,
    });
    expect(await hasEnded(client, tokens)).toBe(true);
  });

  it("lists the logins of a deleted client while it can be restored, and then no more", async () => {
    const subject = newSubject();
    const client = await server.makeClient({ refresh_token_ttl: "P2M" });
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    await server.login(client, { subject });
    const before = await grantsOf(subject);
    expect(before).toHaveLength(1);
    await server.expectAdmin("DELETE", `/clients/${client.client_id}`);
    expect(await grantsOf(subject)).toEqual(before);
    vi.advanceTimersByTime(30 * 86_400_000 - 1000);
    expect(await grantsOf(subject)).toEqual(before);
    vi.advanceTimersByTime(1000);
    expect(await grantsOf(subject)).toEqual([]);
  });

  it.each([
    ["disabled", "PATCH", { disabled: true }],
    ["deleted", "DELETE", undefined],
  ] as const)(
    "lists no login of a %s client that tokens_not_before has ended",
    async (_state, method, body) => {
      const subject = newSubject();
      const client = await server.makeClient();
      const clientPath = `/clients/${client.client_id}`;
      await server.login(client, { subject });
      const floor = { tokens_not_before: "now" };
      await server.expectAdmin("PATCH", clientPath, floor);
      await server.expectAdmin(method, clientPath, body);
      expect(await grantsOf(subject)).toEqual([]);
    },
  );

  it("lists no login of a client that another one with the same id has replaced, also a disabled or deleted one", async () => {
    const subject = newSubject();
    const { client_id: other } = await server.makeClient();
    const record = await env.KV.get<object>(`client:${other}`, "json");
    const client_id = crypto.randomUUID();
    const put = (stored: object) =>
      env.KV.put(`client:${client_id}`, JSON.stringify(stored));
    const listed = async () =>
      (
        await serverWith({}).expectAdmin<{ grants: Grant[] }>(
          "GET",
          path(subject),
        )
      ).grants.length;
    const old = { ...record, client_id };
    await put(old);
    await server.expectAdmin("POST", "/grants", { client_id, subject });
    const time = Math.floor(Date.now() / 1000);
    const asDisabled = (client: object) => ({ ...client, disabled_at: time });
    const asDeleted = (client: object) => ({
      client_id,
      deleted_at: time,
      deleted_client: client,
    });
    const later = { ...old, client_id_issued_at: 1 };
    for (const state of [asDisabled, asDeleted]) {
      await put(state(old));
      expect(await listed()).toBe(1);
      await put(state(later));
      expect(await listed()).toBe(0);
    }
  });

  it("lists all families of a user even if the record of one client can't be read", async () => {
    const subject = newSubject();
    const client = await server.makeClient();
    await server.login(client, { subject });
    await server.login(await server.makeClient(), { subject });
    await env.KV.put(`client:${client.client_id}`, "not json");
    const page = await serverWith({}).expectAdmin<{ grants: Grant[] }>(
      "GET",
      path(subject),
    );
    expect(page.grants).toHaveLength(2);
    await env.KV.delete(`client:${client.client_id}`);
  });

  it("leaves an expired family in the index until its alarm ends it", async () => {
    const subject = newSubject();
    await server.login(await server.makeClient({ refresh_token_ttl: "PT1M" }), {
      subject,
    });
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60_000 });
    expect(await grantsOf(subject)).toEqual([]);
    expect(await indexed(subject)).toHaveLength(1);
  });

  it("is empty for a user who is not logged in anywhere", async () => {
    expect(await grantsOf(newSubject())).toEqual([]);
  });

  it("lists no family that has ended by replay, revocation or expiry", async () => {
    const subject = newSubject();
    const client = await server.makeClient();
    const shortLived = await server.makeClient({ refresh_token_ttl: "PT1M" });
    const replayed = await server.login(client, { subject });
    await server.expectRefresh(client, replayed.refresh_token);
    await server.refresh(client, replayed.refresh_token);
    const revoked = await server.login(client, { subject });
    await server.about("/revoke", client, revoked.refresh_token);
    await server.login(shortLived, { subject });
    await server.login(client, { subject });
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60_000 });
    expect(await grantsOf(subject)).toHaveLength(1);
  });

  it.each(["ü@example.com/x?y#z%", "👩‍🚀", "a b", "__proto__", "ü".repeat(127)])(
    "finds the subject %j",
    async (subject) => {
      await server.login(await server.makeClient(), { subject });
      expect((await grantsOf(subject)).length).toBeGreaterThan(0);
    },
  );
});

describe("DELETE /admin/grants/{grant_id}", () => {
  it("answers 204, ends that family and no other, and can be repeated", async () => {
    const subject = newSubject();
    const client = await server.makeClient();
    const first = await server.login(client, { subject });
    const [{ grant_id } = { grant_id: "" }] = await grantsOf(subject);
    const second = await server.login(client, { subject });
    expect((await server.admin("DELETE", `/grants/${grant_id}`)).status).toBe(
      204,
    );
    expect((await server.admin("DELETE", `/grants/${grant_id}`)).status).toBe(
      204,
    );
    expect(await hasEnded(client, first)).toBe(true);
    await server.expectRefresh(client, second.refresh_token);
  });

  it.each(["x", "0".repeat(64), "zz".repeat(32), "%00", "..%2F"])(
    "answers 404 for %j",
    async (id) => {
      const response = await server.admin("DELETE", `/grants/${id}`);
      expect(await refusal(response)).toEqual([
        404,
        "not_found",
        "admin_target_unknown",
      ]);
    },
  );
});

describe("DELETE /admin/subjects/{subject}/grants", () => {
  it("ends every family of the user before it answers", async () => {
    const [subject, otherSubject] = [newSubject(), newSubject()];
    const clients = await Promise.all([
      server.makeClient(),
      server.makeClient(),
    ]);
    const logins: [TestClient, Tokens][] = [];
    for (let n = 0; n < 10; n++) {
      const client = clients[n % 2]!;
      logins.push([client, await server.login(client, { subject })]);
    }
    const untouched = await server.login(clients[0], { subject: otherSubject });
    const answer = await server.expectAdmin("DELETE", path(subject));
    expect(answer).toEqual({ revoked: 10 });
    for (const [client, tokens] of logins)
      expect(await hasEnded(client, tokens)).toBe(true);
    expect(await grantsOf(subject)).toEqual([]);
    expect(await server.expectAdmin("DELETE", path(subject))).toEqual({
      revoked: 0,
    });
    await server.expectRefresh(clients[0], untouched.refresh_token);
  });

  it("ends more families than the index returns at once", async () => {
    const subject = newSubject();
    const client = await server.makeClient();
    for (let n = 0; n < 5; n++) {
      await Promise.all(
        Array.from({ length: 50 }, () => server.login(client, { subject })),
      );
    }
    const listed: string[] = [];
    let cursor: string | undefined;
    do {
      const query = new URLSearchParams({
        limit: "70",
        ...(cursor !== undefined && { cursor }),
      });
      const page = await server.expectAdmin<{
        grants: Grant[];
        cursor?: string;
      }>("GET", `${path(subject)}?${query.toString()}`);
      listed.push(...page.grants.map(({ grant_id }) => grant_id));
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect([listed.length, new Set(listed).size]).toEqual([250, 250]);
    expect(await server.expectAdmin("DELETE", path(subject))).toEqual({
      revoked: 250,
    });
    expect(await grantsOf(subject)).toEqual([]);
  });

  it("ends every family even if twenty refreshes and a revocation race it", async () => {
    const subject = newSubject();
    const client = await server.makeClient({
      refresh_token_retry_window: "PT30S",
    });
    const logins = await Promise.all(
      Array.from({ length: 10 }, () => server.login(client, { subject })),
    );
    const revocation = server.about(
      "/revoke",
      client,
      logins[0]!.refresh_token,
    );
    const racing = logins.flatMap(({ refresh_token }) => [
      server.refresh(client, refresh_token),
      server.refresh(client, refresh_token),
    ]);
    const logout = server.admin("DELETE", path(subject));
    const responses = await Promise.all(racing);
    expect([(await logout).status, (await revocation).status]).toEqual([
      200, 200,
    ]);
    for (const response of responses) {
      if (response.status !== 200) continue;
      expect(await hasEnded(client, await response.json<Tokens>())).toBe(true);
    }
    for (const tokens of logins)
      expect(await hasEnded(client, tokens)).toBe(true);
  });

  it("answers 503 if it can't reach every family, and finishes when it is repeated", async () => {
    const subject = newSubject();
    const client = await server.makeClient();
    const logins = await Promise.all(
      Array.from({ length: 8 }, () => server.login(client, { subject })),
    );
    const [unreachableId] = await indexed(subject);
    const TOKEN_FAMILY = familiesWith((id, real) =>
      id.toString() === unreachableId ? fault("unreachable") : real(),
    );
    const failing = await serverWith({ TOKEN_FAMILY }).admin(
      "DELETE",
      path(subject),
    );
    expect(await refusal(failing)).toEqual([
      503,
      "temporarily_unavailable",
      "storage_unavailable",
    ]);
    expect((await grantsOf(subject)).map(({ grant_id }) => grant_id)).toEqual([
      unreachableId,
    ]);
    await server.expectAdmin("DELETE", path(subject));
    for (const tokens of logins)
      expect(await hasEnded(client, tokens)).toBe(true);
  });

  it.each([".", ".."])(
    "can't have the subject %j in its path, so no family is made for it",
    async (subject) => {
      const { client_id } = await server.makeClient();
      const response = await server.admin("POST", "/grants", {
        client_id,
        subject,
      });
      expect(await refusal(response)).toEqual([
        400,
        "invalid_request",
        "admin_body_invalid",
      ]);
    },
  );
});

describe("the subject index", () => {
  it("drops families that end by replay or expiry, and then stores nothing", async () => {
    const subject = newSubject();
    const expiring = await server.makeClient({ refresh_token_ttl: "PT1M" });
    await server.login(expiring, { subject });
    const replayed = await server.login(expiring, { subject });
    await server.expectRefresh(expiring, replayed.refresh_token);
    await server.refresh(expiring, replayed.refresh_token);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60_000 });
    for (const id of await indexed(subject)) {
      await runDurableObjectAlarm(
        env.TOKEN_FAMILY.get(env.TOKEN_FAMILY.idFromString(id)),
      );
    }
    await vi.waitFor(
      async () => expect(await indexed(subject)).toEqual([]),
      BUSY,
    );
    const index = env.SUBJECT_INDEX.get(env.SUBJECT_INDEX.idFromName(subject));
    const tables = await runInDurableObject(index, (_, { storage }) => [
      ...storage.sql.exec("SELECT name FROM sqlite_master"),
    ]);
    expect(tables).toEqual([]);
  });

  it("drops what a fault has left in it when it is listed", async () => {
    const subject = newSubject();
    const stray = env.TOKEN_FAMILY.newUniqueId().toString();
    await env.SUBJECT_INDEX.get(env.SUBJECT_INDEX.idFromName(subject)).add(
      stray,
    );
    await server.login(await server.makeClient(), { subject });
    expect(await grantsOf(subject)).toHaveLength(1);
    expect(await indexed(subject)).toHaveLength(1);
  });

  it("is not called by a refresh", async () => {
    const subject = newSubject();
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client, { subject });
    const SUBJECT_INDEX = {
      idFromName: () => {
        throw new Error("touched");
      },
    };
    await serverWith({ SUBJECT_INDEX }).expectRefresh(client, refresh_token);
  });

  it("must store a family before its first tokens are given out", async () => {
    const before = (await listDurableObjectIds(env.TOKEN_FAMILY)).length;
    const { client_id } = await server.makeClient();
    const index = {
      add: () => {
        throw new Error("unreachable");
      },
    };
    const SUBJECT_INDEX = { idFromName: () => "", get: () => index };
    const body = { client_id, subject: newSubject() };
    const response = await serverWith({ SUBJECT_INDEX }).admin(
      "POST",
      "/grants",
      body,
    );
    expect(await refusal(response)).toEqual([
      503,
      "temporarily_unavailable",
      "storage_unavailable",
    ]);
    expect((await listDurableObjectIds(env.TOKEN_FAMILY)).length).toBe(
      before + 1,
    );
  });
});
