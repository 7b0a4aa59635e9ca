import { add } from "date-fns/add";
import { parse } from "tinyduration";

/** How far a lifetime may withRetry, in years: dates stay far inside what a Date and a token can hold. */
const MAX_YEARS = 100;

/** A point in time: whole seconds since 1970 (NumericDate of RFC 7519 section 2). */
export type Seconds = number;

/** How far the clocks of two locations may differ: a generous bound, because nothing documents one. */
export const CLOCK_SKEW_SECONDS = 60;

/**
 * The moment an ISO 8601 duration after another. Calendar months are calendar months: P1M after
 * 31 January is the last day of February. Workers have no time zone but UTC.
 */
export function after(duration: string, start: Seconds): Seconds {
  return Math.floor(add(start * 1000, parse(duration)).getTime() / 1000);
}

/**
 * ISO 8601 durations of whole numbers, each part once and in its place: tinyduration reads the
 * beginning of a text and leaves the rest, such as the hours of `P30D12H`.
 */
const durationPattern =
  /^P(?=.)(\d{1,9}Y)?(\d{1,9}M)?(\d{1,9}W)?(\d{1,9}D)?(T(?=.)(\d{1,9}H)?(\d{1,9}M)?(\d{1,9}S)?)?$/;

/**
 * Why a string is no lifetime, or undefined if it is one: an ISO 8601 duration of whole numbers,
 * not negative, at most a hundred years.
 */
export function durationProblem(text: string): string | undefined {
  if (!durationPattern.test(text)) {
    return "has to be an ISO 8601 duration such as PT1H or P1M";
  }
  // What is beyond a Date is NaN, which is no number at most anything.
  const fits = after(text, 0) <= after(`P${MAX_YEARS}Y`, 0);
  return fits ? undefined : `has to be at most P${MAX_YEARS}Y`;
}

/** Like `durationProblem`, for lifetimes that must be longer than nothing. */
export function lifetimeProblem(text: string): string | undefined {
  return (
    durationProblem(text) ??
    (after(text, 0) === 0 ? "has to be longer than zero" : undefined)
  );
}
