import type { Problem } from "../oauth/errors.ts";
import type { RefreshHookSettings } from "../oauth/settings.ts";
import { refreshHookIn } from "../platform/refresh-hook.ts";

/** The rules for REFRESH_HOOK, REFRESH_HOOK_TIMEOUT and REFRESH_HOOK_FAIL_CLOSED. */

interface Variables {
  REFRESH_HOOK_TIMEOUT: string;
  REFRESH_HOOK_FAIL_CLOSED?: "on" | undefined;
}

/** An ISO 8601 duration of seconds, with at most three decimals. `duration.ts` has whole numbers only. */
const secondsPattern = /^PT(\d{1,2}(?:\.\d{1,3})?)S$/;
/** The shortest and the longest time that a hook may have, in milliseconds. The app waits that long for its tokens. */
const MIN_MS = 100;
const MAX_MS = 10_000;

/** Checks REFRESH_HOOK_TIMEOUT. */
export function timeoutProblem(timeout: string): string | undefined {
  const ms = milliseconds(timeout);
  return ms >= MIN_MS && ms <= MAX_MS
    ? undefined
    : "must be from PT0.1S to PT10S, in seconds";
}

/** Returns a time-out in milliseconds; NaN if it is not one. */
export function milliseconds(timeout: string): number {
  const [, seconds] = secondsPattern.exec(timeout) ?? [];
  return Math.round(Number(seconds) * 1000);
}

/** Checks the binding: what has to be refused without a decision must have somebody who decides. */
export function refreshHookProblems(
  env: object,
  { REFRESH_HOOK_FAIL_CLOSED: failClosed }: Variables,
): Problem[] {
  const name = "REFRESH_HOOK";
  const bound: unknown = refreshHookIn(env);
  if (bound === undefined) {
    const problem = "is not bound, and REFRESH_HOOK_FAIL_CLOSED is on";
    return failClosed ? [{ name, problem }] : [];
  }
  const isBinding =
    bound !== null && /^(?:object|function)$/.test(typeof bound);
  return isBinding ? [] : [{ name, problem: "must be a service binding" }];
}

/** Returns how the hook is asked. Undefined: none is bound. */
export function refreshHookSettings(
  env: object,
  {
    REFRESH_HOOK_TIMEOUT: timeout,
    REFRESH_HOOK_FAIL_CLOSED: failClosed,
  }: Variables,
): RefreshHookSettings | undefined {
  if (!refreshHookIn(env)) return undefined;
  return {
    timeout_ms: milliseconds(timeout),
    fail_closed: failClosed === "on",
  };
}
