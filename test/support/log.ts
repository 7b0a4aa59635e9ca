import { vi } from "vitest";
import { keepRequestLine } from "./request-lines.ts";

/** Keeps what is written to the console; `vi.restoreAllMocks` gives it back. */
export function listenToLog(): string[] {
  const lines: string[] = [];
  for (const method of ["log", "error", "warn", "info", "debug"] as const) {
    vi.spyOn(console, method).mockImplementation((...values) => {
      // The spy stands before what `keep-request-lines.ts` has put there.
      keepRequestLine(values[0]);
      lines.push(values.map(String).join(" "));
    });
  }
  return lines;
}

/** The log's lines, each of them JSON. */
export function parsedLog(lines: readonly string[]): Record<string, unknown>[] {
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}
