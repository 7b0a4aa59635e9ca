import {
  type Arrival,
  makeLogins,
  openLoop,
  type Outcome,
  refreshLoop,
} from "../load.ts";
import { figure, table } from "../markdown.ts";
import { seeded } from "../random.ts";
import type { Scenario } from "../scenario.ts";
import { BatonServer, type Login } from "../server.ts";
import { quantile } from "../statistics.ts";

const HOUR = 3_600;
const CHAINS = 64;
/** Few subjects, because each object in memory holds three files open, and a process may not open many. */
const SUBJECTS = 50;

/**
 * A thundering herd: families that were all made in one second, so that all their access tokens expire
 * in one second as well. The hour of an access token is compressed so that evenly spread refreshes use a
 * chosen part of the server's capacity. The second is compressed with it.
 */
export const herd: Scenario = {
  name: "herd",
  about: "thousands of families whose access tokens expire in the same second",

  async run({ port, smoke }) {
    const [families, seconds, rounds] = smoke ? [200, 0.3, 1] : [2_000, 2, 5];
    await using server = await BatonServer.start(port);
    const client = await server.makeClient();
    const subjectOf = (login: number) => `subject-${login % SUBJECTS}`;
    const logins = await makeLogins(server, families, [client], subjectOf);
    // Measured twice, because the server is slow at first.
    await refreshLoop(server, logins, CHAINS, seconds);
    const capacity = await refreshLoop(server, logins, CHAINS, seconds);
    const parts = [
      `${figure(families)} families. The server handles at most ${figure(capacity.perSecond)} refreshes per second (${CHAINS} at a time).`,
    ];
    for (const utilisation of smoke ? [0.2] : [0.1, 0.3]) {
      const lifetimeMs = (1000 * families) / (capacity.perSecond * utilisation);
      const outcomes = await measure(server, logins, lifetimeMs, rounds);
      parts.push(
        `Spread evenly, they use **${percent(utilisation)}** of that: the hour takes ${figure(lifetimeMs / 1000)} s.`,
        show(outcomes, utilisation),
      );
    }
    return parts.join("\n\n");
  },
};

/** The parts of an access token's lifetime in which the refreshes come. The first is a second of an hour. */
const widths = [1 / HOUR, 0.01, 0.05, 0.1, 0.2, 0.5, 1];

/** @returns for each width the outcomes of the rounds */
async function measure(
  server: BatonServer,
  logins: Login[],
  lifetimeMs: number,
  rounds: number,
): Promise<Outcome[][]> {
  const random = seeded(logins.length);
  const outcomes: Outcome[][] = widths.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [row, width] of widths.entries()) {
      const arrivals = logins.map((login): Arrival => {
        return { at: random() * width * lifetimeMs, login };
      });
      outcomes[row]!.push(await openLoop(server, arrivals));
    }
  }
  return outcomes;
}

/**
 * A table of the best of the rounds. In every second or third round, V8 stops the server for a full
 * collection, which has nothing to do with the herd.
 */
function show(outcomes: readonly Outcome[][], utilisation: number): string {
  const latency = (rounds: Outcome[], part: number) =>
    Math.min(...rounds.map(({ latencies }) => quantile(latencies, part)));
  const even = latency(outcomes.at(-1)!, 0.99);
  return table(
    [
      "refreshes come within",
      "load",
      "p99, relative to an even spread",
      "p50, ms",
      "p95, ms",
      "p99, ms",
      "last, ms",
      "max in flight",
      "503",
      "generator lag, ms",
    ],
    outcomes.map((rounds, row) => {
      const width = widths[row]!;
      return [
        width === 1 / HOUR
          ? "the same second"
          : `${percent(width)} of the lifetime`,
        figure(utilisation / width),
        figure(latency(rounds, 0.99) / even),
        ...[0.5, 0.95, 0.99, 1].map((part) => figure(latency(rounds, part))),
        figure(Math.min(...rounds.map(({ maxInFlight }) => maxInFlight))),
        figure(rounds.reduce((sum, { refusals }) => sum + refusals, 0)),
        figure(Math.max(...rounds.map(({ lag }) => lag))),
      ];
    }),
  );
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}
