/** A search through every state of a small world, the nearest first. */

/** What can happen in a state, in words, and the state after it. */
export type Found<State> = (what: string, next: State) => void;

/**
 * Visits every state.
 *
 * @param keyOf makes the same text for states that do not differ
 * @param explore asks for the promises about a state, and finds the states after it
 * @returns the number of states
 * @throws Error the shortest history that breaks a promise
 */
export function search<State>(
  first: State,
  keyOf: (state: State) => string,
  explore: (state: State, found: Found<State>) => void,
): number {
  const ways = new Map([[keyOf(first), [] as string[]]]);
  const states = [first];
  for (const state of states) {
    const way = ways.get(keyOf(state))!;
    try {
      explore(state, (what, next) => {
        const key = keyOf(next);
        if (ways.has(key)) return;
        ways.set(key, [...way, what]);
        states.push(next);
      });
    } catch (error) {
      throw new Error(`${String(error)}, after:\n  ${way.join("\n  ")}`, {
        cause: error,
      });
    }
  }
  return states.length;
}
