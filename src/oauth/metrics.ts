/**
 * The metrics: one data point per request, for Workers Analytics Engine. Its columns have numbers and no names, so a
 * column keeps its place for ever. docs/metrics.md has the same table, which a test compares.
 */

/** The columns `blob1`, `blob2` and so on. */
export const blobs = [
  "endpoint",
  "method",
  "status",
  "outcome",
  "reason",
  "grant_type",
  "client_id",
  "location",
  "version",
  "reuse",
] as const;

/** The columns `double1`, `double2` and so on, in milliseconds: the whole request, and its steps. */
export const doubles = [
  "duration",
  "client",
  "scopes",
  "family",
  "sign",
  "encrypt",
] as const;

/** The longest index, in bytes. */
const MAX_INDEX_BYTES = 96;

/** What a data point says of a request. Never a subject, a token or an address. */
export interface RequestMetrics {
  endpoint: string;
  method: string;
  status: number;
  outcome: string;
  reason: string | undefined;
  grant_type: string | undefined;
  /** The id of a client that exists. */
  client_id: string | undefined;
  /** The Cloudflare location that answered, such as `FRA`. */
  location: string | undefined;
  /** The id of the deployed version. */
  version: string | undefined;
  /** How a used refresh token came back: `retry`, `catch_up`, `late_retry` or `theft`. */
  reuse: string | undefined;
  duration_ms: number;
  /** The duration of each step, by its name. */
  durations_ms: Readonly<Record<string, number>>;
}

/** The argument of `writeDataPoint`. */
export interface DataPoint {
  blobs: string[];
  doubles: number[];
  indexes: [string];
}

/**
 * Makes the data point of a request. The index is the client, because Analytics Engine samples by index: a client
 * with few requests keeps all of them beside one with many. A step that the request does not have is 0.
 */
export function dataPoint(request: RequestMetrics): DataPoint {
  const { client_id, endpoint, duration_ms, durations_ms } = request;
  return {
    blobs: blobs.map((name) => String(request[name] ?? "")),
    doubles: doubles.map((name) =>
      name === "duration" ? duration_ms : (durations_ms[name] ?? 0),
    ),
    // A client id is ASCII.
    indexes: [(client_id ?? endpoint).slice(0, MAX_INDEX_BYTES)],
  };
}
