import { existsSync } from "node:fs";
import { glob, stat } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Entrant } from "./entrant.ts";
import { type Login, logIn } from "./login.ts";
import { measureOnce } from "./load.ts";

/** How many logins the rotations are spread over. */
const CHAINS = 16;

/** @returns how many stored bytes each of these rotations adds */
export async function bytesPerRotation(
  entrant: Entrant,
  rotations: number,
): Promise<number> {
  const logins = await logIn(entrant.client, CHAINS);
  const rounds = Math.ceil(rotations / CHAINS);
  // The first rotation of a login is not counted, because it stores things that the others do not.
  await measureOnce(entrant, logins, CHAINS);
  const before = await bytesAtRest(entrant);
  for (let round = 0; round < rounds; round += 1)
    await measureOnce(entrant, logins, CHAINS);
  const after = await bytesAtRest(entrant);
  return (after - before) / (rounds * CHAINS);
}

/** @returns `count` new logins, and how many bytes each stores. The server has been restarted since. */
export async function storedLogins(
  entrant: Entrant,
  count: number,
): Promise<{ logins: Login[]; bytes: number }> {
  const before = await bytesAtRest(entrant);
  const logins = await logIn(entrant.client, count);
  const after = await bytesAtRest(entrant);
  return { logins, bytes: (after - before) / count };
}

/** Stops the server, counts its stored bytes, and starts it again. */
async function bytesAtRest(entrant: Entrant): Promise<number> {
  await entrant.server.stop();
  const bytes = await storedBytes(entrant.folder);
  await entrant.startAgain();
  return bytes;
}

/**
 * Counts the bytes of a server's SQLite files. The write-ahead logs are merged first, because their size
 * varies.
 */
async function storedBytes(folder: string): Promise<number> {
  let bytes = 0;
  for await (const name of glob("**/*.sqlite", { cwd: folder })) {
    const file = join(folder, name);
    if (existsSync(`${file}-wal`)) mergeLog(file);
    bytes += (await stat(file)).size;
  }
  return bytes;
}

function mergeLog(file: string): void {
  const database = new DatabaseSync(file);
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
}
