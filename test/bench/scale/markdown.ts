import { readFile, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { format } from "prettier";

const page = join(import.meta.dirname, "README.md");

/** A table of Markdown: its head, and its rows. */
export function table(head: string[], rows: (string | number)[][]): string {
  const line = (cells: (string | number)[]) => `| ${cells.join(" | ")} |`;
  const rule = head.map((_, column) => (column === 0 ? "---" : "--:"));
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}

/** Two digits that count, and thousands apart. */
export function figure(value: number): string {
  if (value === 0) return "0";
  if (Math.abs(value) < 10) return String(Number(value.toPrecision(2)));
  return Math.round(value).toLocaleString("en");
}

/** When and on what it was measured: to be said with every figure that a machine has a part in. */
export function circumstances(): string {
  const [cpu] = cpus();
  const date = new Date().toISOString().slice(0, 10);
  return `${date}, ${cpus().length} cores (${cpu?.model ?? "unknown"}), shared with other work`;
}

/**
 * Puts a part of the page in the place of the one that is between its markers, `<!-- name -->` and
 * `<!-- /name -->`.
 *
 * @throws Error if the page has no such markers
 */
export async function writePart(name: string, markdown: string): Promise<void> {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const text = await readFile(page, "utf8");
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`The page has no part ${name}`);
  const before = text.slice(0, from + begin.length);
  const whole = `${before}\n\n${markdown}\n\n${text.slice(to)}`;
  await writeFile(page, await format(whole, { parser: "markdown" }));
}
