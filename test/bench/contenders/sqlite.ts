import { generateKeyPairSync, type JsonWebKey, randomUUID } from "node:crypto";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Settings } from "./settings.ts";

/**
 * Opens the database of a contender and creates its tables. A later start with the same folder finds
 * everything that was committed. With `sync` it is as durable as Baton's store: a commit is on the disk before
 * it is acknowledged. Without, a commit is only handed to the operating system: it survives the end of the
 * process, and a power cut may lose it.
 *
 * Its calls are synchronous. So in one process a library's look-up of a token and the write that follows are
 * one step, whether or not the library asks for that. With a database on the network they would not be.
 */
export function openDatabase(
  { folder, sync }: Pick<Settings, "folder" | "sync">,
  schema: string,
): DatabaseSync {
  const database = new DatabaseSync(join(folder, "store.sqlite"));
  // https://www.sqlite.org/pragma.html#pragma_synchronous
  const synchronous = sync ? "FULL" : "OFF";
  database.exec(
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}`,
  );
  database.exec(schema);
  return database;
}

/** The ES256 key that signs access tokens. It is made at the first call and stored. */
export function signingKey(
  database: DatabaseSync,
): JsonWebKey & { kid: string } {
  database.exec("CREATE TABLE IF NOT EXISTS signing_keys (jwk TEXT NOT NULL)");
  const kept = database.prepare("SELECT jwk FROM signing_keys").get();
  if (kept)
    return JSON.parse(String(kept.jwk)) as ReturnType<typeof signingKey>;

  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = {
    ...privateKey.export({ format: "jwk" }),
    kid: randomUUID(),
    alg: "ES256",
    use: "sig",
  };
  database
    .prepare("INSERT INTO signing_keys (jwk) VALUES (?)")
    .run(JSON.stringify(jwk));
  return jwk;
}
