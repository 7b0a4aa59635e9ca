import type { Spread } from "../statistics.ts";

/** A Markdown table with numbers aligned to the right. The formatter pads its columns. */
export function table(head: string[], rows: string[][]): string {
  const rule = head.map((_, column) =>
    rows.every((cells) => /^[\d—]/.test(cells[column] ?? "")) ? "--:" : "---",
  );
  const lines = [head, rule, ...rows].map(
    (cells) => `| ${cells.join(" | ")} |`,
  );
  return lines.join("\n");
}

/** A number with three significant digits. */
export function figure(value: number): string {
  const decimals = Math.max(
    0,
    2 - Math.floor(Math.log10(Math.abs(value) || 1)),
  );
  return value.toLocaleString("en", {
    minimumFractionDigits: Math.min(decimals, 2),
    maximumFractionDigits: Math.min(decimals, 2),
  });
}

/** The median, and the middle half in brackets. */
export function spreadText({ median, lower, upper }: Spread): string {
  if (lower === upper) return figure(median);
  return `${figure(median)} (${figure(lower)}–${figure(upper)})`;
}
