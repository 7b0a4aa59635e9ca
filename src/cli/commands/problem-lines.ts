import { printable } from "../output.ts";
import type { Health } from "./admin-client.ts";

/** One line for each problem that a server names in `/health`. */
export function problemLines(
  problems: NonNullable<Health["problems"]>,
): string[] {
  return problems.map(({ name, problem }) => printable(`  ${name} ${problem}`));
}
