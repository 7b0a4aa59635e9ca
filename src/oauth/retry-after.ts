/**
 * The bounds of Retry-After, in seconds. It is random, so that clients that are refused at the same moment
 * spread out. A few seconds are enough: KV accepts one write per second and key, and a Durable Object
 * restarts in less.
 */
const MIN_SECONDS = 1;
const MAX_SECONDS = 3;

/** Makes the value of Retry-After for a fault that will soon be over. */
export function retryAfter(): string {
  const choices = MAX_SECONDS - MIN_SECONDS + 1;
  return String(MIN_SECONDS + Math.floor(Math.random() * choices));
}
