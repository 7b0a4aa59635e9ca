import { setTimeout as sleep } from "node:timers/promises";

/**
 * Puts a store as far away as a database on the network would be: each of its calls waits first.
 *
 * With the database in the server's process, a library's look-up of a token and its next write happen in
 * one turn of the event loop, whether the library takes care of that or not. No database elsewhere gives
 * it that.
 *
 * @param calls those of its methods that reach the database
 */
export function farAway<Store extends object>(
  store: Store,
  milliseconds: number,
  calls: (keyof Store & string)[],
): Store {
  // What is measured otherwise has no wrapper around it.
  if (milliseconds === 0) return store;
  for (const name of calls) {
    const call = store[name] as (...parameters: unknown[]) => unknown;
    const late = async (...parameters: unknown[]) => {
      await sleep(milliseconds);
      return call.apply(store, parameters);
    };
    Object.defineProperty(store, name, { value: late });
  }
  return store;
}
