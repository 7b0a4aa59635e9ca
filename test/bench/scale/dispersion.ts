/**
 * Simulates a herd: families that were all made at the same moment, and that each refresh again and again,
 * one lifetime of an access token after the last refresh. It simulates the clients only, without a server.
 */

export interface Herd {
  families: number;
  /**
   * The width of the last part of the access token's lifetime, in which each refresh comes at a random
   * moment. 0: when the token expires; 0.1: in the last tenth.
   */
  jitter: number;
  /** How many lifetimes of an access token are simulated. */
  lifetimes: number;
  /** The number of equal parts of a lifetime in which refreshes are counted. */
  bins: number;
  random: () => number;
}

/**
 * The refreshes in each bin of all lifetimes, as a multiple of the number that an even spread would have in
 * a bin.
 */
export function arrivals(herd: Herd): number[] {
  const counts = new Float64Array(herd.lifetimes * herd.bins);
  for (let family = 0; family < herd.families; family++) {
    // Time is counted in lifetimes of an access token. All families are made at 0.
    let time = 0;
    for (;;) {
      time += 1 - herd.jitter * herd.random();
      // The small addition corrects rounding: a sum that should be 3 must not fall into the bin before 3.
      const bin = Math.floor(time * herd.bins + 1e-9);
      if (bin >= counts.length) break;
      counts[bin]! += 1;
    }
  }
  return Array.from(counts, (count) => (count * herd.bins) / herd.families);
}

/** The peak of each lifetime from the second on. In the first, nobody needs to refresh until its end. */
export function peaks(herd: Herd): number[] {
  const all = arrivals({ ...herd, lifetimes: herd.lifetimes + 1 });
  return Array.from({ length: herd.lifetimes }, (_, lifetime) => {
    // The refreshes of a lifetime come around its end: up to half a lifetime before and after it.
    const from = Math.floor((lifetime + 0.5) * herd.bins);
    return Math.max(...all.slice(from, from + herd.bins));
  });
}

/** The share of additional refreshes, because each comes before the end of the lifetime. */
export function moreRefreshes(jitter: number): number {
  return 1 / (1 - jitter / 2) - 1;
}
