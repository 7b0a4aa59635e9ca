import * as fc from "fast-check";
import { beforeAll, describe, expect, it, vi } from "vitest";
import {
  after,
  durationProblem,
  lifetimeProblem,
  retryWindowProblem,
} from "../../src/oauth/duration.ts";

/** Tests ISO 8601 durations: what is one, and when it is over. Temporal, which Node has, is the judge. */

// As in a Worker. A calendar day of another time zone may have 23 hours.
beforeAll(() => void vi.stubEnv("TZ", "UTC"));

function seconds(time: string): number {
  return Date.parse(`${time}Z`) / 1000;
}

const sums: [string, string, string][] = [
  ["2027-01-31T12:00:00", "P1M", "2027-02-28T12:00:00"],
  ["2028-01-31T12:00:00", "P1M", "2028-02-29T12:00:00"],
  ["2028-02-29T00:00:00", "P1Y", "2029-02-28T00:00:00"],
  ["2028-02-29T00:00:00", "P4Y", "2032-02-29T00:00:00"],
  ["2099-12-31T00:00:00", "P2M", "2100-02-28T00:00:00"],
  ["2027-03-31T23:59:59", "P1M", "2027-04-30T23:59:59"],
  ["2027-12-31T00:00:00", "P11M", "2028-11-30T00:00:00"],
  ["2027-01-31T00:00:00", "P1M1D", "2027-03-01T00:00:00"],
  ["2027-01-31T00:00:00", "P1Y1M", "2028-02-29T00:00:00"],
  ["2027-01-01T00:00:00", "P1W", "2027-01-08T00:00:00"],
  ["2027-01-31T00:00:00", "P1M2W3D", "2027-03-17T00:00:00"],
  ["2027-01-01T00:00:00", "P1WT1H", "2027-01-08T01:00:00"],
  ["2027-01-01T00:00:00", "P1DT36H", "2027-01-03T12:00:00"],
  ["2027-01-01T00:00:00", "PT1M", "2027-01-01T00:01:00"],
  ["2027-01-01T00:00:00", "P1M", "2027-02-01T00:00:00"],
  ["2027-01-01T00:00:00", "P1MT1M", "2027-02-01T00:01:00"],
  ["2027-01-01T00:00:00", "PT90M", "2027-01-01T01:30:00"],
  ["2027-01-01T00:00:00", "PT0S", "2027-01-01T00:00:00"],
  ["2027-01-31T00:00:00", "P0Y0M0W0DT0H0M0S", "2027-01-31T00:00:00"],
  ["2027-01-01T00:00:00", "PT007S", "2027-01-01T00:00:07"],
  ["2027-01-01T00:00:00", "P100Y", "2127-01-01T00:00:00"],
  ["1970-01-01T00:00:00", "PT999999999S", "2001-09-09T01:46:39"],
];

/** A part of a duration: absent, or a number that may have leading zeros. */
function part(unit: string, max: number): fc.Arbitrary<string> {
  return fc.oneof(
    fc.constant(""),
    fc.integer({ min: 0, max }).map((number) => `${number}${unit}`),
    fc.integer({ min: 0, max: 9 }).map((number) => `00${number}${unit}`),
  );
}

/** Durations with any of the parts, and at least one. */
const durations = fc
  .tuple(
    part("Y", 99),
    part("M", 1_000),
    part("W", 5_000),
    part("D", 36_000),
    part("H", 800_000),
    part("M", 1_000_000),
    part("S", 999_999_999),
  )
  .filter((parts) => parts.some(Boolean))
  .map(([years, months, weeks, days, ...time]) => {
    const date = [years, months, weeks, days].join("");
    return `P${date}${time.some(Boolean) ? `T${time.join("")}` : ""}`;
  });

const times = fc.integer({ min: 0, max: seconds("2200-01-01T00:00:00") });

describe("after", () => {
  it.each(sums)("counts from %s over %s to %s", (start, duration, end) => {
    expect(after(duration, seconds(start))).toBe(seconds(end));
  });

  it("agrees with Temporal on every duration and time", () => {
    fc.assert(
      fc.property(durations, times, (duration, start) => {
        const judged = Temporal.Instant.fromEpochMilliseconds(start * 1000)
          .toZonedDateTimeISO("UTC")
          .add(duration);
        expect(after(duration, start)).toBe(judged.epochMilliseconds / 1000);
      }),
      { numRuns: 5_000 },
    );
  });

  it.each(["", "P", "PT", "P1DT", "-P1D", "P30D12H", "PT1.5S", "1M"])(
    "throws for %j, which is not a duration",
    (text) => {
      expect(() => after(text, 0)).toThrow(RangeError);
    },
  );
});

const SYNTAX = "must be an ISO 8601 duration such as PT1H or P1M";
const TOO_LONG = "must be at most P100Y";

const faulty: [string, string][] = [
  ["", SYNTAX],
  ["P", SYNTAX],
  ["PT", SYNTAX],
  ["P1DT", SYNTAX],
  ["1M", SYNTAX],
  ["3600", SYNTAX],
  ["p1m", SYNTAX],
  [" P1M", SYNTAX],
  ["P1M\n", SYNTAX],
  ["-P1M", SYNTAX],
  ["P-1M", SYNTAX],
  ["P+1M", SYNTAX],
  ["P1.5D", SYNTAX],
  ["PT1,5S", SYNTAX],
  ["P1M1Y", SYNTAX],
  ["P1D1W", SYNTAX],
  ["P1M1M", SYNTAX],
  ["P1H", SYNTAX],
  ["P30D12H", SYNTAX],
  ["PT1D", SYNTAX],
  ["P١D", SYNTAX],
  ["P1234567890D", SYNTAX],
  ["P101Y", TOO_LONG],
  ["P100YT1S", TOO_LONG],
  ["P1201M", TOO_LONG],
  ["P999999999D", TOO_LONG],
  ["P999999999Y999999999M999999999WT999999999H", TOO_LONG],
];

describe("durationProblem", () => {
  it.each(faulty)("says of %j: %s", (text, problem) => {
    expect(durationProblem(text)).toBe(problem);
    expect(lifetimeProblem(text)).toBe(problem);
    expect(retryWindowProblem(text)).toBe(problem);
  });

  it.each(["PT0S", "P0D", "PT1S", "P1M", "P1W", "P1Y2M3W4DT5H6M7S", "P100Y"])(
    "finds nothing wrong with %s",
    (text) => {
      expect(durationProblem(text)).toBeUndefined();
    },
  );

  it("finds nothing wrong with a duration of any parts, up to 100 years", () => {
    fc.assert(
      fc.property(durations, (duration) => {
        const fits = after(duration, 0) <= after("P100Y", 0);
        expect(durationProblem(duration)).toBe(fits ? undefined : TOO_LONG);
      }),
    );
  });
});

describe("lifetimeProblem", () => {
  it.each(["PT0S", "P0D", "P0Y0M0W0DT0H0M0S"])("refuses %s", (text) => {
    expect(lifetimeProblem(text)).toBe("must be longer than zero");
  });
});

describe("retryWindowProblem", () => {
  it.each(["PT3601S", "PT61M", "P1D", "P100Y"])("refuses %s", (text) => {
    expect(retryWindowProblem(text)).toBe("must be at most PT1H");
  });

  it.each(["PT0S", "PT1H", "PT60M", "PT30S"])("accepts %s", (text) => {
    expect(retryWindowProblem(text)).toBeUndefined();
  });
});
