import { Failure } from "../../../src/cli/failure.ts";
import type { BenchClient } from "../contender.ts";
import { Entrant } from "../entrant.ts";
import { freePort } from "../ports.ts";
import type { Plan } from "../results.ts";
import { crashRepeatedly } from "./crash.ts";
import type { Guarantees, Race } from "./guarantees.ts";
import { race } from "./race.ts";
import { replay } from "./replay.ts";

/**
 * Measures what a server guarantees to one client.
 *
 * @throws Failure if the server breaks a promise that its client checks
 */
export async function measureGuarantees(
  entrant: Entrant,
  client: BenchClient,
  { races, crashes, crashAfter }: Plan,
): Promise<Guarantees> {
  const measured: Guarantees = {
    races: await raceFor(entrant, client, races),
    replay: await replay(entrant, client),
    crash: await crashRepeatedly(entrant, client, crashes, crashAfter),
  };
  try {
    client.check?.(measured);
  } catch (error) {
    throw new Failure(
      `${entrant.name} breaks its promises. Measured: ${JSON.stringify(measured)}\n${String(error)}`,
      { cause: error },
    );
  }
  return measured;
}

/** Repeats the races with the store a millisecond away, for a server that can be started so. */
export async function measureFarRaces(
  { contender, folder }: Entrant,
  races: number,
): Promise<Race[] | undefined> {
  const { startWithFarStore } = contender;
  if (!startWithFarStore) return undefined;
  const far = await Entrant.start(
    { ...contender, start: startWithFarStore },
    `${folder}-far`,
    await freePort(),
  );
  try {
    return await raceFor(far, far.client, races);
  } finally {
    await far.server.kill();
  }
}

async function raceFor(
  entrant: Entrant,
  client: BenchClient,
  times: number,
): Promise<Race[]> {
  const races: Race[] = [];
  while (races.length < times) races.push(await race(entrant, client));
  return races;
}
