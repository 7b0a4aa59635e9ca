import { setTimeout as sleep } from "node:timers/promises";
import type { LocalServer } from "../../src/cli/local/local-server.ts";
import type { Session } from "./session.ts";
import type { TokenClient } from "./token-client.ts";

/** How many requests there are at once. */
export const IN_FLIGHT = 32;

/** About as long as one of them takes then, so that a crash finds them in all stages. */
const LATENCY_MS = 100;

/** Does something for each, that many at once, and keeps the order of the results. */
export async function forEach<T, R>(
  items: T[],
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const left = items.entries();
  const lane = async () => {
    for (const [index, item] of left) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  return results;
}

export interface LoadOptions {
  /** Ends the load when the test has run out of time. */
  signal: AbortSignal;
  /** Called in each crash, when the last answer is in and before the server is up again. */
  whileDown?: (living: Session[]) => void;
}

/**
 * Many sessions that refresh without a pause, a bounded number of them at once, through crashes of
 * the server. Whoever loses an answer to a crash presents the same token again as soon as the server
 * is up.
 */
export class Load {
  /** How many answers each crash has cost. */
  readonly lostAnswers: number[] = [];
  readonly #server: LocalServer;
  readonly #client: TokenClient;
  readonly #sessions: Session[];
  readonly #idle: Session[];
  readonly #lanes: Promise<void>;
  readonly #inFlight = new Set<Promise<void>>();
  readonly #whileDown: (living: Session[]) => void;
  /** While the server is down: resolves when it is up again. */
  #down: Promise<void> | undefined;
  /** When the server was started last, in seconds since 1970. */
  #upSince = 0;
  #ended = false;
  /** The living sessions that have not rotated since the last crash. */
  #behind: Set<Session>;
  #allRotated = Promise.withResolvers<void>();

  /** Starts it. */
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
    this.#lanes = this.#run();
  }

  /**
   * Resolves when every living session has been given a new token since the last crash.
   *
   * @throws Error if the load has ended before, or an answer got lost without a crash
   */
  async everybodyHasRotated(): Promise<void> {
    const ended = this.#lanes.then(() => {
      throw new Error(
        `The load has ended, and ${this.#behind.size} sessions have not rotated.`,
      );
    });
    await Promise.race([this.#allRotated.promise, ended]);
  }

  /** Kills the server under the load and starts it again; the load goes on when it is up. */
  async crash(): Promise<void> {
    // At any moment: now an answer has just come in, and the requests in flight are fresh ones all.
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

  /** Lets the last answers come in. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.#lanes;
  }

  async #run(): Promise<void> {
    try {
      const lanes = Array.from({ length: IN_FLIGHT }, () => this.#lane());
      await Promise.all(lanes);
    } finally {
      this.#ended = true;
    }
  }

  async #lane(): Promise<void> {
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
      case "given":
        if (session.given(token, answer.refreshToken)) this.#isOn(session);
        return;
      case "refused":
        session.refusal = { token, error: answer.error };
        this.#isOn(session);
        return;
      case "lost":
        if (crashes === this.lostAnswers.length) throw answer.cause;
        this.lostAnswers[crashes]! += 1;
        session.lost.set(token, 0);
    }
  }

  /** The session has done its part of what `everybodyHasRotated` waits for. */
  #isOn(session: Session): void {
    this.#behind.delete(session);
    if (this.#behind.size === 0) this.#allRotated.resolve();
  }
}
