import { moreRefreshes, peaks } from "../dispersion.ts";
import { figure, table } from "../markdown.ts";
import { seeded } from "../random.ts";
import { retryStorm, waits } from "../retry-storm.ts";
import type { Scenario } from "../scenario.ts";
import {
  expectedReads,
  KEEP_SECONDS,
  simulatedReads,
  zipf,
} from "../zipf-cache.ts";

/** What needs no server: it is reckoned, or played with random numbers that are the same each time. */

/** By a thousand refreshes: in each cell what was played, what was reckoned, and what the bound does. */
export const kvReads: Scenario = {
  name: "kv-reads",
  about: "how often the client's record is read from KV",
  onPaper: true,

  async run({ smoke }) {
    const refreshes = smoke ? 10_000 : 300_000;
    const rates = [1, 10, 50, 200];
    const ofThousand = (reads: number) => figure(1_000 * reads);
    const rows = [100, 1_000, 10_000, 100_000].map((clients) => {
      const shares = zipf(clients);
      const cells = rates.map((refreshesPerSecond) => {
        const load = { refreshesPerSecond, shares };
        const played = simulatedReads(load, refreshes, seeded(clients));
        const reckoned = expectedReads(load);
        const unbounded = expectedReads(load, {
          keepFor: KEEP_SECONDS,
          mostEntries: Infinity,
        });
        const cell = `${ofThousand(played)} (${ofThousand(reckoned)})`;
        if (reckoned === unbounded) return cell;
        return `${cell}, unbounded ${ofThousand(unbounded)}`;
      });
      return [figure(clients), ...cells];
    });
    const head = rates.map((rate) => `${rate}/s an isolate`);
    return table(["clients", ...head], rows);
  },
};

export const dispersion: Scenario = {
  name: "dispersion",
  about: "what becomes of a herd, refresh after refresh",
  onPaper: true,

  async run({ smoke }) {
    const families = smoke ? 20_000 : 1_000_000;
    const lives = [1, 2, 6, 12, 24, 48, 96];
    const rows = [0, 0.05, 0.1, 0.2, 0.5].map((jitter) => {
      const random = seeded(1);
      const all = peaks({
        families,
        jitter,
        lives: lives.at(-1)!,
        bins: 360,
        random,
      });
      return [
        jitter === 0 ? "none" : `the last ${jitter * 100} % of the life`,
        `+${figure(moreRefreshes(jitter) * 100)} %`,
        ...lives.map((life) => figure(all[life - 1]!)),
      ];
    });
    const head = lives.map((life) => `${life} h`);
    return table(["each refresh comes in", "refreshes", ...head], rows);
  },
};

export const retries: Scenario = {
  name: "retries",
  about: "clients that were all told to come back",
  onPaper: true,

  async run() {
    const [clients, perSecond] = [10_000, 1_000];
    const names: Record<keyof typeof waits, string> = {
      exactly: "exactly `Retry-After`, 1 s",
      oneOfThree: "exactly `Retry-After`, 1, 2 or 3 s, as Baton says",
      atRandom: "1 s, and up to 1 s at random",
      backingOff: "1 s, and up to 2, 4, 8 … 60 s at random",
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
      ["each client waits", "requests it makes", "the last is served after"],
      rows,
    );
  },
};
