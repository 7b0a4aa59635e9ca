/**
 * Simulates clients that were all told to retry. A limiter lets a fixed number of requests through in each
 * tenth of a second, and answers all others with 503 and `Retry-After`. It involves no server.
 */

const SLOTS_PER_SECOND = 10;
const RETRY_AFTER = 1;

/** How long a client waits after a 503, in seconds. `refusals` counts its 503s. */
export type Wait = (refusals: number, random: () => number) => number;

export const waits = {
  /** Exactly the time in the header. */
  exactly: () => RETRY_AFTER,
  /** Exactly the time in the header, which is one of three numbers, as Baton sends it. */
  oneOfThree: (_, random) => RETRY_AFTER + Math.floor(3 * random()),
  /** The time in the header, plus a random time up to as long again. */
  atRandom: (_, random) => RETRY_AFTER * (1 + random()),
  /** The time in the header, plus a random part of a time that doubles, up to a minute. */
  backingOff: (refusals, random) =>
    RETRY_AFTER + random() * Math.min(60, 2 ** refusals),
} satisfies Record<string, Wait>;

export interface Storm {
  /** Requests per client, including the first one. */
  requestsEach: number;
  /** The time at which the last client is served, in seconds. */
  seconds: number;
}

/** Simulates clients that come at the same moment to a limiter of `perSecond` requests per second. */
export function retryStorm(
  clients: number,
  perSecond: number,
  wait: Wait,
  random: () => number,
): Storm {
  const perSlot = perSecond / SLOTS_PER_SECOND;
  /** The clients of each slot. A client is the number of its refusals. */
  const slots: number[][] = [Array.from({ length: clients }, () => 0)];
  const requests: number[] = [];
  let last = 0;
  for (let slot = 0; slot < slots.length; slot++) {
    const coming = slots[slot] ?? [];
    requests[slot] = coming.length;
    if (coming.length > 0) last = slot;
    shuffle(coming, random);
    for (const refusals of coming.slice(perSlot)) {
      const seconds = wait(refusals + 1, random);
      const next = slot + Math.max(1, Math.round(seconds * SLOTS_PER_SECOND));
      for (let empty = slots.length; empty <= next; empty++) slots[empty] = [];
      slots[next]!.push(refusals + 1);
    }
  }
  return {
    requestsEach: requests.reduce((sum, count) => sum + count, 0) / clients,
    seconds: (last + 1) / SLOTS_PER_SECOND,
  };
}

/** Shuffles a list in place. Requests of the same moment have no order, so a random part gets through. */
function shuffle(list: number[], random: () => number): void {
  for (let end = list.length - 1; end > 0; end--) {
    const other = Math.floor(random() * (end + 1));
    [list[end], list[other]] = [list[other]!, list[end]!];
  }
}
