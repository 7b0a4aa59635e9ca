import { printable } from "../output.ts";

/** Writes lines to standard error, because standard output has the result only. */
export function notice(text: string): void {
  process.stderr.write(`${text.split("\n").map(printable).join("\n")}\n`);
}
