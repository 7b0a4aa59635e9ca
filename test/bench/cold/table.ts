import { figure, table } from "../report/markdown.ts";
import { median } from "../statistics.ts";
import type { FirstAnswer } from "./first-answer.ts";
import { ratioTo } from "./starts.ts";

/** The figures of a first answer: the head of a column, and the value. */
const columns: [string, (answer: FirstAnswer) => number][] = [
  ["open port to answer", ({ fromOpen }) => fromOpen],
  ["CPU from the open port", ({ cpuFromOpen }) => cpuFromOpen],
  ["CPU in all", ({ cpu }) => cpu],
];

/** The table of the first answers, in Markdown. @param measured by name; the first is the yardstick */
export function coldTable(
  measured: ReadonlyMap<string, readonly FirstAnswer[]>,
): string {
  const [yardstick = []] = measured.values();
  const rows = [...measured].map(([name, found]) => [
    name,
    ...columns.flatMap(([, value]) => [
      figure(ratioTo(value, found, yardstick)),
      figure(median(found.map(value))),
    ]),
  ]);
  const heads = columns.flatMap(([head]) => [`${head}, ratio`, "ms"]);
  return table(["", ...heads], rows);
}
