import { renameSync, writeFileSync } from "node:fs";

/** Writes a file in one step, so that no other process reads half of it. */
export function replaceFile(file: string, text: string): void {
  const written = `${file}.${process.pid}`;
  writeFileSync(written, text);
  renameSync(written, file);
}
