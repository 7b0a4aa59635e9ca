import type { Contender } from "../contender.ts";
import { type Spread, spread } from "../statistics.ts";
import type { EvictedRound } from "./evicted.ts";
import type { FirstAnswer } from "./first-answer.ts";

/** The requests whose first answer is measured. */
export type RequestKind = "a refused token" | "a refresh";

/** How much the cold section measures. */
export interface ColdPlan {
  /** Starts of each server and request that are counted, after one that is not. */
  starts: number;
  /** Rounds of refreshes of evicted objects, after one that is not counted. */
  rounds: number;
  /** Evicted objects that are woken in a round. */
  families: number;
}

/** The results of the cold section. They can be newer than the others, so they have their own date and commit. */
export interface ColdResults {
  /** ISO 8601. */
  date: string;
  commit: string;
  /** The load average over a minute before the first measurement. An idle machine is far below 1. */
  load_average: number;
  plan: ColdPlan;
  /** Begins with the two yardsticks: Hono alone, and Hono with the bindings. */
  servers: ColdServer[];
}

export interface ColdServer extends Pick<Contender, "name" | "role"> {
  /** In the order of the rounds, which are the same for all servers. */
  first: Record<RequestKind, FirstAnswer[]>;
  /** In the order of the rounds. Only for a server that keeps each login in an object of its own. */
  evicted?: EvictedRound[];
}

/**
 * A figure as a multiple of another server's figure of the same round, because a disturbance of the machine
 * affects both.
 */
export function coldRatio<Round>(
  figure: (round: Round) => number,
  rounds: readonly Round[],
  others: readonly Round[],
): Spread {
  return spread(
    rounds.map((round, index) => figure(round) / figure(others[index]!)),
  );
}
