/**
 * How often a refresh reads its client's record from KV. An isolate keeps a record for a minute, and
 * 1,000 of them at the most (`src/platform/isolate-cache.ts`): the one that was read longest ago goes
 * first, however often it was asked for since.
 */

export const KEEP_SECONDS = 60;
export const MAX_ENTRIES = 1_000;

/** One isolate, the refreshes of which come at random moments, each of one of its clients. */
export interface IsolateLoad {
  refreshesPerSecond: number;
  /** Which part of the refreshes is each client's: they add up to 1. */
  shares: readonly number[];
}

export interface CacheLimits {
  /** In seconds, or whatever its clock counts in. */
  keepFor: number;
  mostEntries: number;
}

const asInTheCode: CacheLimits = {
  keepFor: KEEP_SECONDS,
  mostEntries: MAX_ENTRIES,
};

/** Shares by Zipf's law: the second client has half as many refreshes as the first, and so on. */
export function zipf(clients: number): number[] {
  const weights = Array.from({ length: clients }, (_, rank) => 1 / (rank + 1));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

/**
 * Reads of client records for each refresh, in the long run. A record that is kept for T seconds is read
 * anew with the first refresh after that: once in T + 1/rate seconds. T is the minute, or less where
 * the cache is full before: as long as it takes until so many others have been read.
 */
export function expectedReads(
  { refreshesPerSecond, shares }: IsolateLoad,
  { keepFor, mostEntries } = asInTheCode,
): number {
  const rates = shares.map((share) => share * refreshesPerSecond);
  /** How many records are there on average, if each is kept for so long. */
  const entries = (seconds: number) =>
    rates.reduce(
      (sum, rate) => sum + (rate * seconds) / (1 + rate * seconds),
      0,
    );
  let kept = keepFor;
  if (entries(keepFor) > mostEntries) {
    let [tooShort, tooLong] = [0, keepFor];
    for (let step = 0; step < 50; step++) {
      kept = (tooShort + tooLong) / 2;
      if (entries(kept) > mostEntries) tooLong = kept;
      else tooShort = kept;
    }
  }
  const reads = rates.reduce((sum, rate) => sum + rate / (1 + rate * kept), 0);
  return reads / refreshesPerSecond;
}

/** The same by doing it: the cache as the code keeps it, asked at random. */
export function simulatedReads(
  { refreshesPerSecond, shares }: IsolateLoad,
  refreshes: number,
  random: () => number,
  limits = asInTheCode,
): number {
  const cache = new ModelCache(limits);
  const pick = picker(shares);
  let now = 0;
  let reads = 0;
  // The first minutes fill the cache: they are not counted.
  const warm = now + 3 * limits.keepFor;
  for (let counted = 0; counted < refreshes;) {
    now -= Math.log(1 - random()) / refreshesPerSecond;
    const read = cache.ask(pick(random()), now);
    if (now < warm) continue;
    counted += 1;
    if (read) reads += 1;
  }
  return reads / refreshes;
}

/** What `IsolateCache` does, of which a test makes sure; without a server, and by any clock. */
export class ModelCache {
  /** When each was read, in that order. */
  readonly #readAt = new Map<number, number>();
  readonly #limits: CacheLimits;

  constructor(limits = asInTheCode) {
    this.#limits = limits;
  }

  /** @returns whether KV has to be read for it */
  ask(client: number, now: number): boolean {
    const readAt = this.#readAt.get(client);
    if (readAt !== undefined && now - readAt < this.#limits.keepFor)
      return false;
    this.#readAt.delete(client);
    this.#readAt.set(client, now);
    if (this.#readAt.size > this.#limits.mostEntries) {
      const [oldest] = this.#readAt.keys();
      this.#readAt.delete(oldest!);
    }
    return true;
  }
}

/** Picks a client by a number in [0, 1). */
function picker(shares: readonly number[]): (position: number) => number {
  let sum = 0;
  const ends = shares.map((share) => (sum += share));
  return (position) => {
    let [low, high] = [0, ends.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ends[middle]! <= position) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}
