import { z } from "zod";

/** Parsers for the cells of another server's table. Their errors do not quote the value, which may be a secret. */

const flags = new Map([
  ["1", true],
  ["0", false],
  ["t", true],
  ["f", false],
  ["true", true],
  ["false", false],
]);

/** A boolean as MySQL, PostgreSQL or JSON writes it. */
export const flag = cell(
  (text) => flags.get(text.trim().toLowerCase()),
  "must be 0 or 1, t or f, true or false",
);

/** A time, converted to seconds since 1970 and rounded up. */
export const time = cell(
  readTime,
  "must be a time such as 2027-01-31 10:20:30, 2027-01-31T10:20:30+01:00 or 1801477230 (seconds since 1970)",
);

/** Strings: a JSON array, a JSON string, or text separated by commas or white space. */
export const strings = cell(
  (text) => readStrings(text, /[\s,]+/),
  "must be a JSON array of strings, or values separated by commas",
);

/** URIs: as other strings, or separated by semicolons. A semicolon that no scheme follows is part of a URI. */
export const uris = cell(
  (text) => readStrings(text, /[\s,]+|;+(?=\s|$|[a-z][a-z0-9+.-]*:\/)/i),
  "must be a JSON array of strings, or URIs separated by commas",
);

function cell<T>(read: (text: string) => T | undefined, problem: string) {
  return z.string().transform((text, context) => {
    const value = read(text);
    if (value !== undefined) return value;
    context.addIssue({ code: "custom", message: problem });
    return z.NEVER;
  });
}

const timePattern =
  /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d+))? ?(Z|[+-]\d\d(?::?\d\d)?)?$/i;

/** The time zone in which a given local time comes last. */
const LATEST_ZONE = "-12:00";

/**
 * Reads a time. Laravel writes times in the time zone of the app, without naming the zone. Such a time
 * is read in the latest zone, so that the entry of a revoked token never ends before the token.
 */
function readTime(text: string): number | undefined {
  const trimmed = text.trim();
  if (/^\d{1,11}$/.test(trimmed)) return Number(trimmed);
  const [, day, clock = "", fraction = "", zone] =
    timePattern.exec(trimmed) ?? [];
  // Date would accept 31 February as a day in March.
  if (day === undefined || !isDay(day)) return undefined;
  const offset = zone?.replace(/^([+-]\d\d):?(\d\d)?$/, "$1:$2") ?? LATEST_ZONE;
  const padded = offset.endsWith(":") ? `${offset}00` : offset.toUpperCase();
  const milliseconds = Date.parse(`${day}T${clock}${padded}`);
  return Number.isNaN(milliseconds)
    ? undefined
    : Math.max(0, milliseconds / 1000 + (/[1-9]/.test(fraction) ? 1 : 0));
}

function isDay(day: string): boolean {
  const date = new Date(`${day}T00:00:00Z`);
  return date.getUTCDate() === Number(day.slice(-2));
}

const stringOrStrings = z.union([
  z.array(z.string()),
  z.string().transform((one) => [one]),
]);

function readStrings(text: string, separator: RegExp): string[] | undefined {
  const trimmed = text.trim();
  if (!/^[["{]/.test(trimmed))
    return trimmed.split(separator).filter((item) => item !== "");
  try {
    return stringOrStrings.safeParse(JSON.parse(trimmed)).data;
  } catch {
    return undefined;
  }
}
