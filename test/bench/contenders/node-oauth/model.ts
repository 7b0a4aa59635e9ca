import { createHash, timingSafeEqual } from "node:crypto";
import type OAuth2Server from "@node-oauth/oauth2-server";
import { openDatabase } from "../sqlite.ts";
import { settingsFromArguments } from "../settings.ts";

export const settings = settingsFromArguments();

// Two tables with unhashed tokens, as in the documentation of saveToken (docs/api/model.md).
const database = openDatabase(
  settings,
  `CREATE TABLE IF NOT EXISTS oauth_clients (
     client_id TEXT PRIMARY KEY,
     secret_hash BLOB NOT NULL,
     grants TEXT NOT NULL
   ) WITHOUT ROWID;
   CREATE TABLE IF NOT EXISTS oauth_access_tokens (
     access_token TEXT PRIMARY KEY,
     expires_at INTEGER NOT NULL,
     scope TEXT,
     client_id TEXT NOT NULL,
     user_id TEXT NOT NULL
   ) WITHOUT ROWID;
   CREATE TABLE IF NOT EXISTS oauth_refresh_tokens (
     refresh_token TEXT PRIMARY KEY,
     expires_at INTEGER NOT NULL,
     scope TEXT,
     client_id TEXT NOT NULL,
     user_id TEXT NOT NULL
   ) WITHOUT ROWID`,
);

const findClient = database.prepare(
  "SELECT secret_hash, grants FROM oauth_clients WHERE client_id = ?",
);
const findAccessToken = database.prepare(
  "SELECT * FROM oauth_access_tokens WHERE access_token = ?",
);
const findRefreshToken = database.prepare(
  "SELECT * FROM oauth_refresh_tokens WHERE refresh_token = ?",
);
const deleteRefreshToken = database.prepare(
  "DELETE FROM oauth_refresh_tokens WHERE refresh_token = ?",
);
const insertAccessToken = database.prepare(
  "INSERT INTO oauth_access_tokens (access_token, expires_at, scope, client_id, user_id) VALUES (?, ?, ?, ?, ?)",
);
const insertRefreshToken = database.prepare(
  "INSERT INTO oauth_refresh_tokens (refresh_token, expires_at, scope, client_id, user_id) VALUES (?, ?, ?, ?, ?)",
);

/**
 * The library's model for refreshes and for requests with access tokens. Users belong to the application,
 * so no contender looks them up.
 */
export const model: OAuth2Server.RefreshTokenModel = {
  async getClient(id, secret) {
    const row = findClient.get(id);
    if (!row || !(settings.agents || isSecret(row, secret))) return false;
    return { id, grants: JSON.parse(String(row.grants)) as string[] };
  },

  async getRefreshToken(refreshToken) {
    const row = findRefreshToken.get(refreshToken);
    return (
      row && {
        refreshToken,
        refreshTokenExpiresAt: new Date(Number(row.expires_at)),
        ...granted(row),
      }
    );
  },

  // As in the documentation: deletes the row. Only the first call finds one, which tells who was first.
  async revokeToken(token) {
    return deleteRefreshToken.run(token.refreshToken).changes > 0;
  },

  // The two inserts of the documentation in one transaction, so that there is one commit and both tokens or none.
  async saveToken(token, client, user) {
    const scope = token.scope?.join(" ") ?? null;
    const grant = [scope, client.id, String(user.id)];
    database.exec("BEGIN IMMEDIATE");
    try {
      insertAccessToken.run(
        token.accessToken,
        expiry(token.accessTokenExpiresAt),
        ...grant,
      );
      if (token.refreshToken)
        insertRefreshToken.run(
          token.refreshToken,
          expiry(token.refreshTokenExpiresAt),
          ...grant,
        );
      database.exec("COMMIT");
    } catch (error) {
      database.exec("ROLLBACK");
      throw error;
    }
    return { ...token, client, user };
  },

  async getAccessToken(accessToken) {
    const row = findAccessToken.get(accessToken);
    return (
      row && {
        accessToken,
        accessTokenExpiresAt: new Date(Number(row.expires_at)),
        ...granted(row),
      }
    );
  },
};

type Row = NonNullable<ReturnType<typeof findRefreshToken.get>>;

function granted(row: Row) {
  return {
    ...(row.scope === null ? {} : { scope: String(row.scope).split(" ") }),
    client: { id: String(row.client_id), grants: [] },
    user: { id: String(row.user_id) },
  };
}

function expiry(date: Date | undefined): number {
  if (!date) throw new Error("The library gave a token without an expiry.");
  return date.getTime();
}

function isSecret(row: Row, secret: string): boolean {
  return timingSafeEqual(row.secret_hash as Uint8Array, hash(secret));
}

/** A plain hash is enough, because the secret is random and long. */
function hash(secret: string): Uint8Array {
  return createHash("sha256").update(secret).digest();
}

database
  .prepare(
    "INSERT INTO oauth_clients (client_id, secret_hash, grants) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
  )
  .run(
    settings.client_id,
    hash(settings.client_secret),
    JSON.stringify(["authorization_code", "refresh_token"]),
  );
