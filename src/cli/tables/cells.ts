import { z } from "zod";

/** What is in a cell of another server's table. A problem is said without the value. */

const flags = new Map([
  ["1", true],
  ["0", false],
  ["t", true],
  ["f", false],
  ["true", true],
  ["false", false],
]);

/** A boolean, as MySQL, PostgreSQL and JSON write it. */
export const flag = cell(
  (text) => flags.get(text.trim().toLowerCase()),
  "has to be 0 or 1, t or f, true or false",
);

/** A time, in seconds since 1970, rounded up. */
export const time = cell(
  readTime,
  "has to be a time such as 2027-01-31 10:20:30, 2027-01-31T10:20:30+01:00 or 1801477230 (seconds since 1970)",
);

/** Strings: a JSON array of them (or one in JSON), else with commas or white space between them. */
export const strings = cell(
  (text) => readStrings(text, /[\s,]+/),
  "has to be a JSON array of strings, or values with commas between them",
);

/** URIs: as other strings, or with semicolons between them. One in a URI is before no other scheme. */
export const uris = cell(
  (text) => readStrings(text, /[\s,]+|;+(?=\s|$|[a-z][a-z0-9+.-]*:\/)/i),
  "has to be a JSON array of strings, or URIs with commas between them",
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

/** The last place on earth where a day ends: no clock shows the same time later. */
const LATEST_ZONE = "-12:00";

/**
 * Laravel writes times in the zone of the app, and does not write which one that is. Whatever it is,
 * an entry must not end before its token: it is read as the latest that it can be.
 */
function readTime(text: string): number | undefined {
  const trimmed = text.trim();
  if (/^\d{1,11}$/.test(trimmed)) return Number(trimmed);
  const [, day, clock = "", fraction = "", zone] =
    timePattern.exec(trimmed) ?? [];
  // Date reads the 31st of February as a day of March.
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

function readStrings(text: string, between: RegExp): string[] | undefined {
  const trimmed = text.trim();
  if (!/^[["{]/.test(trimmed))
    return trimmed.split(between).filter((item) => item !== "");
  try {
    return stringOrStrings.safeParse(JSON.parse(trimmed)).data;
  } catch {
    return undefined;
  }
}
