import { OAuthError } from "../oauth/errors.ts";

/**
 * Seconds, at random: KV takes one write a second a key, and a Durable Object restarts in less. Of those
 * who are refused in one moment a third come back in one; a client that backs off does better.
 */
const RETRY_AFTER = { least: 1, most: 3 };

/** How often a call is made at the most. */
const MAX_TRIES = 3;
/** Before the second try, give or take half; twice as long before the third. */
const FIRST_PAUSE_MS = 50;

/** Storage can't be reached: 503, and the caller may try again. The cause goes to the log. */
export function unavailable(cause: unknown): OAuthError {
  const { least, most } = RETRY_AFTER;
  const seconds = least + Math.floor(Math.random() * (most - least + 1));
  const headers = { "Retry-After": String(seconds) };
  return new OAuthError("storage_unavailable", { headers, cause });
}

/**
 * Makes a storage call, and makes it again where that can help: after any fault but too much load and
 * a fault of our own code. The answer may have been lost when the work was done already, so every call
 * has to be one that may be repeated without harm.
 *
 * @param call takes a new stub each time: one that has failed stays broken
 * @throws OAuthError `storage_unavailable`; a fault of our own code, in an object, goes through
 */
export async function withRetry<T>(call: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await call();
    } catch (error) {
      const { retryable, overloaded, remote } = faultOf(error);
      if (remote && !retryable && !overloaded) throw error;
      if (overloaded || tries === MAX_TRIES) throw unavailable(error);
      await scheduler.wait(
        FIRST_PAUSE_MS * 2 ** (tries - 1) * (0.5 + Math.random()),
      );
    }
  }
}

/** The same for a call of the object that has a name. */
export function callObject<T extends Rpc.DurableObjectBranded, R>(
  namespace: DurableObjectNamespace<T>,
  name: string,
  call: (object: DurableObjectStub<T>) => Promise<R>,
): Promise<R> {
  const id = namespace.idFromName(name);
  return withRetry(() => call(namespace.get(id)));
}

/** What the platform says of an exception of a Durable Object; `remote`: its code has thrown it. */
function faultOf(error: unknown): {
  retryable?: boolean;
  overloaded?: boolean;
  remote?: boolean;
} {
  return typeof error === "object" && error !== null ? error : {};
}
