import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type SQLOutputValue } from "node:sqlite";
import { describe, expect, it } from "vitest";
import {
  blobs,
  dataPoint,
  doubles,
  type RequestMetrics,
} from "../../src/oauth/metrics.ts";
import { prices } from "../bench/scale/prices.ts";
import { parse } from "../support/markdown.ts";

/**
 * Runs every query of docs/metrics.md against a local copy of the rows that the Worker writes. The page says what
 * differs from Analytics Engine.
 */

const page = parse(
  readFileSync(join(import.meta.dirname, "../../docs/metrics.md"), "utf8"),
);

/** The time of the queries, in seconds since 1970: the start of a minute. */
const NOW = 1_800_000_000;
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const units: Record<string, number> = { MINUTE, HOUR, DAY };

/** The functions that the queries may use, all of which are in Cloudflare's reference. */
const known = [
  "SUM",
  "if",
  "NOW",
  "toStartOfInterval",
  "quantileExactWeighted",
];

/** Writes a query of Analytics Engine so that SQLite understands it. */
function translated(query: string): string {
  const names = query.matchAll(/\b(\w+)\s*\(/g);
  const unknown = [...names]
    .map(([, name = ""]) => name)
    .filter((name) => !known.includes(name));
  expect(unknown).toEqual([]);
  expect(query).not.toMatch(/\b(?:JOIN|UNION|WITH|OVER|CASE|COUNT)\b/i);
  return query
    .replaceAll(
      /INTERVAL '(\d+)' (MINUTE|HOUR|DAY)\b/g,
      (_, count: string, unit: string) => String(+count * units[unit]!),
    )
    .replaceAll(/quantileExactWeighted\(([\d.]+)\)\(/g, "quantile($1, ");
}

/** The arguments of `quantile` for one row. */
type Weighted = [level: number, value: number, weight: number];

/** A database with the functions of Analytics Engine. */
function database(): DatabaseSync {
  const db = new DatabaseSync(":memory:");
  const columns = [
    "timestamp INTEGER",
    "_sample_interval REAL",
    "index1 TEXT",
    ...Array.from({ length: 20 }, (_, index) => `blob${index + 1} TEXT`),
    ...Array.from({ length: 20 }, (_, index) => `double${index + 1} REAL`),
  ];
  db.exec(`CREATE TABLE baton (${columns.join(", ")})`);
  db.function("NOW", () => NOW);
  db.function("toStartOfInterval", (time, seconds) => {
    return Math.floor(Number(time) / Number(seconds)) * Number(seconds);
  });
  // The state of an aggregate is a text, because the types know no other that grows.
  db.aggregate("quantile", {
    start: "[]",
    step: (state, level, value, weight) =>
      JSON.stringify([
        ...(JSON.parse(state as string) as Weighted[]),
        [level, value, weight],
      ]),
    result: (state) => {
      const rows = JSON.parse(state as string) as Weighted[];
      const sorted = rows.toSorted(([, one], [, other]) => one - other);
      const total = sorted.reduce((sum, [, , weight]) => sum + weight, 0);
      let reached = 0;
      const found = sorted.find(([level, , weight]) => {
        reached += weight;
        return reached >= level * total;
      });
      return found?.[1] ?? 0;
    },
  });
  return db;
}

interface Row extends Partial<RequestMetrics> {
  /** Seconds before now. */
  age: number;
  /** The number of requests that the row stands for. */
  stands?: number;
}

const refresh: RequestMetrics = {
  endpoint: "/access_token",
  method: "POST",
  status: 200,
  outcome: "ok",
  reason: undefined,
  grant_type: "refresh_token",
  client_id: "web",
  location: "FRA",
  version: "new",
  reuse: undefined,
  duration_ms: 10,
  durations_ms: { client: 1, scopes: 0, family: 8, sign: 1 },
};

const reused = {
  status: 400,
  outcome: "invalid_grant",
  reason: "refresh_token_reused",
};

/** Puts the rows of requests into a database, and asks the query below a heading of the page. */
function ask(heading: string, rows: Row[]) {
  const db = database();
  for (const { age, stands = 1, ...request } of rows) {
    const point = dataPoint({ ...refresh, ...request });
    const fields = {
      timestamp: NOW - age,
      _sample_interval: stands,
      index1: point.indexes[0],
      ...Object.fromEntries(
        point.blobs.map((value, index) => [`blob${index + 1}`, value]),
      ),
      ...Object.fromEntries(
        point.doubles.map((value, index) => [`double${index + 1}`, value]),
      ),
    };
    const names = Object.keys(fields);
    const values = names.map((name) => `:${name}`).join(", ");
    db.prepare(
      `INSERT INTO baton (${names.join(", ")}) VALUES (${values})`,
    ).run(fields);
  }
  const answer = db.prepare(translated(queries.get(heading)!)).all();
  tried.add(heading);
  return answer.map((row): Record<string, SQLOutputValue> => ({ ...row }));
}

const queries = new Map(
  page.blocks
    .filter(({ language }) => language === "sql")
    .map(({ heading, text }) => [heading, text]),
);
const tried = new Set<string>();

describe("docs/metrics.md", () => {
  it("asks for refreshes per second, and counts what a row stands for", () => {
    const rows = [
      { age: 30, stands: 60 },
      { age: 40, stands: 30 },
      { age: 90 },
      { age: 90, ...reused },
      { age: 30, grant_type: "authorization_code" },
      { age: 2 * HOUR },
    ];
    expect(ask("Refreshes per second", rows)).toEqual([
      { minute: NOW - 2 * MINUTE, refreshes_per_second: 1 / 60 },
      { minute: NOW - MINUTE, refreshes_per_second: 1.5 },
    ]);
  });

  it("asks for errors by reason, the most frequent first", () => {
    const unavailable = {
      status: 503,
      outcome: "temporarily_unavailable",
      reason: "storage_unavailable",
    };
    const rows = [
      { age: 1 },
      { age: 1, ...reused },
      { age: 2, ...reused, client_id: "spa" },
      { age: 3, ...unavailable, stands: 10 },
      { age: 2 * HOUR, ...unavailable },
    ];
    const endpoint = "/access_token";
    expect(ask("Errors by reason", rows)).toEqual([
      { endpoint, status: "503", reason: "storage_unavailable", requests: 10 },
      { endpoint, status: "400", reason: "refresh_token_reused", requests: 2 },
    ]);
  });

  it("asks for the share of faults", () => {
    const rows = [
      { age: 10, stands: 3 },
      { age: 20, status: 500 },
      { age: 400, ...reused },
      { age: 2 * DAY, status: 500 },
    ];
    expect(ask("Faults, as a share of all requests", rows)).toEqual([
      { start: NOW - 10 * MINUTE, requests: 1, share_of_faults: 0 },
      { start: NOW - 5 * MINUTE, requests: 4, share_of_faults: 0.25 },
    ]);
  });

  it("asks for reuse and retries by client, thefts first", () => {
    const rows = [
      { age: 1, stands: 8 },
      { age: 1, reuse: "retry" },
      { age: 1, ...reused, reuse: "late_retry" },
      { age: 1, ...reused, reuse: "theft", client_id: "spa" },
      { age: 1, client_id: "quiet" },
      { age: 1, grant_type: undefined, client_id: "quiet", reuse: "theft" },
    ];
    const none = { retries: 0, late_retries: 0, thefts: 0 };
    expect(ask("Reuse and retries", rows)).toEqual([
      { ...none, client_id: "spa", thefts: 1, share_of_refreshes: 1 },
      {
        ...none,
        client_id: "web",
        retries: 1,
        late_retries: 1,
        share_of_refreshes: 0.2,
      },
    ]);
  });

  it("asks how long each step takes, and weighs what a row stands for", () => {
    const slow = { client: 20, scopes: 5, family: 100, sign: 3 };
    const rows = [
      { age: 1, stands: 98 },
      { age: 1, stands: 2, duration_ms: 130, durations_ms: slow },
      { age: 1, ...reused, duration_ms: 9_000 },
    ];
    expect(ask("How long each step takes", rows)).toEqual([
      {
        whole_p50: 10,
        whole_p99: 130,
        client_p50: 1,
        client_p99: 20,
        scopes_p50: 0,
        scopes_p99: 5,
        family_p50: 8,
        family_p99: 100,
        sign_p50: 1,
        sign_p99: 3,
      },
    ]);
  });

  it("asks by client", () => {
    const rows = [
      { age: 1, client_id: "spa" },
      { age: 1, stands: 5, duration_ms: 7 },
      { age: 1, ...reused, duration_ms: 2 },
      { age: 1, client_id: undefined },
    ];
    expect(ask("By client", rows)).toEqual([
      { client_id: "web", requests: 6, refused: 1, p99: 7 },
      { client_id: "spa", requests: 1, refused: 0, p99: 10 },
    ]);
  });

  it("asks by location", () => {
    const rows = [
      { age: 1, location: "GRU", status: 503, duration_ms: 50 },
      { age: 1, stands: 2 },
    ];
    const family_p99 = 8;
    expect(ask("By location", rows)).toEqual([
      {
        location: "FRA",
        requests: 2,
        faults: 0,
        p50: 10,
        p99: 10,
        family_p99,
      },
      {
        location: "GRU",
        requests: 1,
        faults: 1,
        p50: 50,
        p99: 50,
        family_p99,
      },
    ]);
  });

  it("asks by version", () => {
    const rows = [
      { age: 1, stands: 3 },
      { age: 1, version: "old", status: 500 },
    ];
    expect(ask("By version, after a deploy", rows)).toEqual([
      { version: "new", requests: 3, faults: 0, p99: 10 },
      { version: "old", requests: 1, faults: 1, p99: 10 },
    ]);
  });

  it("asks what the month will cost, by the prices of the scale page", () => {
    const rows = [
      { age: DAY, stands: 7_000_000 },
      { age: 2 * DAY, stands: 7_000_000, ...reused },
      { age: 3 * DAY, stands: 14_000_000, client_id: undefined },
      { age: 8 * DAY, stands: 7_000_000 },
    ];
    const [cost] = ask("What the month will cost", rows);
    const { workerRequests, objectRequests, rowsWritten, kvReads } = prices;
    expect(cost?.["requests"]).toBeCloseTo(120e6);
    expect(cost?.["worker_requests"]).toBeCloseTo(120e6 * workerRequests);
    const refreshes = 90e6 * (objectRequests + rowsWritten);
    expect(cost?.["refreshes"]).toBeCloseTo(refreshes);
    expect(cost?.["kv_reads_at_most"]).toBeCloseTo(2 * 60e6 * kvReads);
    expect(cost?.["data_points"]).toBeCloseTo(30);
  });

  it("has no query that is not tried here", () => {
    expect([...queries.keys()].toSorted()).toEqual([...tried].toSorted());
    const blocksOfSql = page.blocks.filter(
      ({ language }) => language === "sql",
    );
    expect(blocksOfSql).toHaveLength(queries.size);
  });

  it("lists the columns as the Worker writes them", () => {
    const listed = [
      ...page.prose.matchAll(/^\| `((?:blob|double)\d+)` +\| `(\w+)`/gm),
    ].map(([, column, name]) => `${column} ${name}`);
    expect(listed).toEqual([
      ...blobs.map((name, index) => `blob${index + 1} ${name}`),
      ...doubles.map((name, index) => `double${index + 1} ${name}`),
    ]);
  });
});
