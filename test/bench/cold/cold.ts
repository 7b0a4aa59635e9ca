import { readFile } from "node:fs/promises";
import { InvalidArgumentError } from "commander";
import { say } from "../../../src/cli/output.ts";
import { newProgram, run } from "../../../src/cli/program.ts";
import { publish, render, resultsFile } from "../publish.ts";
import { coldTables } from "../report/cold.ts";
import type { Results } from "../results.ts";
import { inTemporaryFolder } from "../temporary-folder.ts";
import { coldContenders, coldPlan, measureCold } from "./measure.ts";

interface Options {
  starts: number;
  rounds: number;
  write?: true;
}

const program = newProgram("bench:cold")
  .description(
    "Measures the section of the benchmark about the cold path, without the other sections: the first answer " +
      "after the process starts, and refreshes whose object was evicted.",
  )
  .option("--starts <count>", "starts to count", count, coldPlan.starts)
  .option(
    "--rounds <count>",
    "rounds of evicted objects to count",
    count,
    coldPlan.rounds,
  )
  .option(
    "--write",
    "replace this section in test/bench/results and test/bench/README.md; the other figures stay",
  )
  .action(runCold);

await run(program);

async function runCold({ starts, rounds, write }: Options): Promise<void> {
  const cold = await inTemporaryFolder((folder) =>
    measureCold(folder, coldContenders, { ...coldPlan, starts, rounds }),
  );
  say(coldTables(cold));
  if (!write) return;
  const stored = JSON.parse(await readFile(resultsFile, "utf8")) as Results;
  await publish(await render({ ...stored, cold }));
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError("It must be a whole number above 0.");
  return value;
}
