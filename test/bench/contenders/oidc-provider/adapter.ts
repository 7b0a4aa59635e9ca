import type { Adapter, AdapterPayload } from "oidc-provider";
import { settingsFromArguments } from "../settings.ts";
import { openDatabase } from "../sqlite.ts";

export const settings = settingsFromArguments();

// As in the library's example for SQL (example/adapters/contributed/knex.js): one table for all models, with
// the whole payload, and extra columns for the look-ups. The key begins with the id, because with the type
// first, SQLite would read all tokens to revoke those of one grant.
export const database = openDatabase(
  settings,
  `CREATE TABLE IF NOT EXISTS oidc_payloads (
     type TEXT NOT NULL,
     id TEXT NOT NULL,
     payload TEXT NOT NULL,
     grant_id TEXT,
     user_code TEXT,
     uid TEXT,
     expires_at INTEGER,
     consumed_at INTEGER,
     PRIMARY KEY (id, type)
   ) WITHOUT ROWID;
   CREATE INDEX IF NOT EXISTS by_grant_id ON oidc_payloads (grant_id) WHERE grant_id IS NOT NULL;
   CREATE INDEX IF NOT EXISTS by_user_code ON oidc_payloads (user_code) WHERE user_code IS NOT NULL;
   CREATE INDEX IF NOT EXISTS by_uid ON oidc_payloads (uid) WHERE uid IS NOT NULL`,
);

const upsert = database.prepare(
  `INSERT INTO oidc_payloads (type, id, payload, grant_id, user_code, uid, expires_at)
   VALUES (?, ?, ?, ?, ?, ?, ?)
   ON CONFLICT DO UPDATE SET payload = excluded.payload, grant_id = excluded.grant_id,
     user_code = excluded.user_code, uid = excluded.uid, expires_at = excluded.expires_at`,
);
const SELECT = "SELECT payload, consumed_at FROM oidc_payloads";
const find = database.prepare(`${SELECT} WHERE type = ? AND id = ?`);
const findByUserCode = database.prepare(
  `${SELECT} WHERE type = ? AND user_code = ?`,
);
const findByUid = database.prepare(`${SELECT} WHERE type = ? AND uid = ?`);
const consume = database.prepare(
  "UPDATE oidc_payloads SET consumed_at = ? WHERE type = ? AND id = ?",
);
const destroy = database.prepare(
  "DELETE FROM oidc_payloads WHERE type = ? AND id = ?",
);
const revokeByGrantId = database.prepare(
  "DELETE FROM oidc_payloads WHERE type = ? AND grant_id = ?",
);

/**
 * The library's Adapter (example/my_adapter.js). `consume` marks a token and does not report who was first,
 * because the library does not ask: it checks that the token is unconsumed before it calls. Consumed tokens
 * stay in the table, so that the library can detect a replay.
 */
export class SqliteAdapter implements Adapter {
  readonly #type: string;

  constructor(type: string) {
    this.#type = type;
  }

  async upsert(id: string, payload: AdapterPayload, expiresIn?: number) {
    upsert.run(
      this.#type,
      id,
      JSON.stringify(payload),
      payload.grantId ?? null,
      payload.userCode ?? null,
      payload.uid ?? null,
      expiresIn ? Math.floor(Date.now() / 1000) + expiresIn : null,
    );
  }

  async find(id: string) {
    return stored(find.get(this.#type, id));
  }

  async findByUserCode(userCode: string) {
    return stored(findByUserCode.get(this.#type, userCode));
  }

  async findByUid(uid: string) {
    return stored(findByUid.get(this.#type, uid));
  }

  async consume(id: string) {
    consume.run(Math.floor(Date.now() / 1000), this.#type, id);
  }

  async destroy(id: string) {
    destroy.run(this.#type, id);
  }

  async revokeByGrantId(grantId: string) {
    revokeByGrantId.run(this.#type, grantId);
  }
}

function stored(row: ReturnType<typeof find.get>): AdapterPayload | undefined {
  if (!row) return undefined;
  const payload = JSON.parse(String(row.payload)) as AdapterPayload;
  return row.consumed_at === null ? payload : { ...payload, consumed: true };
}
