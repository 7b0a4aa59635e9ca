import { Command } from "commander";
import { circumstances, writePart } from "./markdown.ts";
import { herd } from "./scenarios/herd.ts";
import { hotClient } from "./scenarios/hot-client.ts";
import { hotSubject } from "./scenarios/hot-subject.ts";
import { loginQueue } from "./scenarios/login-queue.ts";
import {
  dispersion,
  kvReads,
  kvWaits,
  retries,
} from "./scenarios/without-server.ts";
import { storage } from "./scenarios/storage.ts";
import type { Scenario } from "./scenario.ts";

/** All scenarios, in the order of the page. */
const scenarios: Scenario[] = [
  storage,
  kvReads,
  kvWaits,
  hotClient,
  hotSubject,
  loginQueue,
  herd,
  dispersion,
  retries,
];

interface Options {
  port: string;
  smoke?: true;
  write?: true;
}

const program = new Command("simulate")
  .description(
    "Measures how Baton behaves at scale, on bare workerd on this machine.",
  )
  .option("--port <number>", "a free port of the loopback address", "25000")
  .option(
    "--smoke",
    "a small, short run that only checks that everything works",
  )
  .option("--write", "write the results into test/bench/scale/README.md");

async function run(chosen: readonly Scenario[]): Promise<void> {
  const { port, smoke = false, write = false } = program.opts<Options>();
  if (smoke && write)
    program.error(
      "--smoke can't be combined with --write, because the results of a smoke run mean nothing.",
    );
  for (const scenario of chosen) {
    const { name, withoutServer } = scenario;
    const start = performance.now();
    const results = await scenario.run({ port: Number(port), smoke });
    const seconds = Math.round((performance.now() - start) / 1000);
    const where = withoutServer
      ? ""
      : `\n\n(${circumstances()}; took ${seconds} s.)`;
    const markdown = results + where;
    console.log(`## ${name}\n\n${markdown}\n`);
    if (write) await writePart(name, markdown);
  }
}

program
  .command("all", { isDefault: true })
  .description("all scenarios, one after another")
  .action(() => run(scenarios));
for (const scenario of scenarios) {
  program
    .command(scenario.name)
    .description(scenario.about)
    .action(() => run([scenario]));
}

await program.parseAsync();
