/** A table of Markdown's, numbers to the right. The formatter makes its columns even. */
export function table(head: string[], rows: string[][]): string {
  const rule = head.map((_, column) =>
    rows.every((cells) => /^[\d—]/.test(cells[column] ?? "")) ? "--:" : "---",
  );
  const lines = [head, rule, ...rows].map(
    (cells) => `| ${cells.join(" | ")} |`,
  );
  return lines.join("\n");
}

/** With as many digits as are of interest: three. */
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
