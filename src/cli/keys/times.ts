import { InvalidArgumentError } from "commander";
import { timeText } from "../output.ts";

const DAY = 86_400;

/** A duration of ISO 8601 without years and months, whose length depends on the calendar. */
const duration =
  /^P(?=.)(?:(\d{1,3})W)?(?:(\d{1,4})D)?(?:T(?=.)(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?$/;

/** The server refuses a key that starts later. */
const MAX_SECONDS = 365 * DAY;

/** Parses a duration such as PT15M into seconds, for commander. */
export function parseDuration(text: string): number {
  const parts = duration.exec(text)?.slice(1) ?? [];
  const [weeks = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = parts.map(
    (part) => Number(part ?? 0),
  );
  const total =
    (weeks * 7 + days) * DAY + hours * 3600 + minutes * 60 + seconds;
  if (parts.length === 0 || total > MAX_SECONDS)
    throw new InvalidArgumentError(
      "It must be an ISO 8601 duration of weeks, days, hours, minutes or seconds, at most a year, such as PT15M.",
    );
  return total;
}

/** Writes seconds as an ISO 8601 duration. */
export function durationText(seconds: number): string {
  const [hours, minutes] = [
    Math.floor(seconds / 3600),
    Math.floor(seconds / 60) % 60,
  ];
  const parts = `${hours ? `${hours}H` : ""}${minutes ? `${minutes}M` : ""}${seconds % 60 ? `${seconds % 60}S` : ""}`;
  return `PT${parts || "0S"}`;
}

/** Parses a time as the value of a key has it: RFC 3339 in UTC, with seconds. For commander. */
export function parseTime(text: string): number {
  const date = new Date(text);
  const isWritten = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text);
  // `Date` reads 30 February as 1 March.
  if (
    !isWritten ||
    Number.isNaN(date.getTime()) ||
    secondsText(date.getTime() / 1000) !== text
  )
    throw new InvalidArgumentError(
      "It must be a time in UTC such as 2026-12-01T10:00:00Z.",
    );
  return date.getTime() / 1000;
}

/** Writes a time (seconds since 1970) as the value of a key has it. */
export function secondsText(seconds: number): string {
  return timeText(seconds);
}

/**
 * Writes a time for a table: 2026-12-01 10:00, in UTC. A time to come is rounded up to the minute, so that nothing is done
 * too early.
 */
export function minuteText(seconds: number, isPast = false): string {
  const minutes = isPast ? Math.floor(seconds / 60) : Math.ceil(seconds / 60);
  return timeText(minutes * 60)
    .slice(0, 16)
    .replace("T", " ");
}

/** Writes the start of a key as `minuteText` does, with seconds where it is not a whole minute. */
export function startText(seconds: number): string {
  return seconds % 60 === 0
    ? minuteText(seconds)
    : timeText(seconds).slice(0, 19).replace("T", " ");
}
