/**
 * Clients that were all told to come back: a limiter lets so many requests through in each tenth of a
 * second, and answers 503 with `Retry-After` to all others. No server is asked.
 */

const SLOTS_A_SECOND = 10;
const RETRY_AFTER = 1;

/** How long a client waits after its so-manieth 503, in seconds. */
export type Wait = (refusals: number, random: () => number) => number;

export const waits = {
  /** What the header says, to the second. */
  exactly: () => RETRY_AFTER,
  /** The same, where the header says one of three numbers, as Baton's does. */
  oneOfThree: (_, random) => RETRY_AFTER + Math.floor(3 * random()),
  /** And up to as long again. */
  atRandom: (_, random) => RETRY_AFTER * (1 + random()),
  /** And a random part of a time that doubles, up to a minute. */
  backingOff: (refusals, random) =>
    RETRY_AFTER + random() * Math.min(60, 2 ** refusals),
} satisfies Record<string, Wait>;

export interface Storm {
  /** Requests by client, first one included. */
  requestsEach: number;
  /** When the last client has its answer, in seconds. */
  seconds: number;
}

/** A herd of clients that come in one moment, at a limiter of so many a second. */
export function retryStorm(
  clients: number,
  perSecond: number,
  wait: Wait,
  random: () => number,
): Storm {
  const perSlot = perSecond / SLOTS_A_SECOND;
  /** Who comes in which slot: how often each was refused. */
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
      const next = slot + Math.max(1, Math.round(seconds * SLOTS_A_SECOND));
      for (let empty = slots.length; empty <= next; empty++) slots[empty] = [];
      slots[next]!.push(refusals + 1);
    }
  }
  return {
    requestsEach: requests.reduce((sum, count) => sum + count, 0) / clients,
    seconds: (last + 1) / SLOTS_A_SECOND,
  };
}

/** Who is let through is not who came first: there is no such order in one moment. */
function shuffle(list: number[], random: () => number): void {
  for (let end = list.length - 1; end > 0; end--) {
    const other = Math.floor(random() * (end + 1));
    [list[end], list[other]] = [list[other]!, list[end]!];
  }
}
