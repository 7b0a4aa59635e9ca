/** The time for which a metadata document is fresh, by its own headers (RFC 9111 section 5) within bounds. In milliseconds. */

const MINUTE = 60_000;
/** A document that wants to be read each time would let a crowd of users cause a crowd of requests. */
const SHORTEST = 5 * MINUTE;
/** A change of the document must show within a day. */
const LONGEST = 24 * 60 * MINUTE;
/** For a document without headers. */
const DEFAULT = 60 * MINUTE;

/** The age up to which a copy may be used while the site of the client does not answer, in milliseconds. */
export const USABLE_MS = LONGEST;

/**
 * Returns for how many milliseconds an answer is fresh.
 *
 * @param now milliseconds since 1970
 */
export function freshFor(headers: Headers, now: number): number {
  const control = headers.get("Cache-Control")?.toLowerCase() ?? "";
  if (/(?:^|[\s,])no-(?:store|cache)(?:$|[\s,=])/.test(control))
    return SHORTEST;
  const lifetime = ageLimit(control) ?? expiry(headers, now) ?? DEFAULT;
  const age = Number(headers.get("Age") ?? 0) * 1000;
  const left = Math.min(lifetime, Number.MAX_VALUE) - (age > 0 ? age : 0);
  return Math.min(Math.max(left, SHORTEST), LONGEST);
}

/** Returns the shortest `max-age`. One that is not a number counts as 0 (RFC 9111 section 4.2.1). */
function ageLimit(control: string): number | undefined {
  const ages = [...control.matchAll(/(?:^|[\s,])max-age\s*=\s*"?([^\s,"]*)/g)];
  return ages.length === 0
    ? undefined
    : Math.min(
        ...ages.map(([, age = ""]) => (/^\d+$/.test(age) ? +age * 1000 : 0)),
      );
}

function expiry(headers: Headers, now: number): number | undefined {
  const expires = headers.get("Expires");
  if (expires === null) return undefined;
  const date = Date.parse(headers.get("Date") ?? "") || now;
  // A date that cannot be read, such as 0, is in the past (RFC 9111 section 5.3).
  return (Date.parse(expires) || 0) - date;
}
