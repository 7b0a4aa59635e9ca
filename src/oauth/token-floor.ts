import type { Seconds } from "./duration.ts";

/**
 * Tells whether a client's record ends what was authorized or issued at a time. The very second of
 * `tokens_not_before` counts as before it, because what came first in that second is unknown.
 */
export function isBeforeFloor(
  { tokens_not_before }: { tokens_not_before?: Seconds | undefined },
  time: Seconds,
): boolean {
  return tokens_not_before !== undefined && time <= tokens_not_before;
}
