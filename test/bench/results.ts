import type { ColdResults } from "./cold/results.ts";
import type { Contender } from "./contender.ts";
import type { Guarantees } from "./guarantees/guarantees.ts";
import type { Measurement } from "./load.ts";
import type { Machine } from "./machine.ts";
import { median, type Spread, spread, sum } from "./statistics.ts";

/** How much a run measures. */
export interface Plan {
  /** Rounds that are counted, after one warm-up round. */
  rounds: number;
  /** Length of each measurement. */
  seconds: number;
  /** Logins that rotate once each after a restart. */
  logins: number;
  /** How many races are run for one token. */
  races: number;
  /** How often a server is killed. */
  crashes: number;
  /** Seconds of load before each kill. */
  crashAfter: number;
  /** Rotations after which the stored bytes are counted. */
  stored: number;
}

/** All results of a run, for `results.json`. */
export interface Results {
  /** ISO 8601. */
  date: string;
  /** The commit of Baton and of the benchmark itself. */
  commit: string;
  machine: Machine;
  plan: Plan;
  entrants: EntrantResults[];
  cold: ColdResults;
}

export interface EntrantResults extends Pick<
  Contender,
  "name" | "version" | "role" | "about"
> {
  /** By the client's variant; "" is the client whose rotations are measured. */
  guarantees: Record<string, Guarantees>;
  runs: Run[];
  bytes_per_rotation: number;
  bytes_per_login: number;
}

/** The measurements under one kind of load. */
export interface Run {
  load: Load;
  /** In the order of the rounds, which are the same for all entrants. */
  rounds: Measurement[];
}

/** The number of clients at a time, or logins after a restart. */
export type Load = 1 | 16 | 64 | "restart";

export const LOADS: readonly Load[] = [1, 16, 64, "restart"];

/** Takes one figure from a measurement. */
export type Figure = (measurement: Measurement) => number;

export const rotationsPerSecond: Figure = ({ rotations, seconds }) =>
  rotations / seconds;

/** The median of a round's latencies, in milliseconds. */
export const latency: Figure = ({ p50_ms }) => p50_ms;

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

/**
 * A figure as a multiple of another's figure of the same round, because a disturbance of the machine affects
 * both.
 */
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

/** Over all rounds, because one round may be too short for the clock that counts CPU time. */
export function cpuSecondsPer1000(rounds: readonly Measurement[]): number {
  const cpu = sum(rounds.map(({ cpu_seconds }) => cpu_seconds));
  return (1000 * cpu) / sum(rounds.map(({ rotations }) => rotations));
}
