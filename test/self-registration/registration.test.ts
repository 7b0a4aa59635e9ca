import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { listenToLog, parsedLog } from "../support/log.ts";
import {
  agent,
  expectNoEmptyMembers,
  postRegistration,
  register,
  type Registered,
  writeResources,
} from "../support/registration.ts";
import { refusal, server, serverWith } from "../support/server.ts";

/** Dynamic registration (RFC 7591): what real clients send is accepted, and what is registered is told. */

const open = serverWith({ DYNAMIC_REGISTRATION: "open" });

beforeAll(() => writeResources());

afterEach(() => {
  vi.restoreAllMocks();
});

async function metadataOf(of = open) {
  const path = "/.well-known/oauth-authorization-server";
  const response = await of.http(path);
  return response.json<Record<string, unknown>>();
}

describe("a server without DYNAMIC_REGISTRATION", () => {
  it("has no registration endpoint", async () => {
    const response = await postRegistration(server, agent);
    expect(await refusal(response)).toEqual([404, "not_found", "path_unknown"]);
    const one = await server.http(`/register/${crypto.randomUUID()}`);
    expect(await refusal(one)).toEqual([404, "not_found", "path_unknown"]);
    expect(await metadataOf(server)).not.toHaveProperty(
      "registration_endpoint",
    );
  });
});

describe("POST /register", () => {
  it("is in the metadata", async () => {
    expect(await metadataOf()).toHaveProperty(
      "registration_endpoint",
      "https://auth.example.com/register",
    );
  });

  it("registers a public client, and tells what is registered", async () => {
    const before = Math.floor(Date.now() / 1000);
    const response = await postRegistration(open, {
      ...agent,
      logo_uri: "https://agent.example/logo.png",
      software_id: "agent",
      tos_uri: "",
      contacts: null,
      scope: "everything that the metadata lists",
    });
    expect(response.status).toBe(201);
    expect(response.headers.get("Cache-Control")).toBe("no-store");
    const body = await response.json<Registered>();
    const { client_id, client_id_issued_at, ...rest } = body;
    expect(client_id).toMatch(/^[0-9a-f-]{36}$/);
    expect(client_id_issued_at).toBeGreaterThanOrEqual(before);
    expect(rest).toEqual({
      ...agent,
      registration_access_token: expect.stringMatching(
        /^baton_rat_[\w-]{43}$/,
      ) as unknown,
      registration_client_uri: `https://auth.example.com/register/${client_id}`,
    });
    expectNoEmptyMembers(body);
  });

  it("gives a confidential client a secret that does not expire and works", async () => {
    const client = await register(open, {
      redirect_uris: ["https://agent.example/callback"],
      token_endpoint_auth_method: "client_secret_post",
    });
    expect(client).toMatchObject({
      client_secret_expires_at: 0,
      token_endpoint_auth_method: "client_secret_post",
    });
    const { refresh_token } = await open.login(client);
    await open.expectRefresh(client, refresh_token);
  });

  it("stores the token and the secret as hashes only, and no administrator sees a hash", async () => {
    const client = await register(open, {
      redirect_uris: ["https://agent.example/callback"],
    });
    const key = `client:${client.client_id}`;
    const record = (await env.KV.get(key)) ?? "";
    expect(record).toContain("registration_token_hash");
    expect(record).not.toContain(client.registration_access_token);
    expect(record).not.toContain(client.client_secret);
    const path = `/clients/${client.client_id}`;
    const shown = JSON.stringify(await open.expectAdmin("GET", path));
    expect(shown).toContain("dynamic_registration");
    expect(shown).not.toContain("hash");
  });

  it("makes a client that ends after a day in which it signs nobody in", async () => {
    const { client_id, client_id_issued_at: made } = await register(open);
    const record = await open.expectAdmin<Record<string, unknown>>(
      "GET",
      `/clients/${client_id}`,
    );
    expect(record).toMatchObject({
      registered_by: "dynamic_registration",
      registration_expires_at: made + 24 * 60 * 60,
      refresh_token_retry_window: "PT1M",
      scope: "",
      resources: [],
    });
    const { keys } = await env.KV.list({ prefix: `client:${client_id}` });
    const expiration = keys[0]?.expiration ?? 0;
    expect(Math.abs(expiration - made - 24 * 60 * 60)).toBeLessThan(120);
  });

  it("tells which scopes the client may ask for: those of the resources that are open to it", async () => {
    await writeResources({
      "https://mcp.example.com/": {
        scope: "mcp:tools mcp:prompts",
        self_registered_clients: true,
      },
      "https://billing.example.com/": { scope: "pay" },
    });
    const fresh = serverWith({ DYNAMIC_REGISTRATION: "open" });
    const { scope } = await register(fresh, { ...agent, scope: "pay admin" });
    expect(scope).toBe("mcp:tools mcp:prompts");
    const strict = serverWith({
      DYNAMIC_REGISTRATION: "open",
      OFFLINE_ACCESS_REQUIRED: "on",
    });
    expect((await register(strict)).scope).toBe(
      "mcp:tools mcp:prompts offline_access",
    );
    await writeResources();
  });

  it("writes an event", async () => {
    const log = listenToLog();
    const { client_id } = await register(open);
    const events = parsedLog(log).filter(
      ({ event }) => event === "client.registered",
    );
    expect(events).toEqual([
      expect.objectContaining({ client_id, action: "created" }),
    ]);
    expect(JSON.stringify(events)).not.toMatch(/baton_rat|hash/);
  });

  it("is open to pages of other origins, errors too", async () => {
    const origin = { Origin: "https://inspector.example" };
    const preflight = await open.http("/register", {
      method: "OPTIONS",
      headers: {
        ...origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,mcp-protocol-version",
      },
    });
    expect(preflight.status).toBe(204);
    const granted = preflight.headers.get("Access-Control-Allow-Headers");
    expect(granted).toContain("mcp-protocol-version");
    const made = await postRegistration(open, agent, origin);
    const refused = await postRegistration(open, {}, origin);
    expect(refused.status).toBe(400);
    for (const { headers } of [preflight, made, refused])
      expect(headers.get("Access-Control-Allow-Origin")).toBe("*");
    const one = await open.http(`/register/${crypto.randomUUID()}`, {
      method: "OPTIONS",
      headers: { ...origin, "Access-Control-Request-Method": "DELETE" },
    });
    expect(one.headers.get("Access-Control-Allow-Methods")).toBe(
      "GET,PUT,DELETE,HEAD",
    );
  });
});

describe("what real clients send", () => {
  const defaults = {
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
  };
  const loopback = ["http://localhost:3334/oauth/callback"];

  it.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    [
      "VS Code: every grant type that it knows, several redirect URIs",
      {
        client_name: "Visual Studio Code",
        client_uri: "https://code.visualstudio.com",
        grant_types: [
          "authorization_code",
          "refresh_token",
          "urn:ietf:params:oauth:grant-type:device_code",
        ],
        response_types: ["code"],
        redirect_uris: [
          "https://insiders.vscode.dev/redirect",
          "https://vscode.dev/redirect",
          "http://127.0.0.1/",
          "http://127.0.0.1:33418/",
        ],
        scope: "mcp:tools",
        token_endpoint_auth_method: "none",
        application_type: "native",
      },
      { ...defaults, token_endpoint_auth_method: "none" },
    ],
    [
      "Cursor: a scheme of its own beside https and a loopback address",
      {
        client_name: "Cursor",
        redirect_uris: [
          "cursor://anysphere.cursor-mcp/oauth/callback",
          "https://www.cursor.com/agents/mcp/oauth/callback",
          "http://localhost:8787/callback",
        ],
        token_endpoint_auth_method: "none",
      },
      { ...defaults, token_endpoint_auth_method: "none" },
    ],
    [
      "MCP Inspector: an empty scope",
      {
        redirect_uris: ["http://localhost:6274/oauth/callback"],
        token_endpoint_auth_method: "none",
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
        client_name: "MCP Inspector",
        client_uri: "https://github.com/modelcontextprotocol/inspector",
        scope: "",
        application_type: "native",
      },
      { ...defaults, token_endpoint_auth_method: "none" },
    ],
    [
      "MCP Inspector without refresh tokens",
      { redirect_uris: loopback, grant_types: ["authorization_code"] },
      { grant_types: ["authorization_code"] },
    ],
    [
      "Python: null for everything that is left out",
      {
        redirect_uris: ["http://127.0.0.1:8000/callback"],
        token_endpoint_auth_method: null,
        grant_types: null,
        response_types: null,
        scope: null,
        client_name: null,
        client_uri: null,
        jwks: null,
      },
      { ...defaults, token_endpoint_auth_method: "client_secret_basic" },
    ],
    [
      "LM Studio: nothing but a name and a redirect URI",
      { client_name: "LM Studio", redirect_uris: loopback },
      { ...defaults, token_endpoint_auth_method: "client_secret_basic" },
    ],
    [
      "an agent that lists empty members and its resource",
      {
        client_name: " ",
        redirect_uris: loopback,
        grant_types: [],
        response_types: [],
        token_endpoint_auth_method: "",
        resource: "https://mcp.example.com/",
      },
      { ...defaults, token_endpoint_auth_method: "client_secret_basic" },
    ],
    [
      "a service: the same redirect URI twice",
      {
        client_name: "Claude",
        redirect_uris: [
          "https://claude.ai/api/mcp/auth_callback",
          "https://claude.ai/api/mcp/auth_callback",
        ],
        token_endpoint_auth_method: "client_secret_post",
      },
      { redirect_uris: ["https://claude.ai/api/mcp/auth_callback"] },
    ],
  ])("is registered (%s)", async (_, sent, expected) => {
    const body = await register(open, sent);
    expect(body).toMatchObject(expected);
    expectNoEmptyMembers(body);
  });

  it("lets a client that named no method send its secret either way, because libraries differ", async () => {
    const client = await register(open, { redirect_uris: loopback });
    const { refresh_token } = await open.login(client);
    const second = await open.expectRefresh(client, refresh_token);
    const { client_id, client_secret = "" } = client;
    const third = await open.token(
      { grant_type: "refresh_token", refresh_token: second.refresh_token },
      { Authorization: `Basic ${btoa(`${client_id}:${client_secret}`)}` },
    );
    expect(third.status).toBe(200);
  });
});
