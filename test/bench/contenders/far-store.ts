import { setTimeout as sleep } from "node:timers/promises";

/**
 * Makes each call of a store wait first, as if the database were on the network.
 *
 * With the database in the server's process, a library's look-up of a token and its next write happen in
 * one turn of the event loop, whether or not the library takes care of that. A database on the network does
 * not guarantee that.
 *
 * @param calls the methods of the store that reach the database
 */
export function withStoreDelay<Store extends object>(
  store: Store,
  milliseconds: number,
  calls: (keyof Store & string)[],
): Store {
  // The other measurements run without a wrapper.
  if (milliseconds === 0) return store;
  for (const name of calls) {
    const call = store[name] as (...parameters: unknown[]) => unknown;
    const delayed = async (...parameters: unknown[]) => {
      await sleep(milliseconds);
      return call.apply(store, parameters);
    };
    Object.defineProperty(store, name, { value: delayed });
  }
  return store;
}
