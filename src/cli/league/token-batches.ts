import { addDetails, Failure } from "../failure.ts";
import { formatCount, Progress } from "../progress.ts";

/** Sends a table of any size to the server in many requests, a few of them in parallel. */

/** The server's limit for one request, so that a Worker does not make too many writes. */
const MAX_TOKENS = 100;
/** Safely below the server's limit for a request body, 16 KiB. */
const MAX_BYTES = 15_000;
/** Enough for the body of a request without tokens, with the longest possible refresh_token_ttl. */
const ENVELOPE_BYTES = 200;

/** Number of parallel requests. */
const PARALLEL_REQUESTS = 4;

/** Groups the items into batches that fit into a request. All text is ASCII: one byte per character. */
async function* batches<T>(items: AsyncIterable<T>): AsyncGenerator<T[]> {
  let batch: T[] = [];
  let bytes = ENVELOPE_BYTES;
  for await (const item of items) {
    // Plus one byte for the comma.
    const size = JSON.stringify(item).length + 1;
    if (batch.length === MAX_TOKENS || bytes + size > MAX_BYTES) {
      yield batch;
      batch = [];
      bytes = ENVELOPE_BYTES;
    }
    batch.push(item);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}

/** Messages about the progress. @param done for example "1,200 of 5,000" */
export interface ProgressMessages {
  progress(done: string): string;
  /** Added to the error when a request has failed. */
  failed(done: string): string;
  /** Added to the error if the next attempt may succeed. */
  retryHint: string;
}

/**
 * Sends all items, each of them once.
 *
 * @param total the number of items, for the messages
 * @throws Failure that says how many were sent
 */
export async function sendInBatches<T>(
  items: AsyncIterable<T>,
  total: number,
  messages: ProgressMessages,
  send: (batch: T[]) => Promise<void>,
): Promise<void> {
  const progress = new Progress();
  const queue = batches(items);
  let sent = 0;
  const done = () => `${formatCount(sent)} of ${formatCount(total)}`;
  // Each sender takes the next batch after its response. The first one that fails ends the loop of all.
  const sender = async () => {
    for await (const batch of queue) {
      await send(batch);
      sent += batch.length;
      progress.show(() => messages.progress(done()));
    }
  };
  const senders = Array.from({ length: PARALLEL_REQUESTS }, sender);
  const results = await Promise.allSettled(senders);
  progress.end();
  const failed = results.find((result) => result.status === "rejected");
  if (!failed) return;
  throw failed.reason instanceof Failure
    ? addDetails(failed.reason, messages.failed(done()), messages.retryHint)
    : failed.reason;
}
