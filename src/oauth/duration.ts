import { add } from "date-fns/add";
import type { Duration } from "date-fns";

/** The longest duration, in years. Every expiry then fits into a Date and into a token. */
const MAX_YEARS = 100;

/** A point in time: whole seconds since 1970 (NumericDate of RFC 7519 section 2). */
export type Seconds = number;

/**
 * The largest difference between the clocks of two locations. The platform documents none, so it is generous.
 */
export const CLOCK_SKEW_SECONDS = 60;

/** An ISO 8601 duration of whole numbers, each part once and in its order. */
const durationPattern =
  /^P(?=.)(?:(?<years>\d{1,9})Y)?(?:(?<months>\d{1,9})M)?(?:(?<weeks>\d{1,9})W)?(?:(?<days>\d{1,9})D)?(?:T(?=.)(?:(?<hours>\d{1,9})H)?(?:(?<minutes>\d{1,9})M)?(?:(?<seconds>\d{1,9})S)?)?$/;

/** The most durations whose parts an isolate keeps, so that a refresh seldom parses one. */
const MAX_KEPT = 100;

const kept = new Map<string, Duration>();

/**
 * Adds an ISO 8601 duration to a time, in UTC. Months are calendar months: P1M after 31 January is the last
 * day of February.
 *
 * @param duration one in which `durationProblem` finds nothing wrong
 * @throws RangeError if it is not a duration
 */
export function after(duration: string, start: Seconds): Seconds {
  return Math.floor(add(start * 1000, partsOf(duration)).getTime() / 1000);
}

function partsOf(duration: string): Duration {
  const known = kept.get(duration);
  if (known) return known;
  const { groups } = durationPattern.exec(duration) ?? {};
  if (!groups) throw new RangeError(`${duration} is not a duration`);
  const parts = {
    years: Number(groups["years"] ?? 0),
    months: Number(groups["months"] ?? 0),
    weeks: Number(groups["weeks"] ?? 0),
    days: Number(groups["days"] ?? 0),
    hours: Number(groups["hours"] ?? 0),
    minutes: Number(groups["minutes"] ?? 0),
    seconds: Number(groups["seconds"] ?? 0),
  };
  if (kept.size >= MAX_KEPT) kept.clear();
  kept.set(duration, parts);
  return parts;
}

/**
 * Returns what is wrong with a duration; undefined if it is valid: an ISO 8601 duration of whole numbers, not
 * negative, of at most 100 years.
 */
export function durationProblem(text: string): string | undefined {
  if (!durationPattern.test(text)) {
    return "must be an ISO 8601 duration such as PT1H or P1M";
  }
  // A time beyond the range of Date is NaN, and NaN <= x is false.
  const fits = after(text, 0) <= after(`P${MAX_YEARS}Y`, 0);
  return fits ? undefined : `must be at most P${MAX_YEARS}Y`;
}

/** Like `durationProblem`, for a lifetime, which must be longer than zero. */
export function lifetimeProblem(text: string): string | undefined {
  return (
    durationProblem(text) ??
    (after(text, 0) === 0 ? "must be longer than zero" : undefined)
  );
}

/**
 * The longest retry window. A thief who has a used token gets the successor while the window is open, so it
 * must cover lost answers and not whole working days.
 */
export const MAX_RETRY_WINDOW = "PT1H";

/** Like `durationProblem`, for a retry window: zero, or at most `MAX_RETRY_WINDOW`. */
export function retryWindowProblem(text: string): string | undefined {
  const isTooLong = () => after(text, 0) > after(MAX_RETRY_WINDOW, 0);
  return (
    durationProblem(text) ??
    (isTooLong() ? `must be at most ${MAX_RETRY_WINDOW}` : undefined)
  );
}
