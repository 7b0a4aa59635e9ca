import {
  type Guarantees,
  isAtomic,
  noticesReuse,
  type Race,
  survivesKill,
} from "../guarantees/guarantees.ts";
import type { EntrantResults } from "../results.ts";
import { table } from "./markdown.ts";

/** What was measured of what each guarantees, in three tables. */
export function guaranteeTables(entrants: readonly EntrantResults[]): string {
  const all = entrants.flatMap(({ name, guarantees }) =>
    Object.entries(guarantees).map(([variant, measured]) => ({
      name: variant === "" ? name : `${name}, ${variant}`,
      ...measured,
    })),
  );
  return `#### One token, exchanged ${all[0]?.races[0]?.attempts} times at the same moment

${table(
  [
    "",
    "succeed",
    "different successors",
    "of them good afterwards",
    "store 1 ms away: succeed",
    "different successors",
    "of them good afterwards",
  ],
  all.map(({ name, races, farRaces }) => [
    name,
    ...raceCells(races),
    ...raceCells(farRaces ?? []),
  ]),
)}

#### Used tokens that come back

${table(
  [
    "",
    "the one before the previous",
    "the newest then",
    "the previous",
    "the newest then",
  ],
  all.map(({ name, replay }) => [
    name,
    replay.old,
    replay.newestLivesAfterOld ? "is good" : "is dead",
    replay.previous === "refused" ? "refused" : replay.previous,
    replay.newestLivesAfterPrevious ? "is good" : "is dead",
  ]),
)}

#### \`kill -9\` under load

${table(
  [
    "",
    "newest tokens that are good",
    "used tokens exchanged again",
    "unanswered, go on when they ask again",
  ],
  all.map(({ name, crash: { newest, used, unanswered } }) => [
    name,
    outOf(newest.good, newest.tried),
    outOf(used.exchangedAgain, used.tried),
    outOf(unanswered.goneOn, unanswered.tried),
  ]),
)}`;
}

/** Beside a server's figures: atomic? reuse noticed? survives `kill -9`? */
export function verdicts(measured: Guarantees): string[] {
  return [isAtomic, noticesReuse, survivesKill].map((holds) =>
    holds(measured) ? "yes" : "no",
  );
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
