import { InvalidArgumentError } from "commander";
import { UsageError } from "../../../src/cli/failure.ts";
import { say } from "../../../src/cli/output.ts";
import { newProgram, run } from "../../../src/cli/program.ts";
import { inTemporaryFolder } from "../temporary-folder.ts";
import type { Profile } from "./profile.ts";
import { lastResults, publish, render } from "./publish.ts";
import { playAll } from "./run.ts";
import { profiles } from "./servers.ts";
import { honestTraces, theftTraces, traces } from "./traces/index.ts";

interface Options {
  only?: string[];
  repeats: number;
  out?: string;
  smoke?: true;
  render?: true;
}

/** One server of each package, Baton without and with a key, and some traces of each kind. */
const smokeProfiles = profiles.filter(
  ({ name }) =>
    ["Baton, window PT1M", "Baton, DPoP"].includes(name) || !name.includes(","),
);
const smokeTraces = [...honestTraces.slice(0, 2), ...theftTraces.slice(0, 2)];

const program = newProgram("bench:agents")
  .description(
    "Plays how clients really refresh, and how a thief would, against Baton and other servers from npm, and " +
      "counts the logins that honest users lose and the thefts that nobody notices.",
  )
  .option("--only <names...>", "only servers whose names contain these")
  .option("--repeats <count>", "how often each trace is played", count, 5)
  .option("--out <folder>", "folder for results.json and the pictures")
  .option(
    "--smoke",
    "play a few traces once on one server of each package, to show that it works",
  )
  .option(
    "--render",
    "play nothing, and write the page and the pictures again from results.json",
  )
  .addHelpText(
    "after",
    "\nA run of all servers without --out and --smoke is written to test/bench/agents.",
  )
  .action(bench);

await run(program);

async function bench(options: Options): Promise<void> {
  const { only, repeats, out, smoke } = options;
  if (options.render) {
    await publish(await render(await lastResults()), out);
    return;
  }
  const chosen = choose(smoke ? smokeProfiles : profiles, only);
  const results = await inTemporaryFolder((folder) =>
    playAll(folder, chosen, smoke ? smokeTraces : traces, smoke ? 1 : repeats),
  );
  if (smoke) {
    const played = chosen.length * smokeTraces.length;
    say(
      `All answers were right: ${played} traces on ${chosen.length} servers.`,
    );
    return;
  }
  const rendered = await render(results);
  say(rendered.markdown);
  if (out !== undefined || chosen.length === profiles.length)
    await publish(rendered, out);
}

function choose(
  all: readonly Profile[],
  names: readonly string[] | undefined,
): readonly Profile[] {
  if (names === undefined) return all;
  const chosen = all.filter((profile) =>
    names.some((name) =>
      profile.name.toLowerCase().includes(name.toLowerCase()),
    ),
  );
  if (chosen.length === 0) {
    const known = all.map(({ name }) => name).join("; ");
    throw new UsageError(
      `No server has ${names.join(" or ")} in its name. The servers are: ${known}`,
    );
  }
  return chosen;
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError("It must be a whole number above 0.");
  return value;
}
