import type { Rate } from "./load.ts";
import { figure } from "./markdown.ts";
import { median } from "./statistics.ts";

/** The rates of two sides, round by round. */
export interface Comparison {
  hot: Rate[];
  spread: Rate[];
}

/**
 * Measures two sides in turn, and every other round the other way about, so that what else the machine
 * does meets both. A first round, in which all objects are woken up, is not counted.
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

/** The hot side's rate to the other's: the median of the rounds, and between what they are. */
export function ratio({ hot, spread }: Comparison): string {
  const ratios = hot.map(
    ({ perSecond }, round) => perSecond / spread[round]!.perSecond,
  );
  const [least, most] = [Math.min(...ratios), Math.max(...ratios)];
  return `${median(ratios).toFixed(2)} (${least.toFixed(2)}–${most.toFixed(2)})`;
}

/** Something of both sides, the hot one first. */
export function both(sides: Comparison, of: (rate: Rate) => number): string {
  const [hot, spread] = [sides.hot, sides.spread].map((rates) =>
    figure(median(rates.map(of))),
  );
  return `${hot} to ${spread}`;
}
