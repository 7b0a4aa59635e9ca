/**
 * What becomes of a herd: families that were all made in one moment, each of which refreshes again and
 * again, an access token's life after the last time. No server is asked: this is what clients do.
 */

export interface Herd {
  families: number;
  /**
   * Each refresh comes at a random moment in the last part of the access token's life, of this width:
   * 0 is when it expires, 0.1 in the last tenth.
   */
  jitter: number;
  /** How many lives of an access token are looked at. */
  lives: number;
  /** Into how many equal parts a life is cut, to count in. */
  bins: number;
  random: () => number;
}

/**
 * How many refreshes come, bin by bin, over all lives from the first; of as many as there would be in
 * each if they came evenly.
 */
export function arrivals(herd: Herd): number[] {
  const counts = new Float64Array(herd.lives * herd.bins);
  for (let family = 0; family < herd.families; family++) {
    // Time is counted in lives of an access token; all are made at 0.
    let time = 0;
    for (;;) {
      time += 1 - herd.jitter * herd.random();
      // A hair, so that a sum of parts that is 3 in truth does not fall into the bin before.
      const bin = Math.floor(time * herd.bins + 1e-9);
      if (bin >= counts.length) break;
      counts[bin]! += 1;
    }
  }
  return Array.from(counts, (count) => (count * herd.bins) / herd.families);
}

/** The highest of each life, from the second on: in the first nobody has to refresh until its end. */
export function peaks(herd: Herd): number[] {
  const all = arrivals({ ...herd, lives: herd.lives + 1 });
  return Array.from({ length: herd.lives }, (_, life) => {
    // A life's refreshes come around its end: half a life to each side of it.
    const from = Math.floor((life + 0.5) * herd.bins);
    return Math.max(...all.slice(from, from + herd.bins));
  });
}

/** How many refreshes more than at the end of each life, because they come before it. */
export function moreRefreshes(jitter: number): number {
  return 1 / (1 - jitter / 2) - 1;
}
