import { stripVTControlCharacters } from "node:util";
import { printable } from "../output.ts";

/** Writes lines to standard error, because standard output has the result only. The colours of a table are left out. */
export function notice(text: string): void {
  const lines = stripVTControlCharacters(text).split("\n");
  process.stderr.write(`${lines.map(printable).join("\n")}\n`);
}
