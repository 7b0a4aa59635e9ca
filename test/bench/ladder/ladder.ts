import { join } from "node:path";
import { InvalidArgumentError } from "commander";
import { say } from "../../../src/cli/output.ts";
import { newProgram, run } from "../../../src/cli/program.ts";
import { Entrant } from "../entrant.ts";
import { type Measurement, measureChains } from "../load.ts";
import { freePort } from "../ports.ts";
import { progress } from "../progress.ts";
import { writeBetween } from "../publish.ts";
import { inTemporaryFolder } from "../temporary-folder.ts";
import { ladderTable } from "./table.ts";
import { rungs } from "./rungs.ts";

/** The number of clients that the goal applies to: 0.90 of the floor's rotations at 1.15 of its CPU. */
const CHAINS = 16;

interface Options {
  rounds: number;
  seconds: number;
  write?: true;
}

const program = newProgram("bench:ladder")
  .description(
    "Measures the floor, the floor with each of Baton's duties, the floor with all of them, and Baton.",
  )
  .option("--rounds <count>", "rounds to count", positive, 15)
  .option("--seconds <seconds>", "length of each measurement", positive, 1.5)
  .option("--write", "write the table into test/bench/README.md")
  .action(runLadder);

await run(program);

async function runLadder({ rounds, seconds, write }: Options): Promise<void> {
  const measured = await inTemporaryFolder(async (folder) => {
    const entrants: Entrant[] = [];
    for (const [index, contender] of rungs().entries()) {
      const place = join(folder, String(index));
      entrants.push(await Entrant.start(contender, place, await freePort()));
    }
    return measure(entrants, rounds, seconds);
  });
  const markdown = ladderTable(measured, rounds, seconds);
  say(markdown);
  if (write) await writeBetween("ladder", markdown);
}

/** Measures round by round, so that a disturbance of the machine affects all. @returns results by name */
async function measure(
  entrants: readonly Entrant[],
  rounds: number,
  seconds: number,
): Promise<Map<string, Measurement[]>> {
  const measured = new Map<string, Measurement[]>();
  progress("warm-up");
  for (const entrant of entrants) await measureChains(entrant, CHAINS, seconds);
  for (let round = 0; round < rounds; round += 1) {
    progress(`${round + 1}/${rounds}`);
    const first = round % entrants.length;
    const turn = [...entrants.slice(first), ...entrants.slice(0, first)];
    for (const entrant of turn) {
      const found = await measureChains(entrant, CHAINS, seconds);
      measured.set(entrant.name, [
        ...(measured.get(entrant.name) ?? []),
        found,
      ]);
    }
  }
  return measured;
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < Infinity))
    throw new InvalidArgumentError("It must be a number above 0.");
  return value;
}
