import type { Machine } from "../machine.ts";
import {
  cpuPerRotation,
  cpuSecondsPer1000,
  type EntrantResults,
  type Figure,
  type Load,
  LOADS,
  memoryMegabytes,
  ratio,
  type Results,
  rotationsPerSecond,
  roundsOf,
  typical,
} from "../results.ts";
import type { Spread } from "../statistics.ts";
import { guaranteeTables, verdicts } from "./guarantees.ts";
import { figure, table } from "./markdown.ts";

/** A load generator that is so busy may be what is measured. */
const BUSY = 0.85;

/** All figures for people to read, in Markdown: ratios first. */
export function report(results: Results): string {
  const { date, commit, machine, plan, entrants } = results;
  return `Measured on ${date.slice(0, 10)}, Baton at commit ${commit}, on ${machineText(machine)}
Rounds: ${plan.rounds} of ${plan.seconds} s for each figure, after one that does not count; ${plan.cold.toLocaleString("en")} logins in the cold run. ${generatorText(entrants)}

### At a glance

16 clients at a time. A ratio is the median of those of the rounds, with the middle half of them in brackets.

${glance(entrants)}

### Held against the floor

Rotations a second, as a multiple of the floor's (more is better):

${ratios(rotationsPerSecond, entrants)}

CPU time a rotation, as a multiple of the floor's (less is better):

${ratios(cpuPerRotation, entrants)}

### What each guarantees

${guaranteeTables(entrants)}

### Absolute figures

${absolute(entrants)}

### Memory and storage

${stored(entrants)}

### What was measured

${table(
  ["", "version", "runs on", "stores in", "access token"],
  entrants.map(({ name, version, about }) => [
    name,
    version,
    about.runtime,
    about.store,
    about.accessToken,
  ]),
)}`;
}

function glance(entrants: readonly EntrantResults[]): string {
  return table(
    [
      "",
      "rotations/s, of the floor's",
      "CPU a rotation, of the floor's",
      "one exchange a token",
      "reuse noticed",
      "survives `kill -9`",
    ],
    entrants.map((entrant) => [
      entrant.name,
      spreadText(against(entrants, rotationsPerSecond, entrant, 16)),
      spreadText(against(entrants, cpuPerRotation, entrant, 16)),
      ...verdicts(entrant.guarantees[""]!),
    ]),
  );
}

function ratios(ofWhat: Figure, entrants: readonly EntrantResults[]): string {
  return table(
    ["", ...LOADS.map(loadText)],
    entrants.map((entrant) => [
      entrant.name,
      ...LOADS.map((load) =>
        spreadText(against(entrants, ofWhat, entrant, load)),
      ),
    ]),
  );
}

/** The floor comes first. */
export function against(
  [floor]: readonly EntrantResults[],
  ofWhat: Figure,
  entrant: EntrantResults,
  load: Load,
): Spread {
  return ratio(ofWhat, roundsOf(entrant, load), roundsOf(floor!, load));
}

function absolute(entrants: readonly EntrantResults[]): string {
  return table(
    ["", "load", "rotations/s", "p50, ms", "p99, ms", "CPU s per 1,000"],
    LOADS.flatMap((load) =>
      entrants.map((entrant) => {
        const rounds = roundsOf(entrant, load);
        return [
          entrant.name,
          loadText(load),
          figure(typical(rotationsPerSecond, rounds)),
          figure(typical(({ p50_ms }) => p50_ms, rounds)),
          figure(typical(({ p99_ms }) => p99_ms, rounds)),
          figure(cpuSecondsPer1000(rounds)),
        ];
      }),
    ),
  );
}

function stored(entrants: readonly EntrantResults[]): string {
  return table(
    [
      "",
      "memory after 64 at a time, MB",
      "after the cold run, MB",
      "bytes stored per rotation",
      "bytes stored per login",
    ],
    entrants.map((entrant) => [
      entrant.name,
      figure(typical(memoryMegabytes, roundsOf(entrant, 64))),
      figure(memoryMegabytes(roundsOf(entrant, "cold").at(-1)!)),
      Math.round(entrant.bytes_per_rotation).toLocaleString("en"),
      Math.round(entrant.bytes_per_login).toLocaleString("en"),
    ]),
  );
}

export function machineText(machine: Machine): string {
  const gib = Math.round(machine.memory_bytes / 2 ** 30);
  return `${machine.cores} cores of ${machine.cpu}, ${gib} GiB of memory, ${machine.kernel}, ${machine.filesystem} (4 KiB written and synced in ${figure(machine.fsync_ms)} ms), Node ${machine.node}, workerd ${machine.workerd}.`;
}

/** Who makes the load must not be what is measured. */
function generatorText(entrants: readonly EntrantResults[]): string {
  const shares = entrants.flatMap(({ runs }) =>
    runs.flatMap(({ rounds }) => rounds.map((round) => round.generator_share)),
  );
  const most = Math.max(...shares);
  const text = `Making the load took at most ${Math.round(100 * most)}% of a core of its own`;
  return most > BUSY
    ? `**${text}: it, and not the server, may have been the limit.**`
    : `${text}.`;
}

function loadText(load: Load): string {
  return load === "cold" ? "cold" : `${load} at a time`;
}

export function spreadText({ median, lower, upper }: Spread): string {
  if (lower === upper) return figure(median);
  return `${figure(median)} (${figure(lower)}–${figure(upper)})`;
}
