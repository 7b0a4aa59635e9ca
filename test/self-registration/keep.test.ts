import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { Client } from "../../src/oauth/entities.ts";
import type { ClientRepository } from "../../src/oauth/repositories.ts";
import { SelfRegisteredClients } from "../../src/oauth/self-registration/client-repository.ts";
import { keepRegistration } from "../../src/oauth/self-registration/keep.ts";
import { KvClientRepository } from "../../src/platform/client-repository.ts";
import { obtainCode, REDIRECT_URI, redeem } from "../support/authorization.ts";
import { countingBindings } from "../support/counting.ts";
import { listenToLog, parsedLog } from "../support/log.ts";
import { rewriteClient } from "../support/records.ts";
import { agent, register, writeResources } from "../support/registration.ts";
import { refusal, server } from "../support/server.ts";
import { waitingServerWith } from "../support/waiting-server.ts";

/** A client that registered itself lasts while it is used, and ends by itself when it is not. */

const DAY = 24 * 60 * 60;
/** REGISTRATION_IDLE_TTL of wrangler.toml. */
const IDLE = 90 * DAY;

beforeAll(() => writeResources());

afterEach(() => {
  vi.restoreAllMocks();
});

function secondsNow() {
  return Math.floor(Date.now() / 1000);
}

/** Makes a client that has registered itself and signed a user in, and sets the end of its registration then. */
async function registered(
  endsIn: number,
  metadata: Record<string, unknown> = {},
) {
  const client = await server.makeClient({
    token_endpoint_auth_method: "none",
    ...metadata,
  });
  await rewriteClient(client, { registered_by: "dynamic_registration" });
  const { refresh_token } = await waitingServerWith().login(client);
  await rewriteClient(client, {
    registration_expires_at: secondsNow() + endsIn,
  });
  return { client, refresh_token };
}

async function stored({ client_id }: { client_id: string }) {
  const record = await env.KV.get<Client>(`client:${client_id}`, "json");
  const { keys } = await env.KV.list({ prefix: `client:${client_id}` });
  return { record, expiration: keys[0]?.expiration };
}

describe("a refresh of a client that registered itself", () => {
  it("sets the end of the registration later, if less than REGISTRATION_IDLE_TTL is left", async () => {
    const { calls, bindings } = countingBindings();
    const own = waitingServerWith(bindings);
    const { client, refresh_token } = await registered(IDLE - DAY);
    const before = secondsNow();

    const second = await own.expectRefresh(client, refresh_token);

    const { record, expiration } = await stored(client);
    const end = record?.registration_expires_at ?? 0;
    // A third longer, so that a client that is used all the time is written seldom.
    expect(end).toBeGreaterThanOrEqual(before + IDLE + IDLE / 3);
    expect(end).toBeLessThanOrEqual(secondsNow() + IDLE + IDLE / 3);
    expect(Math.abs((expiration ?? 0) - end)).toBeLessThan(120);

    const writes = calls.kvWrite;
    await own.expectRefresh(client, second.refresh_token);
    expect(calls.kvWrite).toBe(writes);
  });

  it("writes nothing while more is left", async () => {
    const own = waitingServerWith();
    const { client, refresh_token } = await registered(IDLE + DAY);
    const { record } = await stored(client);
    await own.expectRefresh(client, refresh_token);
    expect((await stored(client)).record).toEqual(record);
  });

  it("keeps the registration for as long as the refresh token, if the client's tokens last longer than REGISTRATION_IDLE_TTL", async () => {
    const own = waitingServerWith();
    const { client, refresh_token } = await registered(IDLE + DAY, {
      refresh_token_ttl: "P200D",
    });
    const before = secondsNow();
    await own.expectRefresh(client, refresh_token);
    const { record } = await stored(client);
    expect(record?.registration_expires_at).toBeGreaterThanOrEqual(
      before + 200 * DAY,
    );
  });

  it("is answered although the record cannot be written, and the log says so", async () => {
    const { client, refresh_token } = await registered(DAY);
    const broken = waitingServerWith({
      KV_RECORD_WRITER: {
        idFromName: () => "",
        get() {
          throw new Error("an object was called");
        },
      },
    });
    const log = listenToLog();
    const response = await broken.refresh(client, refresh_token);
    expect(response.status).toBe(200);
    expect(parsedLog(log)).toContainEqual(
      expect.objectContaining({
        event: "registration.not_kept",
        client_id: client.client_id,
      }),
    );
  });
});

describe("a login of a client that has just registered", () => {
  it("makes it stay for REGISTRATION_IDLE_TTL at least, by a code or by a back end", async () => {
    const own = waitingServerWith({ DYNAMIC_REGISTRATION: "open" });
    const byCode = await register(own, {
      ...agent,
      redirect_uris: [REDIRECT_URI],
    });
    const byBackEnd = await register(own);
    const before = secondsNow();
    const decision = { subject: "alice", consent: true };
    const code = await obtainCode(byCode, {}, decision, own);
    expect((await redeem(byCode, code, {}, own)).status).toBe(200);
    await own.login(byBackEnd);
    for (const client of [byCode, byBackEnd]) {
      const { record } = await stored(client);
      expect(record?.registration_expires_at).toBeGreaterThanOrEqual(
        before + IDLE,
      );
      // What the catalogue gives is not written.
      expect(record?.resources).toEqual([]);
    }
  });
});

describe("a registration that has ended", () => {
  it("makes its client unknown, although KV still has the record", async () => {
    const { client, refresh_token } = await registered(DAY);
    await rewriteClient(client, { registration_expires_at: secondsNow() - 1 });
    const response = await waitingServerWith().refresh(client, refresh_token);
    expect(await refusal(response)).toEqual([
      401,
      "invalid_client",
      "client_unknown",
    ]);
  });
});

describe("a client that an operator enables after its registration would have ended", () => {
  it("stays for 30 days at least, as a restored one does, so that its users can use it again", async () => {
    const { client, refresh_token } = await registered(DAY);
    const path = `/clients/${client.client_id}`;
    await server.expectAdmin("PATCH", path, { disabled: true });
    await rewriteClient(client, { registration_expires_at: secondsNow() - 1 });
    const before = secondsNow();
    await server.expectAdmin("PATCH", path, { disabled: false });
    const { record, expiration } = await stored(client);
    const end = record?.registration_expires_at ?? 0;
    expect(end).toBeGreaterThanOrEqual(before + 30 * DAY);
    expect(Math.abs((expiration ?? 0) - end)).toBeLessThan(120);
    await waitingServerWith().expectRefresh(client, refresh_token);
  });
});

describe("an administrator's client", () => {
  it("is never written by a refresh", async () => {
    const own = waitingServerWith();
    const client = await server.makeClient({
      token_endpoint_auth_method: "none",
    });
    const { refresh_token } = await own.login(client);
    const before = await stored(client);
    await own.expectRefresh(client, refresh_token);
    expect(await stored(client)).toEqual(before);
  });
});

describe("the client of a metadata document", () => {
  const settings = {
    registration_idle_ttl: "P90D",
    refresh_token_ttl: "P1M",
  } as Parameters<typeof keepRegistration>[0]["settings"];

  function repository(): ClientRepository {
    const stored = new KvClientRepository(env.KV, env.KV_RECORD_WRITER);
    return new SelfRegisteredClients(stored, async () => ({}), undefined);
  }

  function documentClient(fields: Partial<Client> = {}): Client {
    return {
      client_id: `https://agent.example/${crypto.randomUUID()}`,
      client_id_issued_at: 0,
      client_name: "Agent",
      registered_by: "metadata_document",
      token_endpoint_auth_method: "none",
      grant_types: ["authorization_code", "refresh_token"],
      redirect_uris: ["https://agent.example/callback"],
      refresh_token_retry_window: "PT1M",
      secrets: [],
      // The catalogue of resources gives these.
      scope: "tools",
      resources: ["https://mcp.example.com/"],
      ...fields,
    };
  }

  async function keep(
    client: Client,
    isSignIn: boolean,
    clients = repository(),
  ) {
    await keepRegistration(
      { clients, settings },
      client,
      secondsNow(),
      isSignIn,
    );
  }

  it("is stored at its first sign-in, without what the catalogue of resources gives it", async () => {
    const client = documentClient();
    const before = secondsNow();
    await keep(client, true);
    const { record, expiration } = await stored(client);
    const { registration_expires_at: end = 0, ...rest } = record ?? {};
    // A version before 0.4.0 does not ask for consent, so for such a version the client is disabled.
    const disabled_at = 0;
    expect(rest).toEqual({ ...client, scope: "", resources: [], disabled_at });
    expect(end).toBeGreaterThanOrEqual(before + IDLE);
    expect(Math.abs((expiration ?? 0) - end)).toBeLessThan(120);
  });

  it("is written again at a sign-in if its document has changed, and keeps what an operator has set", async () => {
    const client = documentClient();
    await keep(client, true);
    const set = {
      scope: "write",
      resources: ["https://other.example.com/"],
      refresh_token_retry_window: "PT0S",
      tokens_not_before: 5,
      disabled_at: 6,
    };
    const clients = repository();
    await clients.update(client.client_id, (current) => ({
      ...(current() as Client),
      ...set,
    }));
    const { client_name: _name, ...nameless } = client;
    const changed = {
      ...nameless,
      redirect_uris: ["https://agent.example/other"],
    };
    await keep(changed, true);
    expect((await stored(client)).record).toEqual({
      ...changed,
      ...set,
      registration_expires_at: expect.any(Number),
    });
  });

  it("is written once, however many of its users sign in", async () => {
    const client = documentClient();
    await keep(client, true);
    const update = vi.spyOn(KvClientRepository.prototype, "update");
    const clients = repository();
    await Promise.all([1, 2, 3].map(() => keep(client, true, clients)));
    expect(update).toHaveBeenCalledTimes(1);
    // Another isolate has stored it, so nothing is written.
    await expect(update.mock.results[0]?.value).rejects.toBeTypeOf("symbol");
  });

  it("stays deleted, and stays an administrator's", async () => {
    const [deleted, taken] = [documentClient(), documentClient()];
    const clients = repository();
    await clients.replaceWithTombstone(deleted.client_id, () => ({
      tombstone: { client_id: deleted.client_id, deleted_at: 1 },
      seconds: 600,
    }));
    const { registered_by: _by, ...administrators } = taken;
    await clients.update(taken.client_id, () => administrators);
    for (const client of [deleted, taken]) await keep(client, true);
    expect(await clients.read(deleted.client_id)).toHaveProperty(
      "deleted_at",
      1,
    );
    expect(await clients.read(taken.client_id)).toEqual(administrators);
  });

  it("is not written by a refresh while its registration lasts", async () => {
    const client = documentClient({
      registration_expires_at: secondsNow() + IDLE + DAY,
    });
    await keep(client, false);
    expect((await stored(client)).record).toBeNull();
    const { registration_expires_at: _end, ...unstored } = client;
    await keep(unstored, false);
    expect((await stored(client)).record).not.toBeNull();
  });
});
