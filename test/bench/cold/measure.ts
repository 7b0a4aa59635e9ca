import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Contender } from "../contender.ts";
import { baton } from "../contenders/baton.ts";
import { floor } from "../contenders/floor.ts";
import { commit } from "../contenders/versions.ts";
import { workersOauthProvider } from "../contenders/workers-oauth-provider.ts";
import { Entrant } from "../entrant.ts";
import { loadAverage } from "../machine.ts";
import { freePort } from "../ports.ts";
import { progress } from "../progress.ts";
import { type EvictedRound, Sleepers } from "./evicted.ts";
import type { ColdPlan, ColdResults, ColdServer } from "./results.ts";
import { measureStarts, type StoppedServer } from "./starts.ts";
import { honoBound, honoOnly } from "./yardsticks.ts";

/** The servers on workerd, which are those that can be cold as Baton can. */
export const coldContenders: readonly Contender[] = [
  honoOnly,
  honoBound,
  floor,
  baton,
  workersOauthProvider,
];

/** The servers that keep each login in an object of its own. */
const withObjects = new Set([honoBound, floor, baton]);

/** Enough for figures. It takes about two minutes. */
export const coldPlan: ColdPlan = { starts: 20, rounds: 12, families: 25 };

/** Measures the cold section. The servers run in their own processes, which end with it. */
export async function measureCold(
  folder: string,
  contenders: readonly Contender[],
  plan: ColdPlan,
): Promise<ColdResults> {
  const date = new Date().toISOString();
  const load_average = loadAverage();
  // These fall asleep while the starts of other processes are measured.
  const sleepers = await prepareSleepers(
    join(folder, "sleepers"),
    contenders.filter((contender) => withObjects.has(contender)),
    plan,
  );
  const first = await measureFirstAnswers(
    join(folder, "starts"),
    contenders,
    plan,
  );
  const evicted = await measureEvicted(sleepers, plan);
  for (const { entrant } of sleepers) await entrant.server.stop();
  return {
    date,
    commit: commit(),
    load_average,
    plan,
    servers: contenders.map((contender) => {
      const { name, role } = contender;
      const rounds = evicted.get(contender);
      return {
        name,
        role,
        first: first.get(name)!,
        ...(rounds && { evicted: rounds }),
      };
    }),
  };
}

async function prepareSleepers(
  folder: string,
  contenders: readonly Contender[],
  { rounds, families }: ColdPlan,
): Promise<Sleepers[]> {
  const sleepers: Sleepers[] = [];
  for (const [index, contender] of contenders.entries()) {
    progress(`${contender.name}: logins that fall asleep`);
    const place = join(folder, String(index));
    const entrant = await Entrant.start(contender, place, await freePort());
    // One more, for the round that is not counted.
    sleepers.push(await Sleepers.logIn(entrant, (rounds + 1) * families));
  }
  return sleepers;
}

/** @returns the first answers of each server, by its name */
async function measureFirstAnswers(
  folder: string,
  contenders: readonly Contender[],
  { starts }: ColdPlan,
): Promise<Map<string, ColdServer["first"]>> {
  const stopped: StoppedServer[] = [];
  for (const [index, contender] of contenders.entries()) {
    progress(`${contender.name}: logins before the starts`);
    stopped.push(await prepare(contender, join(folder, String(index)), starts));
  }
  progress("first answers: a refused token");
  const refused = await measureStarts(stopped, "a refused token", starts);
  progress("first answers: a refresh");
  const refreshed = await measureStarts(stopped, "a refresh", starts);
  return new Map(
    contenders.map(({ name }) => [
      name,
      {
        "a refused token": refused.get(name)!,
        "a refresh": refreshed.get(name)!,
      },
    ]),
  );
}

/** Starts a server, makes its logins, and stops it. */
async function prepare(
  contender: Contender,
  folder: string,
  starts: number,
): Promise<StoppedServer> {
  const entrant = await Entrant.start(contender, folder, await freePort());
  const tokens: string[] = [];
  // One more, for the round that is not counted.
  while (tokens.length <= starts) tokens.push(await entrant.client.login());
  await entrant.server.stop();
  return { entrant, tokens };
}

/** Wakes the objects of all servers, in turns, so that a disturbance of the machine affects all. */
async function measureEvicted(
  sleepers: readonly Sleepers[],
  { rounds, families }: ColdPlan,
): Promise<Map<Contender, EvictedRound[]>> {
  const wait = Math.max(0, ...sleepers.map((one) => one.wait));
  progress("evicted objects");
  await sleep(wait);
  const measured = new Map<Contender, EvictedRound[]>(
    sleepers.map(({ entrant }) => [entrant.contender, []]),
  );
  for (let round = 0; round <= rounds; round += 1) {
    const first = round % sleepers.length;
    for (const one of [...sleepers.slice(first), ...sleepers.slice(0, first)]) {
      const found = await one.wake(families);
      if (round > 0) measured.get(one.entrant.contender)!.push(found);
    }
  }
  return measured;
}
