import { describe, expect, it } from "vitest";
import { arrivals, moreRefreshes, peaks } from "./dispersion.ts";
import { seeded } from "./random.ts";
import { retryStorm, waits } from "./retry-storm.ts";

describe("a herd", () => {
  const herd = { families: 20_000, lifetimes: 50, bins: 100 };

  it("never disperses without jitter", () => {
    const all = peaks({ ...herd, jitter: 0, random: seeded(1) });
    expect(new Set(all)).toEqual(new Set([herd.bins]));
  });

  it("comes at first within a part of the lifetime that is as wide as its jitter", () => {
    const random = seeded(1);
    const first = arrivals({ ...herd, lifetimes: 1, jitter: 0.2, random });
    expect(first.slice(0, 80).every((count) => count === 0)).toBe(true);
    const last = first.slice(80);
    expect(Math.min(...last)).toBeGreaterThan(4);
    expect(Math.max(...last)).toBeLessThan(6);
  });

  it("has dispersed when its refreshes are a lifetime apart", () => {
    const all = peaks({ ...herd, jitter: 0.5, random: seeded(1) });
    // The long-run number of refreshes, and a margin for chance with 267 in a bin.
    expect(all.at(-1)).toBeLessThan((1 + moreRefreshes(0.5)) * 1.3);
  });

  it("refreshes more often by as much as it comes earlier", () => {
    const lifetimes = 400;
    const few = { families: 200, lifetimes, bins: 10, random: seeded(1) };
    const total = arrivals({ ...few, jitter: 0.2 }).reduce((a, b) => a + b, 0);
    const perLifetime = total / few.bins / lifetimes;
    expect(perLifetime).toBeCloseTo(1 + moreRefreshes(0.2), 2);
  });
});

describe("clients that were told to retry", () => {
  const storm = (wait: keyof typeof waits) =>
    retryStorm(10_000, 1_000, waits[wait], seeded(1));

  it("use a tenth of each second if all retry at the same moment", () => {
    // 100 clients get through in each second, so the last ones in the hundredth.
    const { requestsEach, seconds } = storm("exactly");
    expect(seconds).toBeCloseTo(99.1, 9);
    expect(requestsEach).toBeCloseTo(50.5, 9);
  });

  it("are served almost as fast as possible if they retry at random moments", () => {
    const { requestsEach, seconds } = storm("atRandom");
    expect(seconds).toBeGreaterThanOrEqual(10);
    expect(seconds).toBeLessThan(15);
    expect(requestsEach).toBeLessThan(6);
  });

  it("send the fewest requests if they back off", () => {
    const backingOff = storm("backingOff").requestsEach;
    expect(backingOff).toBeLessThan(storm("atRandom").requestsEach);
  });
});
