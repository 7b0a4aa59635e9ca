import { after, type Seconds } from "./duration.ts";

/** Secrets that hold keys: their names, and the start time with which a value may begin. */

/** The names of the secrets without a label. */
export type KeyKind = "PRIVATE_KEY" | "ENCRYPTION_KEY";

/** A secret with keys, as it was found. */
export interface KeySecret {
  name: string;
  /** The value without its start time. */
  value: string;
  from?: Seconds;
  /** True: it must hold one key, because it has a label or a start time. */
  holdsOne: boolean;
}

/** What a start time looks like, for the texts of problems. */
const EXAMPLE = "from=2026-12-01T10:00:00Z;";

/** How far a start time may be away: a later one is a typing error. */
const MAX_WAIT = "P1Y";

/** What a shell, an env file or a secret store may leave before a value. */
const lead =
  /^[\s\0\u200b\ufeff"'`\\]*(?:(?:export\s+)?[A-Z][A-Z0-9_]*\s*=[\s"'`\\]*)?/;
const begins = new RegExp(`${lead.source}[Ff]rom[\\s=:]`);
const complete = new RegExp(`(${lead.source})[Ff]rom\\s*=([^;]{0,40});`);
const misplaced = /\bfrom\s*=\s*\d{4}-/i;
/** RFC 3339 section 5.6, in UTC and whole seconds. */
const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/**
 * Takes the start time from the beginning of a value. What surrounds both of them stays around the value.
 *
 * @returns the problem, if there is a start time and it cannot be read
 */
export function takeStart(
  text: string,
): { value: string; from?: Seconds } | { problem: string } {
  if (!begins.test(text)) return { value: text };
  const [match, before = "", given = ""] = complete.exec(text) ?? [];
  const from = match === undefined ? undefined : parseTime(given.trim());
  return match === undefined || from === undefined
    ? {
        problem: `begins with a start time that is malformed: it must be in UTC, such as ${EXAMPLE}, and the key comes after it`,
      }
    : { value: before + text.slice(match.length), from };
}

function parseTime(text: string): Seconds | undefined {
  const milliseconds = time.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(milliseconds)) return undefined;
  const seconds = milliseconds / 1000;
  // The parser takes 30 February for 2 March, and 24:00 for the next day.
  return formatTime(seconds) === text ? seconds : undefined;
}

/** Writes a time as in RFC 3339, in UTC and whole seconds. */
export function formatTime(seconds: Seconds): string {
  return new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
}

/** Returns the problem of a value that has a start time in another place than its beginning. */
export function misplacedStartProblem(text: string): string | undefined {
  return misplaced.test(text)
    ? `must begin with its start time, such as ${EXAMPLE}, and have no other`
    : undefined;
}

/** The problem of a value that begins like a start time with a mistake in it, such as `form=` for `from=`. */
export const MISTYPED_START = `begins with text that looks like a start time with a mistake in it: it must begin with the key, or with a start time such as ${EXAMPLE}`;

/** Returns the problem of a start time that is too far away. */
export function startProblem(from: Seconds, now: Seconds): string | undefined {
  return from > after(MAX_WAIT, now)
    ? `starts at ${formatTime(from)}, more than a year from now: correct the start time`
    : undefined;
}

/** Returns the problem of a secret that holds more keys than one, where it must hold one. */
export function countProblem(
  { holdsOne }: KeySecret,
  count: number,
): string | undefined {
  return holdsOne && count > 1
    ? `has ${count} keys, and must have one, because it has a label or a start time: put each key into a secret of its own`
    : undefined;
}
