import {
  isAtomic,
  noticesReuse,
  type Race,
  survivesKill,
} from "../guarantees/guarantees.ts";
import type { EntrantResults } from "../results.ts";
import { table } from "./markdown.ts";

/** The measured guarantees of each server, in three tables. */
export function guaranteeTables(entrants: readonly EntrantResults[]): string {
  const all = entrants.flatMap(({ name, guarantees }) =>
    Object.entries(guarantees).map(([variant, measured]) => ({
      name: variant === "" ? name : `${name}, ${variant}`,
      ...measured,
    })),
  );
  return `#### One token, presented ${all[0]?.races[0]?.attempts} times at the same moment

${table(
  [
    "",
    "attempts that succeed",
    "different successors",
    "successors valid afterwards",
    "store 1 ms away: attempts that succeed",
    "different successors",
    "successors valid afterwards",
  ],
  all.map(({ name, races, farRaces }) => [
    name,
    ...raceCells(races),
    ...raceCells(farRaces ?? []),
  ]),
)}

#### Used tokens that are presented again

${table(
  [
    "",
    "token before the previous one",
    "newest token afterwards",
    "previous token",
    "newest token afterwards",
  ],
  all.map(({ name, replay }) => [
    name,
    replay.old,
    replay.newestLivesAfterOld ? "valid" : "invalid",
    replay.previous === "refused" ? "refused" : replay.previous,
    replay.newestLivesAfterPrevious ? "valid" : "invalid",
  ]),
)}

#### \`kill -9\` under load

${table(
  [
    "",
    "newest tokens still valid",
    "used tokens exchanged again",
    "clients without an answer whose retry succeeds",
  ],
  all.map(({ name, crash: { newest, used, unanswered } }) => [
    name,
    outOf(newest.good, newest.tried),
    outOf(used.exchangedAgain, used.tried),
    outOf(unanswered.goneOn, unanswered.tried),
  ]),
)}`;
}

/**
 * The columns beside a server's figures: one exchange per token, reuse noticed, survives `kill -9`, synced.
 * The last is a setting; the others are measured.
 */
export function verdicts({ guarantees, about }: EntrantResults): string[] {
  const measured = guarantees[""]!;
  return [
    isAtomic(measured),
    noticesReuse(measured),
    survivesKill(measured),
    about.synced,
  ].map((holds) => (holds ? "yes" : "no"));
}

function raceCells(races: readonly Race[]): string[] {
  return (["successes", "successors", "living"] as const).map((name) =>
    range(races.map((race) => race[name])),
  );
}

function range(values: readonly number[]): string {
  if (values.length === 0) return "—";
  const min = Math.min(...values);
  const max = Math.max(...values);
  return min === max ? String(min) : `${min}–${max}`;
}

function outOf(part: number, all: number): string {
  return `${part} of ${all}`;
}
