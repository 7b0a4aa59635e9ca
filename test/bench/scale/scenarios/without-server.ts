import { moreRefreshes, peaks } from "../dispersion.ts";
import { figure, table } from "../markdown.ts";
import { seeded } from "../random.ts";
import { retryStorm, waits } from "../retry-storm.ts";
import type { Scenario } from "../scenario.ts";
import {
  expectedReads,
  KEEP_SECONDS,
  MAX_ENTRIES,
  simulatedReads,
  zipf,
} from "../zipf-cache.ts";

/** Scenarios without a server. They are calculated, or simulated with the same random numbers each time. */

/** Reads per thousand refreshes. Each cell has the simulated, the calculated and the unbounded number. */
export const kvReads: Scenario = {
  name: "kv-reads",
  about: "how often the client's record is read from KV",
  withoutServer: true,

  async run({ smoke }) {
    const refreshes = smoke ? 10_000 : 300_000;
    const rates = [1, 10, 50, 200];
    const perThousand = (reads: number) => figure(1_000 * reads);
    const rows = [100, 1_000, 10_000, 100_000].map((clients) => {
      const shares = zipf(clients);
      const cells = rates.map((refreshesPerSecond) => {
        const load = { refreshesPerSecond, shares };
        const simulated = simulatedReads(load, refreshes, seeded(clients));
        const calculated = expectedReads(load);
        const unbounded = expectedReads(load, {
          keepTime: KEEP_SECONDS,
          maxEntries: Infinity,
        });
        const cell = `${perThousand(simulated)} (${perThousand(calculated)})`;
        if (calculated === unbounded) return cell;
        return `${cell}, unbounded ${perThousand(unbounded)}`;
      });
      return [figure(clients), ...cells];
    });
    const head = rates.map((rate) => `${rate}/s per isolate`);
    return table(["clients", ...head], rows);
  },
};

/** Refreshes out of a thousand that find no record as young as that. Each cell is simulated and calculated. */
export const kvWaits: Scenario = {
  name: "kv-waits",
  about: "how often a refresh of a client that is seldom seen waits for KV",
  withoutServer: true,

  async run({ smoke }) {
    const refreshes = smoke ? 1_000 : 100_000;
    const keepTimes = {
      "a minute": KEEP_SECONDS,
      "ten minutes": 600,
      "an hour": 3_600,
      "a day": 86_400,
    };
    const rows = [1, 10, 100, 1_000].map((perHour) => {
      const load = { refreshesPerSecond: perHour / 3_600, shares: [1] };
      const cells = Object.values(keepTimes).map((keepTime) => {
        const limits = { keepTime, maxEntries: MAX_ENTRIES };
        const simulated = simulatedReads(load, refreshes, seeded(1), limits);
        const calculated = expectedReads(load, limits);
        return `${figure(1_000 * simulated)} (${figure(1_000 * calculated)})`;
      });
      return [figure(perHour), ...cells];
    });
    const head = Object.keys(keepTimes).map((name) => `kept for ${name}`);
    return table(["refreshes of the client per hour", ...head], rows);
  },
};

export const dispersion: Scenario = {
  name: "dispersion",
  about: "how a herd disperses, refresh after refresh",
  withoutServer: true,

  async run({ smoke }) {
    const families = smoke ? 20_000 : 1_000_000;
    const lifetimes = [1, 2, 6, 12, 24, 48, 96];
    const rows = [0, 0.05, 0.1, 0.2, 0.5].map((jitter) => {
      const random = seeded(1);
      const all = peaks({
        families,
        jitter,
        lifetimes: lifetimes.at(-1)!,
        bins: 360,
        random,
      });
      return [
        jitter === 0 ? "none" : `the last ${jitter * 100} % of the lifetime`,
        `+${figure(moreRefreshes(jitter) * 100)} %`,
        ...lifetimes.map((lifetime) => figure(all[lifetime - 1]!)),
      ];
    });
    const head = lifetimes.map((lifetime) => `${lifetime} h`);
    return table(["jitter", "additional refreshes", ...head], rows);
  },
};

export const retries: Scenario = {
  name: "retries",
  about: "clients that were all told to retry",
  withoutServer: true,

  async run() {
    const [clients, perSecond] = [10_000, 1_000];
    const names: Record<keyof typeof waits, string> = {
      exactly: "exactly `Retry-After`, 1 s",
      oneOfThree: "exactly `Retry-After`, 1, 2 or 3 s, as Baton sends it",
      atRandom: "1 s plus a random time of up to 1 s",
      backingOff: "1 s plus a random time of up to 2, 4, 8 … 60 s",
    };
    const rows = Object.entries(waits).map(([name, wait]) => {
      const storm = retryStorm(clients, perSecond, wait, seeded(1));
      return [
        names[name as keyof typeof waits],
        figure(storm.requestsEach),
        `${figure(storm.seconds)} s`,
      ];
    });
    return table(
      ["each client waits", "requests per client", "last client served after"],
      rows,
    );
  },
};
