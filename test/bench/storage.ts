import { existsSync } from "node:fs";
import { glob, stat } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Entrant } from "./entrant.ts";
import { type Login, logIn } from "./login.ts";
import { measureOnce } from "./load.ts";

/** Chains that the rotations are spread over. */
const CHAINS = 16;

/** @returns how many bytes a rotation leaves behind, of so many */
export async function bytesPerRotation(
  entrant: Entrant,
  rotations: number,
): Promise<number> {
  const logins = await logIn(entrant.client, CHAINS);
  const rounds = Math.ceil(rotations / CHAINS);
  // What is made once, at the first rotation, is none of the others'.
  await measureOnce(entrant, logins, CHAINS);
  const before = await bytesAtRest(entrant);
  for (let round = 0; round < rounds; round += 1)
    await measureOnce(entrant, logins, CHAINS);
  const after = await bytesAtRest(entrant);
  return (after - before) / (rounds * CHAINS);
}

/** @returns so many logins, and how many bytes one of them takes; the server has started anew since */
export async function storedLogins(
  entrant: Entrant,
  count: number,
): Promise<{ logins: Login[]; bytes: number }> {
  const before = await bytesAtRest(entrant);
  const logins = await logIn(entrant.client, count);
  const after = await bytesAtRest(entrant);
  return { logins, bytes: (after - before) / count };
}

/** Ends the server, looks at what it has stored, and starts it again. */
async function bytesAtRest(entrant: Entrant): Promise<number> {
  await entrant.server.stop();
  const bytes = await storedBytes(entrant.folder);
  await entrant.startAgain();
  return bytes;
}

/** All of them store in SQLite. Its logs are folded in first: else their ups and downs are measured. */
async function storedBytes(folder: string): Promise<number> {
  let bytes = 0;
  for await (const name of glob("**/*.sqlite", { cwd: folder })) {
    const file = join(folder, name);
    if (existsSync(`${file}-wal`)) foldIn(file);
    bytes += (await stat(file)).size;
  }
  return bytes;
}

function foldIn(file: string): void {
  const database = new DatabaseSync(file);
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
}
