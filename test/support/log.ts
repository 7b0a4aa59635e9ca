import { vi } from "vitest";
import { keepRequestLine } from "./request-lines.ts";

/** Collects what is written to the console, until `vi.restoreAllMocks` restores it. */
export function listenToLog(): string[] {
  const lines: string[] = [];
  for (const method of ["log", "error", "warn", "info", "debug"] as const) {
    vi.spyOn(console, method).mockImplementation((...values) => {
      // The spy replaces the method of `keep-request-lines.ts`, so it keeps the line in its place.
      keepRequestLine(values[0]);
      lines.push(values.map(String).join(" "));
    });
  }
  return lines;
}

/** Parses the log's lines, each of which is JSON. */
export function parsedLog(lines: readonly string[]): Record<string, unknown>[] {
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}
