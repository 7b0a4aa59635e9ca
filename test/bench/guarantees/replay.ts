import { Connection } from "../connection.ts";
import type { BenchClient } from "../contender.ts";
import type { Entrant } from "../entrant.ts";
import type { Replay } from "./guarantees.ts";

/** Presents used tokens again, each in a separate login. */
export async function replay(
  entrant: Entrant,
  client: BenchClient,
): Promise<Replay> {
  const connection = new Connection(entrant, client);
  const rotated = async (token: string) =>
    (await connection.exchange(token)).refresh_token;
  const lives = async (token: string) =>
    (await connection.tryToExchange(token)) !== undefined;
  try {
    const first = await client.login();
    const newest = await rotated(await rotated(first));
    const old = (await lives(first)) ? "answered" : "refused";
    const newestLivesAfterOld = await lives(newest);

    const previous = await client.login();
    const successor = await rotated(previous);
    const answer = await connection.tryToExchange(previous);
    return {
      old,
      newestLivesAfterOld,
      previous: named(answer?.refresh_token, successor),
      newestLivesAfterPrevious: await lives(successor),
    };
  } finally {
    await connection.close();
  }
}

function named(
  answered: string | undefined,
  successor: string,
): Replay["previous"] {
  if (answered === undefined) return "refused";
  return answered === successor ? "same successor" : "another successor";
}
