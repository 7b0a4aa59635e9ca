import { env } from "cloudflare:workers";
import { decodeProtectedHeader } from "jose";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import packageJson from "../../package.json" with { type: "json" };
import {
  newEncryptionKey,
  newPem,
  setClock,
  startingAfter,
  T0,
} from "../support/rotation.ts";
import { serverWith, type TestServer } from "../support/server.ts";

/** The keys and the version in /health, for administrators: what an operator needs to know before a key is removed. */

const DAY = 86_400;
const START = 3600;

/** Seconds since 1970. */
const at = (seconds: number) => T0 / 1000 + seconds;

interface Health {
  status: string;
  version?: string;
  keys?: Record<string, unknown>[];
  more_clients?: true;
}

beforeEach(() => setClock(0));

afterEach(async () => {
  vi.useRealTimers();
  const { keys } = await env.KV.list({ prefix: "client:" });
  for (const { name } of keys) await env.KV.delete(name);
});

async function healthOf(server: TestServer): Promise<Health> {
  return (await server.wholeHealth()).json<Health>();
}

async function keysOf(server: TestServer, kind: string) {
  const { keys = [] } = await healthOf(server);
  return keys.filter((key) => key["kind"] === kind);
}

const [one, two, three] = [newEncryptionKey(), newEncryptionKey(), newPem()];

function rotating(overrides: Record<string, unknown> = {}): TestServer {
  return serverWith({
    ENCRYPTION_KEY: one,
    ENCRYPTION_KEY_2026_11: startingAfter(START, two),
    PRIVATE_KEY_2026_11: startingAfter(START, three),
    ...overrides,
  });
}

describe("/health", () => {
  it("tells administrators the version, and nobody else", async () => {
    const server = rotating();
    expect(await healthOf(server)).toMatchObject({
      status: "ok",
      version: packageJson.version,
    });
    const failing = rotating({ ISSUER: "" });
    expect((await healthOf(failing)).version).toBe(packageJson.version);
    for (const asked of [
      server.http("/health"),
      server.wholeHealth("x".repeat(16)),
    ])
      expect(await (await asked).json()).toEqual({ status: "ok" });
  });

  it("lists one key of each kind with the secret that holds it", async () => {
    const server = serverWith({});
    const client = await server.makeClient();
    const { access_token } = await server.login(client);
    const { kid, alg } = decodeProtectedHeader(access_token);
    expect((await healthOf(server)).keys).toEqual([
      {
        secret: "ENCRYPTION_KEY",
        kind: "encryption",
        kid: expect.stringMatching(/^[\w-]{6}$/) as string,
        state: "making",
        // REFRESH_TOKEN_TTL is P1M, from 26 November to 26 December.
        longest_life: 30 * DAY,
      },
      {
        secret: "PRIVATE_KEY",
        kind: "private",
        kid,
        alg,
        state: "making",
        longest_life: 3600,
      },
    ]);
  });

  it("lists a key as pending until its start, then as making, and its predecessor until its last token has expired", async () => {
    const server = rotating();
    const secret = "ENCRYPTION_KEY_2026_11";
    const from = at(START);
    expect(await keysOf(server, "encryption")).toMatchObject([
      { secret, state: "pending", from },
      { secret: "ENCRYPTION_KEY", state: "making" },
    ]);
    setClock(START);
    const [making, accepted] = await keysOf(server, "encryption");
    expect(making).toMatchObject({ secret, state: "making", from });
    expect(making).not.toHaveProperty("needed_until");
    // REFRESH_TOKEN_TTL is P1M, from 26 November to 26 December.
    expect(accepted).toEqual({
      secret: "ENCRYPTION_KEY",
      kind: "encryption",
      kid: expect.any(String) as string,
      state: "accepted",
      needed_until: from + 30 * DAY,
    });
    expect(await keysOf(server, "private")).toMatchObject([
      { secret: "PRIVATE_KEY_2026_11", state: "making" },
      // ACCESS_TOKEN_TTL is PT1H.
      { secret: "PRIVATE_KEY", state: "accepted", needed_until: from + 3600 },
    ]);
  });

  it("reckons with the longest lifetimes of the clients, and with half an hour for a sign-in", async () => {
    const short = rotating({ ACCESS_TOKEN_TTL: "PT5M" });
    setClock(START);
    expect(await keysOf(short, "private")).toMatchObject([
      { state: "making" },
      { state: "accepted", needed_until: at(START) + 30 * 60 },
    ]);
    await short.makeClient({ refresh_token_ttl: "P1D" });
    await short.makeClient({
      access_token_ttl: "P1D",
      refresh_token_ttl: "P60D",
    });
    const fresh = rotating({ ACCESS_TOKEN_TTL: "PT5M" });
    expect(await keysOf(fresh, "private")).toMatchObject([
      { state: "making" },
      { state: "accepted", needed_until: at(START) + DAY },
    ]);
    expect(await keysOf(fresh, "encryption")).toMatchObject([
      { state: "making" },
      { state: "accepted", needed_until: at(START) + 60 * DAY },
    ]);
  });

  it("reckons with the lifetime of a protected resource, whose tokens may be the longest-lived", async () => {
    const resources = {
      "https://api.example.com/notes": {
        scope: "",
        access_token_ttl: "P2D",
        self_registered_clients: false,
      },
    };
    await env.KV.put("resources", JSON.stringify(resources));
    try {
      const server = rotating();
      expect(await keysOf(server, "private")).toMatchObject([
        { state: "pending" },
        { state: "making", longest_life: 2 * DAY },
      ]);
      setClock(START + 60);
      expect(await keysOf(rotating(), "private")).toMatchObject([
        { state: "making" },
        { state: "accepted", needed_until: at(START) + 2 * DAY },
      ]);
    } finally {
      await env.KV.delete("resources");
    }
  });

  it("reckons from the first key that came after, where several did", async () => {
    const server = rotating({
      ENCRYPTION_KEY_2026_12: startingAfter(START + DAY, newEncryptionKey()),
    });
    setClock(START + 2 * DAY);
    expect(await keysOf(server, "encryption")).toMatchObject([
      { secret: "ENCRYPTION_KEY_2026_12", state: "making" },
      {
        secret: "ENCRYPTION_KEY_2026_11",
        state: "accepted",
        needed_until: at(START + DAY) + 30 * DAY,
      },
      {
        secret: "ENCRYPTION_KEY",
        state: "accepted",
        needed_until: at(START) + 30 * DAY,
      },
    ]);
  });

  it("does not tell until when a key is needed if its successor has no start time, or if the clients cannot be read", async () => {
    const listed = serverWith({ ENCRYPTION_KEY: `${two},${one}` });
    const keys = await keysOf(listed, "encryption");
    expect(keys.map(({ state }) => state)).toEqual(["making", "accepted"]);
    expect(keys.filter((key) => "needed_until" in key)).toEqual([]);

    setClock(START);
    await env.KV.put("scopes", "{");
    const unread = await healthOf(rotating());
    await env.KV.delete("scopes");
    expect(unread.status).toBe("failing");
    expect(unread.keys).toHaveLength(4);
    expect(unread.keys?.filter((key) => "needed_until" in key)).toEqual([]);
  });

  it("says that there are more clients than it has read, because one of them may have longer lifetimes", async () => {
    expect(await healthOf(rotating())).not.toHaveProperty("more_clients");
    const KV = Object.assign(Object.create(env.KV) as KVNamespace, {
      list: async () => ({ keys: [], list_complete: false, cursor: "next" }),
      getWithMetadata: (key: string) => env.KV.getWithMetadata(key),
    });
    expect((await healthOf(rotating({ KV }))).more_clients).toBe(true);
  });
});
