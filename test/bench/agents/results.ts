import type { Outcome } from "./play.ts";
import type { Profile } from "./profile.ts";
import { THIEF } from "./trace.ts";

/** All results of a run, for `results.json`. */
export interface Results {
  /** ISO 8601. */
  date: string;
  /** The commit of Baton and of the benchmark itself. */
  commit: string;
  /** Each trace was played so often on each server. */
  repeats: number;
  servers: ServerResults[];
}

export interface ServerResults extends Pick<
  Profile,
  "name" | "role" | "version" | "runtime" | "about"
> {
  /** The outcomes of the repeats, by the title of the trace. */
  outcomes: Record<string, Outcome[]>;
}

/** The outcome of a trace with a thief. `unnoticed` says in addition whose newest token is alive. */
export type TheftVerdict =
  | "ended"
  | "refused"
  | "unnoticed: both"
  | "unnoticed: thief"
  | "unnoticed: owner";

/** Counts the holders of a trace that are alive at its end. */
export function living(outcome: Outcome): number {
  return Object.values(outcome).filter(({ alive }) => alive).length;
}

/**
 * Judges a theft by what the server did.
 *
 * - `refused`: the thief never got a token, and the owner's login goes on, as far as the owner is asked.
 * - `ended`: nobody's token is alive, so the server has noticed the theft, or treats it as one.
 * - `unnoticed`: the thief got tokens, and the login is alive.
 */
export function judgeTheft(outcome: Outcome): TheftVerdict {
  const { [THIEF]: thief, owner } = outcome;
  if (thief?.answered === 0 && owner?.alive !== false) return "refused";
  if (living(outcome) === 0) return "ended";
  if (living(outcome) === 2) return "unnoticed: both";
  return thief?.alive ? "unnoticed: thief" : "unnoticed: owner";
}

/** The smallest and the largest value of several repeats. */
export interface Range {
  least: number;
  most: number;
}

export function rangeOf(values: readonly number[]): Range {
  return { least: Math.min(...values), most: Math.max(...values) };
}

/** Counts something in all traces of one repeat. @returns the range over the repeats */
export function countOver(
  { outcomes }: ServerResults,
  titles: readonly string[],
  count: (outcome: Outcome) => number,
): Range {
  const repeats = outcomes[titles[0] ?? ""]?.length ?? 0;
  const counts = Array.from({ length: repeats }, (_, repeat) =>
    titles.reduce((total, title) => {
      const outcome = outcomes[title]?.[repeat];
      if (!outcome) throw new Error(`There is no outcome of: ${title}`);
      return total + count(outcome);
    }, 0),
  );
  return rangeOf(counts);
}

export function rangeText({ least, most }: Range): string {
  return least === most ? String(least) : `${least}–${most}`;
}
