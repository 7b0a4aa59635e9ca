import type { Measurement } from "../load.ts";
import { figure, table } from "../report/markdown.ts";
import {
  cpuPerRotation,
  type Figure,
  ratio,
  rotationsPerSecond,
  typical,
} from "../results.ts";
import { duties } from "./rungs.ts";

/** The table of the ladder, in Markdown. @param measured by name, the floor first */
export function ladderTable(
  measured: ReadonlyMap<string, readonly Measurement[]>,
  rounds: number,
  seconds: number,
): string {
  const floor = measured.get("the floor")!;
  const rows = [...measured].map(([name, found]) => {
    const ratioToFloor = (ofWhat: Figure) =>
      figure(ratio(ofWhat, found, floor).median);
    return [
      duties[name] ?? name,
      ratioToFloor(rotationsPerSecond),
      ratioToFloor(cpuPerRotation),
      figure(1e6 * typical(cpuPerRotation, found)),
    ];
  });
  return `Measured on ${new Date().toISOString().slice(0, 10)}: ${rounds} rounds of ${seconds} s each, 16 clients at a time. Each ratio is the median of the rounds' ratios to the floor.

${table(["", "rotations/s, relative to the floor", "CPU per rotation, relative to the floor", "CPU per rotation, µs"], rows)}`;
}
