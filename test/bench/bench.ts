import { join } from "node:path";
import { InvalidArgumentError } from "commander";
import { UsageError } from "../../src/cli/failure.ts";
import { say } from "../../src/cli/output.ts";
import { newProgram, run } from "../../src/cli/program.ts";
import { measureAll } from "./benchmark.ts";
import { coldContenders, coldPlan, measureCold } from "./cold/measure.ts";
import type { ColdPlan } from "./cold/results.ts";
import type { Contender } from "./contender.ts";
import { contenders, floor } from "./contenders/index.ts";
import { commit } from "./contenders/versions.ts";
import { Entrant } from "./entrant.ts";
import { describeMachine } from "./machine.ts";
import { freePort } from "./ports.ts";
import { progress } from "./progress.ts";
import { publish, render } from "./publish.ts";
import type { Plan, Results } from "./results.ts";
import { sum } from "./statistics.ts";
import { inTemporaryFolder } from "./temporary-folder.ts";

interface Options {
  only?: string[];
  rounds: number;
  seconds: number;
  logins: number;
  starts: number;
  out?: string;
  smoke?: true;
}

/** The fixed part of a full run, which takes about twelve minutes with the default options. */
const fullPlan = { races: 5, crashes: 5, crashAfter: 1, stored: 2_000 };

/** Does everything once, to show that it works and that all answers are right. */
const smokePlan: Plan = {
  rounds: 1,
  seconds: 0.3,
  logins: 50,
  races: 1,
  crashes: 1,
  crashAfter: 0.3,
  stored: 160,
};
const smokeColdPlan: ColdPlan = { starts: 1, rounds: 1, families: 5 };

const program = newProgram("bench")
  .description(
    "Measures token rotations of Baton, of the floor (the least work that a server on this platform can " +
      "do), and of other servers from npm.",
  )
  .option(
    "--only <names...>",
    "only servers whose names contain these, and the floor",
  )
  .option("--rounds <count>", "rounds to count", count, 12)
  .option("--seconds <seconds>", "length of each measurement", positive, 1)
  .option(
    "--logins <count>",
    "logins that rotate once after a restart",
    count,
    5_000,
  )
  .option(
    "--starts <count>",
    "starts to count in the cold section",
    count,
    coldPlan.starts,
  )
  .option("--out <folder>", "folder for results.json and the pictures")
  .option("--smoke", "do everything once and briefly, to show that it works")
  .addHelpText(
    "after",
    "\nA run of all servers without --out and --smoke is written to test/bench/results and test/bench/README.md.",
  )
  .action(bench);

await run(program);

async function bench(options: Options): Promise<void> {
  const chosen = choose(options.only);
  const { rounds, seconds, logins, starts } = options;
  if (logins < rounds)
    throw new UsageError(
      "--logins must be at least --rounds, because each round uses at least one login.",
    );
  const plan = options.smoke
    ? smokePlan
    : { ...fullPlan, rounds, seconds, logins };
  const cold = options.smoke ? smokeColdPlan : { ...coldPlan, starts };
  const results = await inTemporaryFolder((folder) =>
    measureIn(folder, chosen, plan, cold),
  );

  const rendered = await render(results);
  if (options.smoke) say(summary(results));
  else say(rendered.markdown);
  const complete = !options.smoke && chosen.length === contenders.length;
  if (options.out !== undefined || complete)
    await publish(rendered, options.out);
}

/** Always includes the floor, because the others are compared with it. */
function choose(names: string[] | undefined): Contender[] {
  if (names === undefined) return contenders;
  const chosen = new Set<Contender>([floor]);
  for (const name of names) {
    const meant = contenders.filter((contender) =>
      contender.name.toLowerCase().includes(name.toLowerCase()),
    );
    if (meant.length === 0) {
      const known = contenders.map((contender) => contender.name).join(", ");
      throw new UsageError(
        `No server has ${name} in its name. The servers are: ${known}`,
      );
    }
    for (const contender of meant) chosen.add(contender);
  }
  return contenders.filter((contender) => chosen.has(contender));
}

async function measureIn(
  folder: string,
  chosen: readonly Contender[],
  plan: Plan,
  planOfCold: ColdPlan,
): Promise<Results> {
  const date = new Date().toISOString();
  const built = commit();
  const machine = await describeMachine(folder);
  // The yardsticks of the cold section are not among the servers that can be chosen.
  const cold = await measureCold(
    join(folder, "cold"),
    coldContenders.filter(
      (contender) =>
        chosen.includes(contender) || !contenders.includes(contender),
    ),
    planOfCold,
  );
  const entrants: Entrant[] = [];
  for (const [index, contender] of chosen.entries()) {
    progress(`${contender.name}: starting`);
    const place = join(folder, String(index));
    entrants.push(await Entrant.start(contender, place, await freePort()));
  }
  const measured = await measureAll(entrants, plan);
  return { date, commit: built, machine, plan, entrants: measured, cold };
}

/** Says what a smoke run has shown. Its figures mean nothing. */
function summary({ entrants, cold }: Results): string {
  const rotations = entrants.flatMap(({ runs }) =>
    runs.flatMap(({ rounds }) => rounds.map((round) => round.rotations)),
  );
  return `All answers were right: ${sum(rotations)} rotations at ${entrants.length} servers, races, replays and crashes; ${cold.servers.length} servers woke.`;
}

function count(text: string): number {
  const value = positive(text);
  if (!Number.isSafeInteger(value))
    throw new InvalidArgumentError("It must be a whole number.");
  return value;
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < Infinity))
    throw new InvalidArgumentError("It must be a number above 0.");
  return value;
}
