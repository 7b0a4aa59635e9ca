import { Failure } from "../../src/cli/failure.ts";
import type { Connection } from "./connection.ts";
import type { BenchClient } from "./contender.ts";
import type { Entrant } from "./entrant.ts";

/** How many requests run at once where nothing is measured. */
const AT_ONCE = 16;

/** One login with its newest tokens. */
export class Login {
  refreshToken: string;
  accessToken = "";

  constructor(refreshToken: string) {
    this.refreshToken = refreshToken;
  }

  async rotate(connection: Connection): Promise<void> {
    const answer = await connection.exchange(this.refreshToken);
    this.refreshToken = answer.refresh_token;
    this.accessToken = answer.access_token;
  }
}

export function logIn(client: BenchClient, count: number): Promise<Login[]> {
  const places = Array.from({ length: count }, (_, index) => index);
  return eachOf(places, async () => new Login(await client.login()));
}

/** Verifies the last access token of each login as a resource server does. @throws Failure */
export async function verifyAll(
  { name, client }: Entrant,
  logins: readonly Login[],
): Promise<void> {
  await eachOf(logins, async ({ accessToken }) => {
    try {
      await client.verify(accessToken);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Failure(
        `${name} gave an access token that is not valid: ${reason}`,
        {
          cause: error,
        },
      );
    }
  });
}

/** Does the work for each item, `AT_ONCE` at a time. @returns the results in the order of the items */
async function eachOf<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  // All workers take from the same iterator, so that each item is taken once.
  const waiting = items.entries();
  const take = async () => {
    for (const [index, item] of waiting) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, take));
  return results;
}
