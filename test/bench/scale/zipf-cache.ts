/**
 * Calculates and simulates how often a refresh reads its client's record from KV. An isolate keeps a record
 * for a minute, and at most 1,000 records (`src/platform/isolate-cache.ts`). When it is full, it drops the
 * record that was read longest ago, however often that record was used since.
 */

export const KEEP_SECONDS = 60;
export const MAX_ENTRIES = 1_000;

/** The load of one isolate. Refreshes come at random moments, each of one of the clients. */
export interface IsolateLoad {
  refreshesPerSecond: number;
  /** Each client's share of the refreshes. The shares add up to 1. */
  shares: readonly number[];
}

export interface CacheLimits {
  /** In seconds, or in the unit of the clock that the caller uses. */
  keepTime: number;
  maxEntries: number;
}

const batonLimits: CacheLimits = {
  keepTime: KEEP_SECONDS,
  maxEntries: MAX_ENTRIES,
};

/** Shares by Zipf's law: the second client has half as many refreshes as the first, and so on. */
export function zipf(clients: number): number[] {
  const weights = Array.from({ length: clients }, (_, rank) => 1 / (rank + 1));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

/**
 * Calculates the long-run number of reads of client records per refresh. A record that is kept for T seconds
 * is read again by the first refresh after that, so once per T + 1/rate seconds. T is the minute, or less if
 * the cache is full before: the time in which as many other records are read as the cache holds.
 */
export function expectedReads(
  { refreshesPerSecond, shares }: IsolateLoad,
  { keepTime, maxEntries } = batonLimits,
): number {
  const rates = shares.map((share) => share * refreshesPerSecond);
  /** The average number of records in the cache if each is kept for this time. */
  const entries = (seconds: number) =>
    rates.reduce(
      (sum, rate) => sum + (rate * seconds) / (1 + rate * seconds),
      0,
    );
  let kept = keepTime;
  if (entries(keepTime) > maxEntries) {
    let [tooShort, tooLong] = [0, keepTime];
    for (let step = 0; step < 50; step++) {
      kept = (tooShort + tooLong) / 2;
      if (entries(kept) > maxEntries) tooLong = kept;
      else tooShort = kept;
    }
  }
  const reads = rates.reduce((sum, rate) => sum + rate / (1 + rate * kept), 0);
  return reads / refreshesPerSecond;
}

/** Simulates the same number with the model of the cache and random refreshes. */
export function simulatedReads(
  { refreshesPerSecond, shares }: IsolateLoad,
  refreshes: number,
  random: () => number,
  limits = batonLimits,
): number {
  const cache = new ModelCache(limits);
  const pick = picker(shares);
  let now = 0;
  let reads = 0;
  // The first minutes fill the cache, and are not counted.
  const warm = now + 3 * limits.keepTime;
  for (let counted = 0; counted < refreshes;) {
    now -= Math.log(1 - random()) / refreshesPerSecond;
    const read = cache.ask(pick(random()), now);
    if (now < warm) continue;
    counted += 1;
    if (read) reads += 1;
  }
  return reads / refreshes;
}

/** A model of `IsolateCache` for any clock. A test compares the two. */
export class ModelCache {
  /** When each record was read, oldest first. */
  readonly #readAt = new Map<number, number>();
  readonly #limits: CacheLimits;

  constructor(limits = batonLimits) {
    this.#limits = limits;
  }

  /** Looks a client's record up. @returns true if that takes a read of KV */
  ask(client: number, now: number): boolean {
    const readAt = this.#readAt.get(client);
    if (readAt !== undefined && now - readAt < this.#limits.keepTime)
      return false;
    this.#readAt.delete(client);
    this.#readAt.set(client, now);
    if (this.#readAt.size > this.#limits.maxEntries) {
      const [oldest] = this.#readAt.keys();
      this.#readAt.delete(oldest!);
    }
    return true;
  }
}

/** @returns a function that picks a client by a number in [0, 1) */
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
