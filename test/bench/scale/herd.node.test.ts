import { describe, expect, it } from "vitest";
import { arrivals, moreRefreshes, peaks } from "./dispersion.ts";
import { seeded } from "./random.ts";
import { retryStorm, waits } from "./retry-storm.ts";

describe("a herd", () => {
  const herd = { families: 20_000, lives: 50, bins: 100 };

  it("stays one where nobody comes before the end, however long it goes on", () => {
    const all = peaks({ ...herd, jitter: 0, random: seeded(1) });
    expect(new Set(all)).toEqual(new Set([herd.bins]));
  });

  it("comes first in as wide a part of the life as its jitter", () => {
    const random = seeded(1);
    const first = arrivals({ ...herd, lives: 1, jitter: 0.2, random });
    expect(first.slice(0, 80).every((count) => count === 0)).toBe(true);
    const last = first.slice(80);
    expect(Math.min(...last)).toBeGreaterThan(4);
    expect(Math.max(...last)).toBeLessThan(6);
  });

  it("has dispersed when its refreshes have drifted a life apart", () => {
    const all = peaks({ ...herd, jitter: 0.5, random: seeded(1) });
    // As many as come in the long run, and what chance adds to 267 in a bin.
    expect(all.at(-1)).toBeLessThan((1 + moreRefreshes(0.5)) * 1.3);
  });

  it("refreshes more often by what it comes earlier", () => {
    const lives = 400;
    const few = { families: 200, lives, bins: 10, random: seeded(1) };
    const total = arrivals({ ...few, jitter: 0.2 }).reduce((a, b) => a + b, 0);
    const perLife = total / few.bins / lives;
    expect(perLife).toBeCloseTo(1 + moreRefreshes(0.2), 2);
  });
});

describe("clients that were told to come back", () => {
  const storm = (wait: keyof typeof waits) =>
    retryStorm(10_000, 1_000, waits[wait], seeded(1));

  it("use a tenth of each second where all come back to the second", () => {
    // 100 of them get through in each, so the last in the hundredth.
    const { requestsEach, seconds } = storm("exactly");
    expect(seconds).toBeCloseTo(99.1, 9);
    expect(requestsEach).toBeCloseTo(50.5, 9);
  });

  it("are served almost as fast as can be where they come back at random", () => {
    const { requestsEach, seconds } = storm("atRandom");
    expect(seconds).toBeGreaterThanOrEqual(10);
    expect(seconds).toBeLessThan(15);
    expect(requestsEach).toBeLessThan(6);
  });

  it("ask the least where they back off", () => {
    const backingOff = storm("backingOff").requestsEach;
    expect(backingOff).toBeLessThan(storm("atRandom").requestsEach);
  });
});
