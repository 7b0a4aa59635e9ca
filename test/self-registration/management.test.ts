import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { listenToLog, parsedLog } from "../support/log.ts";
import { rewriteClient } from "../support/records.ts";
import {
  agent,
  expectNoEmptyMembers,
  manage,
  register,
  type Registered,
  writeResources,
} from "../support/registration.ts";
import { type ErrorBody, refusal, serverWith } from "../support/server.ts";
import { waitingServerWith } from "../support/waiting-server.ts";

/** A client reads, changes and deletes its own registration (RFC 7592). */

const open = waitingServerWith({ DYNAMIC_REGISTRATION: "open" });

const wrongToken = [401, "invalid_token", "registration_token_wrong"];

beforeAll(() => writeResources());

afterEach(() => {
  vi.restoreAllMocks();
});

/** The members that a client sends back in a change: those of its metadata. */
function metadataOf({ client_id }: Registered) {
  return { ...agent, client_id };
}

function ask(
  client: Registered,
  method: string,
  body?: unknown,
  token = client.registration_access_token,
) {
  return manage(open, client, token, method, body);
}

async function put(client: Registered, body: object): Promise<Registered> {
  const response = await ask(client, "PUT", body);
  if (response.status !== 200) throw new Error(await response.text());
  return response.json<Registered>();
}

async function stored({ client_id }: { client_id: string }) {
  const path = `/clients/${client_id}`;
  return open.expectAdmin<Record<string, unknown>>("GET", path);
}

describe("a registration access token", () => {
  it.each(["GET", "PUT", "DELETE"])(
    "is needed for %s: none, a wrong one, another client's and the client secret are refused alike",
    async (method) => {
      const client = await register(open, {
        ...agent,
        token_endpoint_auth_method: "client_secret_basic",
      });
      const other = await register(open);
      const before = await stored(client);
      const body = method === "PUT" ? metadataOf(client) : undefined;
      const attempts = [
        await manage(open, client, undefined, method, body),
        await ask(client, method, body, "baton_rat_wrong"),
        await ask(client, method, body, other.registration_access_token),
        await ask(client, method, body, client.client_secret),
        await ask(client, method, body, env.ADMIN_TOKEN),
        await manage(
          open,
          { client_id: crypto.randomUUID() },
          client.registration_access_token,
          method,
          body,
        ),
        await manage(
          open,
          { client_id: "https://agent.example/client.json" },
          client.registration_access_token,
          method,
          body,
        ),
      ];
      for (const response of attempts) {
        expect(response.headers.get("WWW-Authenticate")).toBe(
          'Bearer realm="baton/register", error="invalid_token"',
        );
        expect(await refusal(response)).toEqual(wrongToken);
      }
      expect(await stored(client)).toEqual(before);
    },
  );

  it("is not read from the query", async () => {
    const { client_id, registration_access_token: token } =
      await register(open);
    const response = await open.http(
      `/register/${client_id}?access_token=${token}&registration_access_token=${token}`,
    );
    expect(await refusal(response)).toEqual(wrongToken);
  });

  it("opens nothing of an administrator's client", async () => {
    const client = await register(open);
    const { client_id } = await open.makeClient({
      client_id: crypto.randomUUID(),
    });
    const { registration_access_token: token } = client;
    const response = await manage(open, { client_id }, token, "GET");
    expect(await refusal(response)).toEqual(wrongToken);
  });

  it("is refused while the client is disabled", async () => {
    const client = await register(open);
    const path = `/clients/${client.client_id}`;
    await open.expectAdmin("PATCH", path, { disabled: true });
    for (const method of ["GET", "DELETE"])
      expect(await refusal(await ask(client, method))).toEqual(wrongToken);
  });

  it("cannot be guessed without end", async () => {
    const client = await register(open);
    const own = serverWith({
      DYNAMIC_REGISTRATION: "open",
      // The platform says that the network has made too many wrong guesses.
      GUESSES_PER_NETWORK: { limit: async () => ({ success: false }) },
    });
    const guess = () =>
      own.http(`/register/${client.client_id}`, {
        headers: {
          Authorization: "Bearer baton_rat_guess",
          "CF-Connecting-IP": "192.0.2.7",
        },
      });
    expect(await refusal(await guess())).toEqual(wrongToken);
    const response = await guess();
    expect(response.headers.get("Retry-After")).toMatch(/^\d+$/);
    expect(await refusal(response)).toEqual([
      429,
      "temporarily_unavailable",
      "registration_tokens_limited",
    ]);
  });
});

describe("GET", () => {
  it("shows what is registered, without a secret", async () => {
    const client = await register(open, {
      ...agent,
      token_endpoint_auth_method: "client_secret_basic",
    });
    const response = await ask(client, "GET");
    expect(response.status).toBe(200);
    expect(response.headers.get("Cache-Control")).toBe("no-store");
    const {
      client_secret: _secret,
      client_secret_expires_at: _expiry,
      ...rest
    } = client;
    const body = await response.json<Registered>();
    expect(body).toEqual(rest);
    expectNoEmptyMembers(body);
  });

  it("is told by the URI of the answer to the registration", async () => {
    const { registration_client_uri: uri, registration_access_token: token } =
      await register(open);
    const response = await open.fetch(
      new Request(uri, { headers: { Authorization: `Bearer ${token}` } }),
    );
    expect(response.status).toBe(200);
  });
});

describe("PUT", () => {
  it("replaces what the client decides, and keeps what an operator has set and the logins", async () => {
    await open.makeScopes("read");
    const client = await register(open);
    const { client_id } = client;
    const set = {
      scope: "read",
      resources: ["https://other.example.com/"],
      access_token_ttl: "PT5M",
      refresh_token_retry_window: "PT0S",
    };
    await open.expectAdmin("PATCH", `/clients/${client_id}`, set);
    const [resource] = set.resources;
    const { refresh_token } = await open.login(client, { resource });
    const before = await stored(client);

    const changed = await put(client, {
      client_id,
      redirect_uris: ["https://agent.example/new"],
      token_endpoint_auth_method: "none",
      grant_types: ["authorization_code", "refresh_token"],
      scope: "everything",
      access_token_ttl: "P99Y",
    });

    expect(changed).toMatchObject({
      client_id,
      redirect_uris: ["https://agent.example/new"],
      registration_access_token: client.registration_access_token,
    });
    expect(changed).not.toHaveProperty("client_name");
    expectNoEmptyMembers(changed);
    const { client_name: _name, ...rest } = before;
    expect(await stored(client)).toEqual({
      ...rest,
      redirect_uris: ["https://agent.example/new"],
    });
    await open.expectRefresh(client, refresh_token);
  });

  it("may send back everything that the server has answered", async () => {
    const client = await register(open, {
      ...agent,
      token_endpoint_auth_method: "client_secret_post",
    });
    const changed = await put(client, { ...client, client_name: "New" });
    expect(changed.client_name).toBe("New");
    const { refresh_token } = await open.login(client);
    await open.expectRefresh(client, refresh_token);
  });

  it.each<[string, (client: Registered) => object, RegExp]>([
    ["no client_id", () => agent, /client_id: must be that of the client/],
    [
      "another client_id",
      () => ({ ...agent, client_id: crypto.randomUUID() }),
      /client_id: must be/,
    ],
    [
      "a wrong secret",
      (client) => ({ ...metadataOf(client), client_secret: "chosen" }),
      /client_secret: must be the current secret/,
    ],
    [
      "a secret that is a number",
      (client) => ({ ...metadataOf(client), client_secret: 1 }),
      /client_secret: must be the current secret/,
    ],
    [
      "a method with a secret",
      (client) => ({
        ...metadataOf(client),
        token_endpoint_auth_method: "client_secret_basic",
      }),
      /token_endpoint_auth_method: must be none/,
    ],
    [
      "no method, which stands for a secret",
      (client) => ({
        client_id: client.client_id,
        redirect_uris: agent.redirect_uris,
      }),
      /token_endpoint_auth_method: must be none/,
    ],
    [
      "only client_credentials",
      (client) => ({
        ...metadataOf(client),
        grant_types: ["client_credentials"],
      }),
      /grant_types: must have authorization_code/,
    ],
  ])("with %s changes nothing", async (_, bodyOf, description) => {
    const client = await register(open);
    const before = await stored(client);
    const response = await ask(client, "PUT", bodyOf(client));
    const { error_description } = await response.clone().json<ErrorBody>();
    expect(error_description).toMatch(description);
    expect(await refusal(response)).toEqual([
      400,
      "invalid_client_metadata",
      "registration_metadata_invalid",
    ]);
    expect(await stored(client)).toEqual(before);
  });

  it("cannot make a confidential client public", async () => {
    const client = await register(open, {
      ...agent,
      token_endpoint_auth_method: "client_secret_basic",
    });
    const response = await ask(client, "PUT", metadataOf(client));
    expect(await refusal(response)).toEqual([
      400,
      "invalid_client_metadata",
      "registration_metadata_invalid",
    ]);
  });

  it("with a redirect URI that cannot be registered changes nothing", async () => {
    const client = await register(open);
    const response = await ask(client, "PUT", {
      ...metadataOf(client),
      redirect_uris: ["http://agent.example/"],
    });
    expect(await refusal(response)).toEqual([
      400,
      "invalid_redirect_uri",
      "registration_redirect_uri_invalid",
    ]);
    expect((await stored(client))["redirect_uris"]).toEqual(
      agent.redirect_uris,
    );
  });

  it("does not make the registration last longer", async () => {
    const client = await register(open);
    const before = await stored(client);
    await put(client, { ...metadataOf(client), client_name: "New" });
    expect((await stored(client))["registration_expires_at"]).toBe(
      before["registration_expires_at"],
    );
  });

  it("writes an event with what has changed", async () => {
    const client = await register(open);
    const log = listenToLog();
    await put(client, { ...metadataOf(client), client_name: "New" });
    await put(client, { ...metadataOf(client), client_name: "New" });
    const events = parsedLog(log).filter(
      ({ event }) => event === "client.registered",
    );
    expect(events).toEqual([
      expect.objectContaining({
        client_id: client.client_id,
        action: "changed",
        changes: [{ field: "client_name", from: "Agent", to: "New" }],
      }),
    ]);
  });
});

describe("DELETE", () => {
  it("ends the client and its logins at once, and its token with it", async () => {
    const client = await register(open);
    const { refresh_token } = await open.login(client);
    const log = listenToLog();
    const response = await ask(client, "DELETE");
    expect(response.status).toBe(204);
    expect(await response.text()).toBe("");
    expect(parsedLog(log)).toContainEqual(
      expect.objectContaining({
        event: "client.registered",
        client_id: client.client_id,
        action: "deleted",
      }),
    );
    expect(await refusal(await open.refresh(client, refresh_token))).toEqual([
      401,
      "invalid_client",
      "client_unknown",
    ]);
    for (const method of ["GET", "DELETE"])
      expect(await refusal(await ask(client, method))).toEqual(wrongToken);
  });

  it("of a client that has signed nobody in leaves nothing in the storage that lasts longer than the registration", async () => {
    const clientAt = async ({ client_id }: Registered) => {
      const { keys } = await env.KV.list({ prefix: `client:${client_id}` });
      return keys[0]?.expiration ?? Infinity;
    };
    const client = await register(open);
    const end = await clientAt(client);
    expect((await ask(client, "DELETE")).status).toBe(204);
    expect(await clientAt(client)).toBeLessThanOrEqual(end);
    expect(await refusal(await ask(client, "GET"))).toEqual(wrongToken);
    const path = `/clients/${client.client_id}/restore`;
    expect(await refusal(await open.admin("POST", path))).toEqual([
      409,
      "conflict",
      "client_not_restorable",
    ]);
    // The id of one that has signed somebody in stays taken, and can be restored.
    const used = await register(open);
    await open.login(used);
    await ask(used, "DELETE");
    expect(await clientAt(used)).toBeGreaterThan(end + 30 * 24 * 60 * 60);
  });

  it("can be taken back by an administrator, and the client gets time to be used again", async () => {
    const client = await register(open);
    const { refresh_token } = await open.login(client);
    await ask(client, "DELETE");
    const before = Math.floor(Date.now() / 1000);
    const path = `/clients/${client.client_id}/restore`;
    const restored = await open.expectAdmin<{
      registration_expires_at: number;
    }>("POST", path);
    expect(restored.registration_expires_at).toBeGreaterThanOrEqual(
      before + 30 * 24 * 60 * 60,
    );
    await open.expectRefresh(client, refresh_token);
    expect((await ask(client, "GET")).status).toBe(200);
  });
});

describe("an administrator", () => {
  it("changes a client that registered itself, and the record still ends", async () => {
    const client = await register(open);
    const path = `/clients/${client.client_id}`;
    const { registration_expires_at: end = 0 } = await open.expectAdmin<{
      registration_expires_at?: number;
    }>("PATCH", path, { client_name: "Known agent" });
    expect((await ask(client, "GET")).status).toBe(200);
    const { keys } = await env.KV.list({
      prefix: `client:${client.client_id}`,
    });
    expect(Math.abs((keys[0]?.expiration ?? 0) - end)).toBeLessThan(120);
  });

  it("cannot change how a client came in, or when it ends", async () => {
    const { client_id } = await register(open);
    for (const field of [
      "registered_by",
      "registration_expires_at",
      "registration_token_hash",
    ]) {
      const response = await open.admin("PATCH", `/clients/${client_id}`, {
        [field]: null,
      });
      expect(await refusal(response)).toEqual([
        400,
        "invalid_request",
        "admin_body_invalid",
      ]);
    }
  });

  it("can read a record that is older than the token of a registration", async () => {
    const client = await register(open);
    await rewriteClient(client, { registration_token_hash: undefined });
    const other = serverWith({ DYNAMIC_REGISTRATION: "open" });
    const { registration_access_token: token } = client;
    expect(await refusal(await manage(other, client, token, "GET"))).toEqual(
      wrongToken,
    );
  });
});
