import type { Rate } from "./load.ts";
import { figure } from "./markdown.ts";
import { median } from "./statistics.ts";

/** The rates of two sides, round by round. */
export interface Comparison {
  hot: Rate[];
  spread: Rate[];
}

/**
 * Measures two sides in turn, in the opposite order in every other round, so that other load on the machine
 * affects both. The first round loads all objects into memory and is not counted.
 */
export async function compare(
  rounds: number,
  hot: () => Promise<Rate>,
  spread: () => Promise<Rate>,
): Promise<Comparison> {
  const sides: Comparison = { hot: [], spread: [] };
  await hot();
  await spread();
  for (let round = 0; round < rounds; round++) {
    if (round % 2 === 0) sides.hot.push(await hot());
    sides.spread.push(await spread());
    if (round % 2 === 1) sides.hot.push(await hot());
  }
  return sides;
}

/** The hot side's rate divided by the other's: the median of the rounds' ratios, and their range. */
export function ratio({ hot, spread }: Comparison): string {
  const ratios = hot.map(
    ({ perSecond }, round) => perSecond / spread[round]!.perSecond,
  );
  const [min, max] = [Math.min(...ratios), Math.max(...ratios)];
  return `${median(ratios).toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`;
}

/** The median of a figure for both sides, the hot one first. */
export function both(sides: Comparison, of: (rate: Rate) => number): string {
  const [hot, spread] = [sides.hot, sides.spread].map((rates) =>
    figure(median(rates.map(of))),
  );
  return `${hot} vs. ${spread}`;
}
