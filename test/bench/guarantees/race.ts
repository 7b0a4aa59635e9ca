import { Connection } from "../connection.ts";
import type { BenchClient } from "../contender.ts";
import type { Entrant } from "../entrant.ts";
import type { Race } from "./guarantees.ts";

const ATTEMPTS = 50;

/** Presents one token over many connections at once, then each of the tokens that were answered. */
export async function race(
  entrant: Entrant,
  client: BenchClient,
): Promise<Race> {
  const connections = Array.from(
    { length: ATTEMPTS },
    () => new Connection(entrant, client),
  );
  try {
    await Promise.all(connections.map((connection) => connection.open()));
    const token = await client.login();
    const answers = await Promise.all(
      connections.map((connection) => connection.tryToExchange(token)),
    );
    const given = answers.filter((answer) => answer !== undefined);
    const successors = new Set(given.map((answer) => answer.refresh_token));
    let living = 0;
    for (const successor of successors) {
      const answer = await connections[0]!.tryToExchange(successor);
      if (answer) living += 1;
    }
    return {
      attempts: ATTEMPTS,
      successes: given.length,
      successors: successors.size,
      living,
    };
  } finally {
    await Promise.all(connections.map((connection) => connection.close()));
  }
}
