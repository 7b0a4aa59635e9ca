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
import { describe } from "./describe.ts";
import { rungs } from "./rungs.ts";

/** As many as the goal is set for: 0.90 of the floor's rotations, 1.15 of its CPU. */
const CHAINS = 16;

interface Options {
  rounds: number;
  seconds: number;
  write?: true;
}

const program = newProgram("bench:ladder")
  .description(
    "What each of Baton's duties costs beyond the floor: each alone, all together, and Baton.",
  )
  .option("--rounds <count>", "rounds that count", positive, 15)
  .option("--seconds <seconds>", "of each measurement", positive, 1.5)
  .option("--write", "write the table into test/bench/README.md")
  .action(climb);

await run(program);

async function climb({ rounds, seconds, write }: Options): Promise<void> {
  const measured = await inTemporaryFolder(async (folder) => {
    const entrants: Entrant[] = [];
    for (const [index, contender] of rungs().entries()) {
      const place = join(folder, String(index));
      entrants.push(await Entrant.start(contender, place, await freePort()));
    }
    return measure(entrants, rounds, seconds);
  });
  const markdown = describe(measured, rounds, seconds);
  say(markdown);
  if (write) await writeBetween("ladder", markdown);
}

/** Round by round, so that what troubles the machine troubles all. @returns by name */
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
    throw new InvalidArgumentError("A number above 0.");
  return value;
}
