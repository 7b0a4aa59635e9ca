import { createHash } from "node:crypto";
import { settingsFromArguments } from "../settings.ts";
import { openDatabase } from "../sqlite.ts";

export const settings = settingsFromArguments();

// The library's "simplified schema", which keeps scopes as a list in a column (docs, Database Schema).
export const database = openDatabase(
  settings,
  `CREATE TABLE IF NOT EXISTS oauth_clients (
     id TEXT PRIMARY KEY,
     name TEXT NOT NULL,
     secret TEXT,
     redirect_uris TEXT NOT NULL,
     allowed_grants TEXT NOT NULL,
     scopes TEXT NOT NULL
   ) WITHOUT ROWID;
   CREATE TABLE IF NOT EXISTS oauth_tokens (
     access_token TEXT PRIMARY KEY,
     access_token_expires_at INTEGER NOT NULL,
     refresh_token TEXT UNIQUE,
     refresh_token_expires_at INTEGER,
     client_id TEXT NOT NULL,
     user_id TEXT,
     scopes TEXT NOT NULL,
     originating_auth_code_id TEXT,
     created_at INTEGER NOT NULL,
     revoked_at INTEGER
   ) WITHOUT ROWID`,
);

/**
 * The library's documentation asks for hashed secrets, and suggests the same for refresh tokens. All of them
 * are random and long, so a plain hash is enough. bcrypt would cost each refresh a tenth of a second.
 */
export function hash(secret: string): string {
  return createHash("sha256").update(secret).digest("base64url");
}
