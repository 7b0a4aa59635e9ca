import { keepRequestLine } from "./request-lines.ts";

/** Setup file: keeps the log lines of all requests of a test file, from the first request on. */

for (const method of ["log", "error"] as const) {
  const write = console[method].bind(console);
  console[method] = (...values: unknown[]) => {
    keepRequestLine(values[0]);
    write(...values);
  };
}
