import { setTimeout as sleep } from "node:timers/promises";
import type { LocalServer } from "../../src/cli/local/local-server.ts";
import type { Session } from "./session.ts";
import type { TokenClient } from "./token-client.ts";

/** How many requests run at once. */
export const IN_FLIGHT = 32;

/** About the duration of a request under this load, so that a crash meets requests in all stages. */
const LATENCY_MS = 100;

/** Does the work for each item, `IN_FLIGHT` at a time. @returns the results in the order of the items */
export async function mapConcurrently<T, R>(
  items: T[],
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const waiting = items.entries();
  const worker = async () => {
    for (const [index, item] of waiting) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  return results;
}

export interface LoadOptions {
  /** Ends the load when the test times out. */
  signal: AbortSignal;
  /** Called in each crash, after the last answer and before the server starts again. */
  whileDown?: (living: Session[]) => void;
}

/**
 * Refreshes many sessions without a pause, a bounded number of them at once, through crashes of the server. A
 * session whose answer is lost in a crash presents the same token again as soon as the server is up.
 */
export class Load {
  /** How many answers were lost in each crash. */
  readonly lostAnswers: number[] = [];
  readonly #server: LocalServer;
  readonly #client: TokenClient;
  readonly #sessions: Session[];
  readonly #idle: Session[];
  readonly #workers: Promise<void>;
  readonly #inFlight = new Set<Promise<void>>();
  readonly #whileDown: (living: Session[]) => void;
  /** Set while the server is down. Resolves when it is up again. */
  #down: Promise<void> | undefined;
  /** The last start of the server, in seconds since 1970. */
  #upSince = 0;
  #ended = false;
  /** The live sessions that have not rotated since the last crash. */
  #behind: Set<Session>;
  #allRotated = Promise.withResolvers<void>();

  /** Starts the load. */
  constructor(
    server: LocalServer,
    client: TokenClient,
    sessions: Session[],
    { signal, whileDown = () => undefined }: LoadOptions,
  ) {
    this.#server = server;
    this.#client = client;
    this.#sessions = sessions;
    this.#idle = [...sessions];
    this.#behind = new Set(sessions);
    this.#whileDown = whileDown;
    signal.addEventListener("abort", () => {
      this.#ended = true;
    });
    this.#workers = this.#run();
  }

  /**
   * Resolves when every live session has got a new token since the last crash.
   *
   * @throws Error if the load ends before, or an answer is lost without a crash
   */
  async allHaveRotated(): Promise<void> {
    const ended = this.#workers.then(() => {
      throw new Error(
        `The load ended before ${this.#behind.size} sessions had rotated.`,
      );
    });
    await Promise.race([this.#allRotated.promise, ended]);
  }

  /** Kills the server under the load and starts it again. The load continues when it is up. */
  async crash(): Promise<void> {
    // At a random moment, because right now an answer has just arrived and all requests in flight are new.
    await sleep(Math.random() * LATENCY_MS);
    this.lostAnswers.push(0);
    this.#down = this.#crash();
    await this.#down;
    this.#down = undefined;
  }

  async #crash(): Promise<void> {
    await Promise.all([this.#server.crash(), ...this.#inFlight]);
    const living = this.#sessions.filter(({ refusal }) => !refusal);
    this.#behind = new Set(living);
    this.#allRotated = Promise.withResolvers();
    this.#whileDown(living);
    await this.#server.startAgain();
    this.#upSince = Math.floor(Date.now() / 1000);
  }

  /** Ends the load and waits for the last answers. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.#workers;
  }

  async #run(): Promise<void> {
    try {
      const workers = Array.from({ length: IN_FLIGHT }, () => this.#worker());
      await Promise.all(workers);
    } finally {
      this.#ended = true;
    }
  }

  async #worker(): Promise<void> {
    while (!this.#ended) {
      const session = this.#idle.shift();
      if (!session) return;
      await this.#refresh(session);
      if (!session.refusal) this.#idle.push(session);
    }
  }

  async #refresh(session: Session): Promise<void> {
    while (this.#down) await this.#down;
    const attempt = this.#attempt(session);
    this.#inFlight.add(attempt);
    await attempt;
    this.#inFlight.delete(attempt);
  }

  async #attempt(session: Session): Promise<void> {
    const crashes = this.lostAnswers.length;
    const token = session.next;
    if (session.lost.has(token)) session.lost.set(token, this.#upSince);
    const answer = await this.#client.refresh(token);
    switch (answer.outcome) {
      case "issued":
        if (session.issued(token, answer.refreshToken))
          this.#markRotated(session);
        return;
      case "refused":
        session.refusal = { token, error: answer.error };
        this.#markRotated(session);
        return;
      case "lost":
        if (crashes === this.lostAnswers.length) throw answer.cause;
        this.lostAnswers[crashes]! += 1;
        session.lost.set(token, 0);
    }
  }

  /** Records that `allHaveRotated` need not wait for this session any more. */
  #markRotated(session: Session): void {
    this.#behind.delete(session);
    if (this.#behind.size === 0) this.#allRotated.resolve();
  }
}
