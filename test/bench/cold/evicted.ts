import { Connection } from "../connection.ts";
import { Entrant } from "../entrant.ts";
import { median } from "../statistics.ts";

/** workerd evicts an object after 10 seconds without a request (workerd.capnp, `preventEviction`). */
const EVICTED_AFTER_MS = 10_000;
/** Time for the evictions themselves. */
const MARGIN_MS = 1_000;
/** Rotations of another login before each measurement, so that isolate, caches and connection are warm. */
const WARMING = 20;

/** A refresh of objects that were evicted, and the next refresh of the same objects. */
export interface EvictedRound {
  evicted: Exchanges;
  awake: Exchanges;
}

/** Exchanges one after another. */
export interface Exchanges {
  /** Latency, as the client sees it. */
  p50_ms: number;
  /** CPU time of the server's process with all its threads, per exchange. */
  cpu_ms: number;
}

/** Logins whose objects fall asleep while nobody asks for them. */
export class Sleepers {
  readonly entrant: Entrant;
  readonly #tokens: string[];
  readonly #since: number;

  private constructor(entrant: Entrant, tokens: string[]) {
    this.entrant = entrant;
    this.#tokens = tokens;
    this.#since = performance.now();
  }

  static async logIn(entrant: Entrant, count: number): Promise<Sleepers> {
    const tokens: string[] = [];
    while (tokens.length < count) tokens.push(await entrant.client.login());
    return new Sleepers(entrant, tokens);
  }

  /** How long to wait until all objects are evicted, in milliseconds. */
  get wait(): number {
    return this.#since + EVICTED_AFTER_MS + MARGIN_MS - performance.now();
  }

  /**
   * Refreshes logins whose objects are evicted, one after another, and then all of them again.
   *
   * @throws Error if an object was not evicted
   */
  async wake(count: number): Promise<EvictedRound> {
    const { entrant } = this;
    const connection = new Connection(entrant);
    try {
      let other = await entrant.client.login();
      for (let warming = 0; warming < WARMING; warming += 1)
        other = (await connection.exchange(other)).refresh_token;
      const tokens = this.#tokens.splice(0, count);
      const before = entrant.server.openFiles();
      const [evicted, successors] = await exchangeAll(connection, tokens);
      this.#expectWoken(before, count);
      const [awake] = await exchangeAll(connection, successors);
      return { evicted, awake };
    } finally {
      await connection.close();
    }
  }

  /** An object's database is open while the object is in memory. So each object that wakes opens a file. */
  #expectWoken(before: ReadonlySet<string>, count: number): void {
    const opened = [...this.entrant.server.openFiles()].filter(
      (file) => file.endsWith(".sqlite") && !before.has(file),
    );
    if (opened.length < count)
      throw new Error(
        `${opened.length} of ${count} objects had been evicted: workerd may keep them for longer now`,
      );
  }
}

async function exchangeAll(
  connection: Connection,
  tokens: readonly string[],
): Promise<[Exchanges, string[]]> {
  const { server } = connection.entrant;
  const latencies: number[] = [];
  const successors: string[] = [];
  const cpuBefore = server.cpuMilliseconds();
  for (const token of tokens) {
    const asked = performance.now();
    const { refresh_token } = await connection.exchange(token);
    latencies.push(performance.now() - asked);
    successors.push(refresh_token);
  }
  const cpu = server.cpuMilliseconds() - cpuBefore;
  const exchanges = {
    p50_ms: median(latencies),
    cpu_ms: cpu / tokens.length,
  };
  return [exchanges, successors];
}
