/** @param part 0.5 for the median @returns NaN if there are no values */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  const position = Math.min(
    sorted.length - 1,
    Math.floor(part * sorted.length),
  );
  return sorted[position] ?? NaN;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}
