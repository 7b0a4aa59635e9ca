import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { openDatabase } from "./sqlite.ts";

// https://www.sqlite.org/pragma.html#pragma_synchronous
it.each([
  ["a store that syncs waits for the disk at each commit", true, 2],
  ["a store that does not sync never waits for the disk", false, 0],
])("%s", (_, sync, expected) => {
  const folder = mkdtempSync(join(tmpdir(), "baton-sqlite-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const database = openDatabase({ folder, sync }, "");
  const { synchronous } = database.prepare("PRAGMA synchronous").get()!;
  database.close();
  expect(synchronous).toBe(expected);
});
