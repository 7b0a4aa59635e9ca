import { UsageError } from "../failure.ts";

/**
 * Reads the value of `--limit`. Left out, there is no limit.
 *
 * @throws UsageError if it is not a whole number from 1
 */
export function parseLimit(text: string | undefined): number {
  if (text === undefined) return Infinity;
  const limit = Number(text);
  if (Number.isSafeInteger(limit) && limit >= 1) return limit;
  throw new UsageError("--limit must be a whole number, at least 1.");
}
