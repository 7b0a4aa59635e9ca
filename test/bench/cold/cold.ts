import { loadavg } from "node:os";
import { join } from "node:path";
import { InvalidArgumentError } from "commander";
import { say } from "../../../src/cli/output.ts";
import { newProgram, run } from "../../../src/cli/program.ts";
import type { Contender } from "../contender.ts";
import { baton } from "../contenders/baton.ts";
import { floor } from "../contenders/floor.ts";
import { workersOauthProvider } from "../contenders/workers-oauth-provider.ts";
import { Entrant } from "../entrant.ts";
import { freePort } from "../ports.ts";
import { progress } from "../progress.ts";
import { inTemporaryFolder } from "../temporary-folder.ts";
import { measureStarts, requests, type Sleeper } from "./starts.ts";
import { coldTable } from "./table.ts";
import { honoBound, honoOnly } from "./yardsticks.ts";

/** The servers on workerd. The others are compared with the first. */
const sleepers: readonly Contender[] = [
  honoOnly,
  honoBound,
  floor,
  baton,
  workersOauthProvider,
];

const program = newProgram("bench:cold")
  .description(
    "Measures the first answer after the process starts: a Worker with Hono and one route, the floor, Baton, and peers on workerd.",
  )
  .option("--starts <count>", "starts to count", positive, 12)
  .action(runCold);

await run(program);

async function runCold({ starts }: { starts: number }): Promise<void> {
  const load = () => (loadavg()[0] ?? Number.NaN).toFixed(2);
  await inTemporaryFolder(async (folder) => {
    const prepared: Sleeper[] = [];
    for (const [index, contender] of sleepers.entries())
      prepared.push(
        await prepare(contender, join(folder, String(index)), starts),
      );
    for (const kind of requests) {
      progress(`first answer: ${kind}`);
      const before = load();
      const measured = await measureStarts(prepared, kind, starts);
      say(
        `First answer, ${kind}. Load before and after: ${before}, ${load()}\n`,
      );
      say(`${coldTable(measured)}\n`);
    }
  });
}

/** Starts a server, makes its logins, and stops it. */
async function prepare(
  contender: Contender,
  folder: string,
  starts: number,
): Promise<Sleeper> {
  progress(`${contender.name}: starting`);
  const entrant = await Entrant.start(contender, folder, await freePort());
  const tokens: string[] = [];
  // One more, for the round that is not counted.
  while (tokens.length <= starts) tokens.push(await entrant.client.login());
  await entrant.server.stop();
  return { entrant, tokens };
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError("It must be a whole number above 0.");
  return value;
}
