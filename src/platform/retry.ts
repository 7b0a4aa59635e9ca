import { OAuthError } from "../oauth/errors.ts";
import { retryAfter } from "../oauth/retry-after.ts";

/** The most tries of one call. */
const MAX_TRIES = 3;
/**
 * The delay before the second try, in milliseconds; twice as long before the third. Each delay is multiplied
 * by a random factor between 0.5 and 1.5.
 */
const BASE_DELAY_MS = 50;

/** Makes the refusal for storage that cannot be reached: 503 with `Retry-After`. The cause is for the log. */
export function unavailable(cause: unknown): OAuthError {
  const headers = { "Retry-After": retryAfter() };
  return new OAuthError("storage_unavailable", { headers, cause });
}

/**
 * The time after which a call that has no answer is made a second time, beside the first, in milliseconds. It is
 * much longer than a call takes, also to an object at the other end of the world that starts first.
 */
const SECOND_CALL_AFTER_MS = 2_500;
/** The time after which a call counts as failed, in milliseconds. A client waits that long. */
const MAX_WAIT_MS = 5_000;

/** The time that a fault waits for a redemption to be taken back, in milliseconds, beside `MAX_WAIT_MS`. */
export const ABANDON_WAIT_MS = 2_000;

/**
 * Makes a storage call, and repeats it after a fault or a long silence. It does not repeat a call to an
 * overloaded object, because that adds load, nor one that failed in our own code, because it would fail again. An object
 * that does not have the method yet counts as unavailable, because a deploy reaches it minutes later. A
 * fault may lose the answer of a call that has done its work, and a call that is silent may still do it, so every
 * call must be one that may be repeated without harm.
 *
 * @param call must get a new stub each time, because a stub that has failed stays broken
 * @throws OAuthError `storage_unavailable`, also if there is no answer within `maxWaitMs`
 * @throws the exception of our own code in a Durable Object, as it is
 */
export function withRetry<T>(
  call: () => Promise<T>,
  maxWaitMs = MAX_WAIT_MS,
): Promise<T> {
  const early = Math.min(SECOND_CALL_AFTER_MS, maxWaitMs);
  // One promise and one timer, because every refresh waits here.
  return new Promise((resolve, reject) => {
    let running = 0;
    let isOver = false;
    const end = (settle: () => void) => {
      isOver = true;
      clearTimeout(timer);
      settle();
    };
    const start = () => {
      running += 1;
      tryRepeatedly(call, () => isOver).then(
        (value) => end(() => resolve(value)),
        (fault: Error) => {
          running -= 1;
          // The answer of either call will do, and a fault of one leaves the other.
          if (running === 0) end(() => reject(fault));
        },
      );
    };
    const giveUp = () => {
      const fault = new Error(`no answer within ${maxWaitMs} ms`);
      end(() => reject(unavailable(fault)));
    };
    const startAgain = () => {
      timer = setTimeout(giveUp, maxWaitMs - early);
      start();
    };
    let timer = setTimeout(early < maxWaitMs ? startAgain : giveUp, early);
    start();
  });
}

/** @param isOver true: nobody waits for the answer any more, so the call is not repeated */
async function tryRepeatedly<T>(
  call: () => Promise<T>,
  isOver: () => boolean,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await call();
    } catch (error) {
      const { retryable, overloaded, remote } = flagsOf(error);
      if (isOfOlderObject(error)) throw unavailable(error);
      if (remote && !retryable && !overloaded) throw error;
      if (overloaded || tries === MAX_TRIES || isOver())
        throw unavailable(error);
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

/**
 * Tells whether the object does not have the method yet. A deploy reaches the Durable Objects up to five minutes after
 * the Worker, so the same call succeeds then, and nothing has changed until then.
 */
function isOfOlderObject(error: unknown): boolean {
  return (
    error instanceof TypeError &&
    error.message.startsWith("The RPC receiver does not implement the method ")
  );
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
