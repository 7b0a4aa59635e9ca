import { setTimeout as sleep } from "node:timers/promises";
import { Connection } from "../connection.ts";
import type { BenchClient } from "../contender.ts";
import type { Entrant } from "../entrant.ts";
import type { Crash } from "./guarantees.ts";

/**
 * What the chains of a crash are for. A token that is tried may end its family: what is asked of one
 * chain can't be asked of another.
 */
const ROLES = [
  ...Array<"newest">(5).fill("newest"),
  ...Array<"used">(5).fill("used"),
  ...Array<"unanswered">(6).fill("unanswered"),
];

/** A client that rotates its own token until it rests, or until the server is gone. */
class Runner {
  readonly role: (typeof ROLES)[number];
  /** The last token whose exchange was acknowledged. */
  used = "";
  /** The last one that came. */
  newest: string;
  resting = false;
  readonly #connection: Connection;

  constructor(role: Runner["role"], connection: Connection, token: string) {
    this.role = role;
    this.newest = token;
    this.#connection = connection;
  }

  async run(): Promise<void> {
    try {
      while (!this.resting || this.used === "") {
        const presented = this.newest;
        const { refresh_token } = await this.#connection.exchange(presented);
        this.used = presented;
        this.newest = refresh_token;
      }
    } finally {
      await this.#connection.close();
    }
  }
}

/** Kills the server under load and starts it again, several times. */
export async function crashAgain(
  entrant: Entrant,
  client: BenchClient,
  times: number,
  secondsOfLoad: number,
): Promise<Crash> {
  const found: Crash = {
    newest: { tried: 0, good: 0 },
    used: { tried: 0, exchangedAgain: 0 },
    unanswered: { tried: 0, goneOn: 0 },
  };
  for (let crashes = 0; crashes < times; crashes += 1) {
    const runners: Runner[] = [];
    for (const role of ROLES)
      runners.push(
        new Runner(role, new Connection(entrant, client), await client.login()),
      );
    await killUnderLoad(entrant, runners, secondsOfLoad);
    await entrant.startAgain();
    await lookAfter(runners, new Connection(entrant, client), found);
  }
  return found;
}

/** Kills it as soon as those that are to rest have heard the answer to all that they have asked. */
async function killUnderLoad(
  entrant: Entrant,
  runners: readonly Runner[],
  seconds: number,
): Promise<void> {
  let killed = false;
  const runs = runners.map(async (runner) => {
    try {
      await runner.run();
    } catch (error) {
      if (!killed) throw error;
    }
  });
  const rest = async () => {
    await sleep(seconds * 1000);
    for (const runner of runners) runner.resting = runner.role !== "unanswered";
    await Promise.all(runs.filter((_, index) => runners[index]?.resting));
    killed = true;
    await entrant.server.kill();
  };
  await Promise.all([rest(), ...runs]);
}

/** Adds to what was found how the tokens of these have come through. */
async function lookAfter(
  runners: readonly Runner[],
  connection: Connection,
  found: Crash,
): Promise<void> {
  const ask = (token: string) => connection.tryToExchange(token);
  try {
    for (const { role, newest, used } of runners) {
      found[role].tried += 1;
      if (role === "used") {
        const answer = await ask(used);
        // The same answer once more is no second exchange.
        if (answer && answer.refresh_token !== newest)
          found.used.exchangedAgain += 1;
      } else {
        const answer = await ask(newest);
        // It has to be of use, too.
        const next = answer && (await ask(answer.refresh_token));
        if (next && role === "newest") found.newest.good += 1;
        if (next && role === "unanswered") found.unanswered.goneOn += 1;
      }
    }
  } finally {
    await connection.close();
  }
}
