import { OAuthError } from "../oauth/errors.ts";

/**
 * The bounds of Retry-After, in seconds. It is random, so that clients that are refused at the same moment
 * spread out. A few seconds are enough: KV accepts one write per second and key, and a Durable Object
 * restarts in less.
 */
const MIN_RETRY_AFTER_SECONDS = 1;
const MAX_RETRY_AFTER_SECONDS = 3;

/** The most tries of one call. */
const MAX_TRIES = 3;
/**
 * The delay before the second try, in milliseconds; twice as long before the third. Each delay is multiplied
 * by a random factor between 0.5 and 1.5.
 */
const BASE_DELAY_MS = 50;

/** Makes the refusal for storage that cannot be reached: 503 with `Retry-After`. The cause is for the log. */
export function unavailable(cause: unknown): OAuthError {
  const choices = MAX_RETRY_AFTER_SECONDS - MIN_RETRY_AFTER_SECONDS + 1;
  const seconds = MIN_RETRY_AFTER_SECONDS + Math.floor(Math.random() * choices);
  const headers = { "Retry-After": String(seconds) };
  return new OAuthError("storage_unavailable", { headers, cause });
}

/**
 * Makes a storage call, and repeats it after a fault. It does not repeat a call to an overloaded object,
 * because that adds load, nor one that failed in our own code, because it would fail again. A fault may lose
 * the answer of a call that has done its work, so every call must be one that may be repeated without harm.
 *
 * @param call must get a new stub each time, because a stub that has failed stays broken
 * @throws OAuthError `storage_unavailable`
 * @throws the exception of our own code in a Durable Object, as it is
 */
export async function withRetry<T>(call: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await call();
    } catch (error) {
      const { retryable, overloaded, remote } = flagsOf(error);
      if (remote && !retryable && !overloaded) throw error;
      if (overloaded || tries === MAX_TRIES) throw unavailable(error);
      await scheduler.wait(
        BASE_DELAY_MS * 2 ** (tries - 1) * (0.5 + Math.random()),
      );
    }
  }
}

/** Calls the Durable Object that has a name, as `withRetry` does. */
export function callObject<T extends Rpc.DurableObjectBranded, R>(
  namespace: DurableObjectNamespace<T>,
  name: string,
  call: (object: DurableObjectStub<T>) => Promise<R>,
): Promise<R> {
  const id = namespace.idFromName(name);
  return withRetry(() => call(namespace.get(id)));
}

/** The flags that the platform sets on the exception of a Durable Object call. */
function flagsOf(error: unknown): {
  /** The call may succeed when it is repeated. */
  retryable?: boolean;
  /** The object has too many requests. */
  overloaded?: boolean;
  /** The code of the object threw the exception. */
  remote?: boolean;
} {
  return typeof error === "object" && error !== null ? error : {};
}
