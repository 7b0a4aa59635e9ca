import type { Contender } from "./contender.ts";
import type { Guarantees } from "./guarantees/guarantees.ts";
import type { Measurement } from "./load.ts";
import type { Machine } from "./machine.ts";
import { median, type Spread, spread, sum } from "./statistics.ts";

/** How much is measured. */
export interface Plan {
  /** Rounds that count; one more goes before them. */
  rounds: number;
  /** Of each measurement. */
  seconds: number;
  /** Logins that rotate once, after a start. */
  cold: number;
  /** How often one token is raced for. */
  races: number;
  /** How often a server is killed, */
  crashes: number;
  /** each time after so many seconds of load. */
  crashAfter: number;
  /** Rotations, to see how much they store. */
  stored: number;
}

/** All that a run has measured, for `results.json`. */
export interface Results {
  /** ISO 8601. */
  date: string;
  /** Of Baton, and of the benchmark itself. */
  commit: string;
  machine: Machine;
  plan: Plan;
  entrants: EntrantResults[];
}

export interface EntrantResults extends Pick<
  Contender,
  "name" | "version" | "role" | "about"
> {
  /** By what sets the client apart; "" is the one whose rotations are measured. */
  guarantees: Record<string, Guarantees>;
  runs: Run[];
  bytes_per_rotation: number;
  bytes_per_login: number;
}

/** One kind of load. */
export interface Run {
  load: Load;
  /** Each beside the same round of all others. */
  rounds: Measurement[];
}

/** So many chains, or logins after a cold start. */
export type Load = 1 | 16 | 64 | "cold";

export const LOADS: readonly Load[] = [1, 16, 64, "cold"];

/** One figure of a measurement. */
export type Figure = (measurement: Measurement) => number;

export const rotationsPerSecond: Figure = ({ rotations, seconds }) =>
  rotations / seconds;

/** In seconds. */
export const cpuPerRotation: Figure = ({ rotations, cpu_seconds }) =>
  cpu_seconds / rotations;

export const memoryMegabytes: Figure = ({ memory_bytes }) => memory_bytes / 1e6;

export function roundsOf(
  { runs }: Pick<EntrantResults, "runs">,
  load: Load,
): Measurement[] {
  return runs.find((run) => run.load === load)?.rounds ?? [];
}

/** A figure as a multiple of another's in the same round: what troubles the machine troubles both. */
export function ratio(
  figure: Figure,
  rounds: readonly Measurement[],
  others: readonly Measurement[],
): Spread {
  return spread(
    rounds.map((round, index) => figure(round) / figure(others[index]!)),
  );
}

export function typical(
  figure: Figure,
  rounds: readonly Measurement[],
): number {
  return median(rounds.map(figure));
}

/** Over all rounds, since one alone may be too short for the clock that counts it. */
export function cpuSecondsPer1000(rounds: readonly Measurement[]): number {
  const cpu = sum(rounds.map(({ cpu_seconds }) => cpu_seconds));
  return (1000 * cpu) / sum(rounds.map(({ rotations }) => rotations));
}
