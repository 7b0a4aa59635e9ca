import { env } from "cloudflare:workers";
import { listDurableObjectIds, runInDurableObject } from "cloudflare:test";
import type { SubjectIndex, TokenFamily } from "../../src/index.ts";
import type { Reason } from "../../src/oauth/errors.ts";
import { encryptedByDefuse } from "./defuse.ts";
import vectors from "../league/refresh-tokens.json" with { type: "json" };
import { expect } from "vitest";
import {
  refusal,
  serverWith,
  type TestClient,
  type TestServer,
} from "./server.ts";

/** What a league server has made, and what stands in for one. */

export const { keys, vectors: good, refused } = vectors;
export type KeyName = keyof typeof keys;

/** A server that knows the key of the old one. */
export function leagueServer(
  key: KeyName,
  overrides: Record<string, unknown> = {},
): TestServer {
  return serverWith({
    LEAGUE_ENCRYPTION_KEY: keys[key].value,
    ...overrides,
  });
}

export function vector(name: string, key: KeyName) {
  const found = good.find((one) => one.name === name && one.key === key);
  if (!found) throw new Error(`there is no vector "${name}" of ${key}`);
  return found;
}

/** A client with the id that the old server's tokens name. */
export async function takeOver(
  server: TestServer,
  client_id: string,
  metadata: Record<string, unknown> = {},
): Promise<TestClient> {
  await server.makeScopes("read", "write", "admin.users:read");
  const scope = "read write admin.users:read";
  return server.makeClient({ client_id, scope, ...metadata });
}

interface Payload {
  client_id: unknown;
  refresh_token_id: unknown;
  user_id?: unknown;
  scopes: unknown;
  expire_time: unknown;
}

/** A token as the old server would make it with its Defuse key. */
export async function oldToken(payload: Partial<Payload>): Promise<string> {
  const complete = {
    client_id: "demo",
    refresh_token_id: newTokenId(),
    access_token_id: newTokenId(),
    scopes: ["read", "write"],
    user_id: "42",
    expire_time: 2_111_002_082,
    ...payload,
  };
  return encryptedByDefuse(JSON.stringify(complete));
}

/** As league makes ids: 40 random bytes in hexadecimal. */
export function newTokenId(): string {
  return crypto.getRandomValues(new Uint8Array(40)).toHex();
}

/** That a token of the old server is refused, and for this reason. */
export async function expectRefused(
  server: TestServer,
  client: TestClient,
  token: string,
  reason: Reason,
): Promise<void> {
  const response = await server.refresh(client, token);
  expect(await refusal(response)).toEqual([400, "invalid_grant", reason]);
}

/** How much an object keeps: its rows, and whether it has an alarm. */
export function kept(object: DurableObjectStub<TokenFamily | SubjectIndex>) {
  return runInDurableObject(object, async (_, { storage }) => ({
    rows: [...storage.kv.list()].length,
    alarm: await storage.getAlarm(),
  }));
}

/** The objects that there are; the same before and after something that writes nothing. */
export async function objectsThatKeep(): Promise<Record<string, string[]>> {
  const { TOKEN_FAMILY, SUBJECT_INDEX, LEAGUE_LEDGER } = env;
  return {
    families: named(await listDurableObjectIds(TOKEN_FAMILY)),
    indexes: named(await listDurableObjectIds(SUBJECT_INDEX)),
    ledgers: named(await listDurableObjectIds(LEAGUE_LEDGER)),
  };
}

function named(ids: DurableObjectId[]): string[] {
  return ids.map(String).toSorted();
}
