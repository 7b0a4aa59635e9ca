import type { Machine } from "../machine.ts";
import {
  cpuPerRotation,
  cpuSecondsPer1000,
  type EntrantResults,
  type Figure,
  latency,
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
import { coldTables } from "./cold.ts";
import { guaranteeTables, verdicts } from "./guarantees.ts";
import { figure, spreadText, table } from "./markdown.ts";

/** A load generator that uses more than this share of a core may be the limit. */
const MAX_GENERATOR_SHARE = 0.85;

/** All figures in Markdown, ratios first. */
export function report(results: Results): string {
  const { date, commit, machine, plan, entrants, cold } = results;
  return `Measured on ${date.slice(0, 10)}, Baton at commit ${commit}, on ${machineText(machine)}
Rounds: ${plan.rounds} of ${plan.seconds} s for each figure, after one warm-up round that is not counted; ${plan.logins.toLocaleString("en")} logins after the restart. ${generatorText(entrants)}

### Summary

16 clients at a time. Each ratio is the median of the rounds' ratios; the brackets hold their middle half.

${summaryTable(entrants)}

### Relative to the floor

Rotations per second, as a multiple of the floor's (more is better):

${ratioTable(rotationsPerSecond, entrants)}

CPU time per rotation, as a multiple of the floor's (less is better):

${ratioTable(cpuPerRotation, entrants)}

Latency of a rotation (p50), as a multiple of the floor's (less is better):

${ratioTable(latency, entrants)}

### The cold path

${coldTables(cold)}

### Guarantees

${guaranteeTables(entrants)}

### Absolute figures

${absoluteTable(entrants)}

### Memory and storage

${storageTable(entrants)}

### Servers

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

function summaryTable(entrants: readonly EntrantResults[]): string {
  return table(
    [
      "",
      "rotations/s, relative to the floor",
      "CPU per rotation, relative to the floor",
      "one exchange per token",
      "reuse noticed",
      "survives `kill -9`",
      "synced",
    ],
    entrants.map((entrant) => [
      entrant.name,
      spreadText(ratioToFloor(entrants, rotationsPerSecond, entrant, 16)),
      spreadText(ratioToFloor(entrants, cpuPerRotation, entrant, 16)),
      ...verdicts(entrant),
    ]),
  );
}

function ratioTable(
  ofWhat: Figure,
  entrants: readonly EntrantResults[],
): string {
  return table(
    ["", ...LOADS.map(loadText)],
    entrants.map((entrant) => [
      entrant.name,
      ...LOADS.map((load) =>
        spreadText(ratioToFloor(entrants, ofWhat, entrant, load)),
      ),
    ]),
  );
}

/** A figure of an entrant as a multiple of the floor's. The floor is the first of the entrants. */
export function ratioToFloor(
  [floor]: readonly EntrantResults[],
  ofWhat: Figure,
  entrant: EntrantResults,
  load: Load,
): Spread {
  return ratio(ofWhat, roundsOf(entrant, load), roundsOf(floor!, load));
}

function absoluteTable(entrants: readonly EntrantResults[]): string {
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

function storageTable(entrants: readonly EntrantResults[]): string {
  return table(
    [
      "",
      "memory after 64 clients, MB",
      "memory after the restart run, MB",
      "bytes stored per rotation",
      "bytes stored per login",
    ],
    entrants.map((entrant) => [
      entrant.name,
      figure(typical(memoryMegabytes, roundsOf(entrant, 64))),
      figure(memoryMegabytes(roundsOf(entrant, "restart").at(-1)!)),
      Math.round(entrant.bytes_per_rotation).toLocaleString("en"),
      Math.round(entrant.bytes_per_login).toLocaleString("en"),
    ]),
  );
}

export function machineText(machine: Machine): string {
  const gib = Math.round(machine.memory_bytes / 2 ** 30);
  return `${machine.cores} cores of ${machine.cpu}, ${gib} GiB of memory, ${machine.kernel}, ${machine.filesystem} (4 KiB written and synced in ${figure(machine.fsync_ms)} ms), Node ${machine.node}, workerd ${machine.workerd}.`;
}

/** Says how busy the load generator was, because it must not be the limit. */
function generatorText(entrants: readonly EntrantResults[]): string {
  const shares = entrants.flatMap(({ runs }) =>
    runs.flatMap(({ rounds }) => rounds.map((round) => round.generator_share)),
  );
  const max = Math.max(...shares);
  const text = `The load generator used at most ${Math.round(100 * max)}% of a core`;
  return max > MAX_GENERATOR_SHARE
    ? `**${text}. It may have been the limit, and not the server.**`
    : `${text}.`;
}

function loadText(load: Load): string {
  if (load === "restart") return "after a restart";
  return load === 1 ? "1 client" : `${load} clients`;
}
