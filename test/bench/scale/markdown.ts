import { readFile, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { format } from "prettier";

const page = join(import.meta.dirname, "README.md");

/** A Markdown table. */
export function table(head: string[], rows: (string | number)[][]): string {
  const line = (cells: (string | number)[]) => `| ${cells.join(" | ")} |`;
  const rule = head.map((_, column) => (column === 0 ? "---" : "--:"));
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}

/** A number with two significant digits below 10, and with thousands separators. */
export function figure(value: number): string {
  if (value === 0) return "0";
  if (Math.abs(value) < 10) return String(Number(value.toPrecision(2)));
  return Math.round(value).toLocaleString("en");
}

/** The date and the machine of a measurement, to be stated with every measured figure. */
export function circumstances(): string {
  const [cpu] = cpus();
  const date = new Date().toISOString().slice(0, 10);
  return `${date}, ${cpus().length} cores (${cpu?.model ?? "unknown"}), shared with other work`;
}

/**
 * Replaces the part of the page between `<!-- name -->` and `<!-- /name -->`.
 *
 * @throws Error if the page does not have these comments
 */
export async function writePart(name: string, markdown: string): Promise<void> {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const text = await readFile(page, "utf8");
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from)
    throw new Error(
      `The page does not contain the comments ${begin} and ${end}`,
    );
  const before = text.slice(0, from + begin.length);
  const whole = `${before}\n\n${markdown}\n\n${text.slice(to)}`;
  await writeFile(page, await format(whole, { parser: "markdown" }));
}
