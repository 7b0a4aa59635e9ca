import { setTimeout as sleep } from "node:timers/promises";
import { Connection } from "../connection.ts";
import type { BenchClient } from "../contender.ts";
import type { Entrant } from "../entrant.ts";
import type { Crash } from "./guarantees.ts";

/**
 * Which token of each login is checked after a crash. Presenting a token may end its family, so one login
 * can answer only one question.
 */
const ROLES = [
  ...Array<"newest">(5).fill("newest"),
  ...Array<"used">(5).fill("used"),
  ...Array<"unanswered">(6).fill("unanswered"),
];

/** A client that rotates its own token until it is told to stop, or until the server is killed. */
class Runner {
  readonly role: (typeof ROLES)[number];
  /** The last token whose exchange was acknowledged. */
  used = "";
  /** The newest token that the client received. */
  newest: string;
  stopping = false;
  readonly #connection: Connection;

  constructor(role: Runner["role"], connection: Connection, token: string) {
    this.role = role;
    this.newest = token;
    this.#connection = connection;
  }

  async run(): Promise<void> {
    try {
      while (!this.stopping || this.used === "") {
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
export async function crashRepeatedly(
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
    await checkTokens(runners, new Connection(entrant, client), found);
  }
  return found;
}

/** Kills the server as soon as every runner that was told to stop has received all its answers. */
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
  const stopAndKill = async () => {
    await sleep(seconds * 1000);
    for (const runner of runners)
      runner.stopping = runner.role !== "unanswered";
    await Promise.all(runs.filter((_, index) => runners[index]?.stopping));
    killed = true;
    await entrant.server.kill();
  };
  await Promise.all([stopAndKill(), ...runs]);
}

/** Presents a token of each runner after the crash, and counts the outcomes in `found`. */
async function checkTokens(
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
        // The same answer again is not a second exchange.
        if (answer && answer.refresh_token !== newest)
          found.used.exchangedAgain += 1;
      } else {
        const answer = await ask(newest);
        // The new token must be valid too.
        const next = answer && (await ask(answer.refresh_token));
        if (next && role === "newest") found.newest.good += 1;
        if (next && role === "unanswered") found.unanswered.goneOn += 1;
      }
    }
  } finally {
    await connection.close();
  }
}
