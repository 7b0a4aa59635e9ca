import { generateKeyPairSync, type JsonWebKey, randomUUID } from "node:crypto";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/**
 * The one database of a contender, with its tables, of which a later start on the same folder finds all
 * that was committed. As durable as Baton's store: a commit is on the disk before anyone hears of it.
 *
 * Its calls are synchronous. In one process, that makes a library's look-up of a token and the write which
 * follows it one step, whether the library asks for that or not; a database over the network would not.
 */
export function openDatabase(folder: string, schema: string): DatabaseSync {
  const database = new DatabaseSync(join(folder, "store.sqlite"));
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  database.exec(schema);
  return database;
}

/** The ES256 key that signs access tokens: made when it is first asked for, the same one ever after. */
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
