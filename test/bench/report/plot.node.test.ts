import { describe, expect, it } from "vitest";
import type { Guarantees } from "../guarantees/guarantees.ts";
import type { EntrantResults, Results } from "../results.ts";
import { plot, schemes } from "./plot.ts";

const guarantees: Guarantees = {
  races: [{ attempts: 50, successes: 1, successors: 1, living: 1 }],
  replay: {
    old: "refused",
    newestLivesAfterOld: true,
    previous: "refused",
    newestLivesAfterPrevious: true,
  },
  crash: {
    newest: { tried: 1, good: 1 },
    used: { tried: 1, exchangedAgain: 0 },
    unanswered: { tried: 1, goneOn: 1 },
  },
};

function entrant(
  name: string,
  role: EntrantResults["role"],
  rotations: number,
): EntrantResults {
  const round = {
    rotations,
    seconds: 1,
    p50_ms: 1,
    p99_ms: 1,
    cpu_seconds: 1,
    memory_bytes: 1,
    generator_share: 0.1,
  };
  return {
    name,
    role,
    version: "1",
    about: { runtime: "", store: "", accessToken: "", synced: role !== "peer" },
    guarantees: { "": guarantees },
    runs: ([1, 16, 64, "restart"] as const).map((load) => ({
      load,
      rounds: [round],
    })),
    bytes_per_rotation: 0,
    bytes_per_login: 0,
  };
}

const answer = {
  status: 200,
  open_ms: 1,
  answer_ms: 1,
  cpu_ms: 1,
  cpu_since_start_ms: 1,
};
const exchange = { p50_ms: 1, cpu_ms: 1 };
const results: Results = {
  date: "2026-11-26T12:00:00.000Z",
  commit: "0123456",
  machine: {
    cpu: "",
    cores: 2,
    memory_bytes: 1,
    kernel: "",
    filesystem: "",
    fsync_ms: 1,
    node: "",
    workerd: "",
  },
  plan: {
    rounds: 1,
    seconds: 1,
    logins: 1,
    races: 1,
    crashes: 1,
    crashAfter: 1,
    stored: 1,
  },
  entrants: [
    entrant("the floor", "floor", 1000),
    entrant("Baton", "own", 900),
    entrant("a peer", "peer", 500),
  ],
  cold: {
    date: "2026-11-26T12:00:00.000Z",
    commit: "0123456",
    load_average: 0,
    plan: { starts: 1, rounds: 1, families: 1 },
    servers: ["Hono with one route", "Hono, bound", "the floor", "Baton"].map(
      (name, index) => ({
        name,
        role: name === "Baton" ? "own" : "floor",
        first: { "a refused token": [answer], "a refresh": [answer] },
        ...(index > 1 && {
          evicted: [{ evicted: exchange, awake: exchange }],
        }),
      }),
    ),
  },
};

describe.each(Object.entries(schemes))(
  "the picture for a %s page",
  (_, scheme) => {
    it("says in which direction each bar is good", async () => {
      const svg = await plot(results, scheme);
      expect(svg.match(/>more is better/g)).toHaveLength(1);
      expect(svg.match(/>less is better/g)).toHaveLength(4);
    });

    it("has a background of its own, so that it is readable on a page of any colour", async () => {
      const svg = await plot(results, scheme);
      expect(svg).toContain(`fill="${scheme.background}"`);
    });

    it("has text with a contrast of at least 4.5 to 1", () => {
      // WCAG 2.2, success criterion 1.4.3
      for (const color of [
        scheme.text,
        scheme.quiet,
        scheme.yes,
        scheme.partly,
        scheme.no,
      ])
        expect(contrast(color, scheme.background)).toBeGreaterThanOrEqual(4.5);
    });

    it("has bars with a contrast of at least 3 to 1", () => {
      // WCAG 2.2, success criterion 1.4.11
      for (const color of Object.values(scheme.bars))
        expect(contrast(color, scheme.background)).toBeGreaterThanOrEqual(3);
    });
  },
);

/** The contrast of two colours, as WCAG 2.2 defines it. */
function contrast(one: string, other: string): number {
  const [darker = 0, lighter = 0] = [luminance(one), luminance(other)].toSorted(
    (a, b) => a - b,
  );
  return (lighter + 0.05) / (darker + 0.05);
}

/** The relative luminance of a colour that is written as #rrggbb. */
function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
