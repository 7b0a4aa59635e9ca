import { Failure, saidMore } from "../failure.ts";
import { count, Progress } from "../progress.ts";

/** A table of any size goes to the server in many requests, a few of them at once. */

/** What the server takes in one request: 16 KiB, and as many writes as a Worker may well make. */
const MOST_TOKENS = 100;
const MOST_BYTES = 15_000;
/** Of a request without tokens, and with the longest lifetime there is. */
const ENVELOPE_BYTES = 200;

/** How many requests are under way at once. */
const AT_ONCE = 4;

/** As many at a time as a request can carry. All of it is ASCII. */
async function* batches<T>(items: AsyncIterable<T>): AsyncGenerator<T[]> {
  let batch: T[] = [];
  let bytes = ENVELOPE_BYTES;
  for await (const item of items) {
    // One more for the comma.
    const size = JSON.stringify(item).length + 1;
    if (batch.length === MOST_TOKENS || bytes + size > MOST_BYTES) {
      yield batch;
      batch = [];
      bytes = ENVELOPE_BYTES;
    }
    batch.push(item);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}

/** What is said of how far it is, as "1,200 of 5,000". */
export interface Words {
  underWay(far: string): string;
  /** When a request has failed. */
  ended(far: string): string;
  /** What to do then, if it may go well next time. */
  again: string;
}

/**
 * Sends them all, each once.
 *
 * @param all how many there are
 * @throws Failure that says how far it came
 */
export async function sendInBatches<T>(
  items: AsyncIterable<T>,
  all: number,
  words: Words,
  send: (batch: T[]) => Promise<void>,
): Promise<void> {
  const progress = new Progress();
  const waiting = batches(items);
  let sent = 0;
  const far = () => `${count(sent)} of ${count(all)}`;
  // Each takes the next batch when its request is answered; the first to fail ends the reading.
  const sender = async () => {
    for await (const batch of waiting) {
      await send(batch);
      sent += batch.length;
      progress.show(() => words.underWay(far()));
    }
  };
  const senders = Array.from({ length: AT_ONCE }, sender);
  const ends = await Promise.allSettled(senders);
  progress.end();
  const failed = ends.find((end) => end.status === "rejected");
  if (!failed) return;
  throw failed.reason instanceof Failure
    ? saidMore(failed.reason, words.ended(far()), words.again)
    : failed.reason;
}
