import { keepRequestLine } from "./request-lines.ts";

/** A setup file: the request lines of a test file are kept from its first request on. */

for (const method of ["log", "error"] as const) {
  const write = console[method].bind(console);
  console[method] = (...values: unknown[]) => {
    keepRequestLine(values[0]);
    write(...values);
  };
}
