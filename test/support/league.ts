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

/** Tokens that a league server made, and helpers that make more of them. */

export const { keys, vectors: goodVectors, refused: refusedVectors } = vectors;
export type KeyName = keyof typeof keys;

/** Makes a server that has the old server's key. */
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
  const found = goodVectors.find((one) => one.name === name && one.key === key);
  if (!found) throw new Error(`there is no vector "${name}" of ${key}`);
  return found;
}

/** Makes a client with an id that league tokens name. */
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

/** Makes a league token as the old server does with its Defuse key. */
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

/** Makes an id as league does: 40 random bytes in hexadecimal. */
export function newTokenId(): string {
  return crypto.getRandomValues(new Uint8Array(40)).toHex();
}

/** Expects that the exchange of a league token is refused for this reason. */
export async function expectRefused(
  server: TestServer,
  client: TestClient,
  token: string,
  reason: Reason,
): Promise<void> {
  const response = await server.refresh(client, token);
  expect(await refusal(response)).toEqual([400, "invalid_grant", reason]);
}

/** Reads what an object stores: the number of its rows, and the time of its alarm. */
export function storageOf(
  object: DurableObjectStub<TokenFamily | SubjectIndex>,
) {
  return runInDurableObject(object, async (_, { storage }) => ({
    rows: [...storage.kv.list()].length,
    alarm: await storage.getAlarm(),
  }));
}

/** Lists the ids of all objects. They are the same before and after a call that writes nothing. */
export async function objectIds(): Promise<Record<string, string[]>> {
  const { TOKEN_FAMILY, SUBJECT_INDEX, LEAGUE_LEDGER } = env;
  return {
    families: sortedIds(await listDurableObjectIds(TOKEN_FAMILY)),
    indexes: sortedIds(await listDurableObjectIds(SUBJECT_INDEX)),
    ledgers: sortedIds(await listDurableObjectIds(LEAGUE_LEDGER)),
  };
}

function sortedIds(ids: DurableObjectId[]): string[] {
  return ids.map(String).toSorted();
}
