import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { format } from "prettier";
import { plot } from "./report/plot.ts";
import { report } from "./report/report.ts";
import type { Results } from "./results.ts";

const ownFolder = join(import.meta.dirname, "results");
const readme = join(import.meta.dirname, "README.md");

interface Rendered {
  json: string;
  markdown: string;
  svg: string;
}

export async function render(results: Results): Promise<Rendered> {
  // Formatted, because all of it is checked in.
  return {
    json: await format(JSON.stringify(results), { parser: "json" }),
    markdown: await format(report(results), { parser: "markdown" }),
    svg: await plot(results),
  };
}

/**
 * Writes the results and the picture, and the tables into the README beside this file.
 *
 * @param folder instead of `results`; the README then stays unchanged
 */
export async function publish(
  { json, markdown, svg }: Rendered,
  folder?: string,
): Promise<void> {
  const target = folder ?? ownFolder;
  await mkdir(target, { recursive: true });
  await writeFile(join(target, "results.json"), json);
  await writeFile(join(target, "rotations.svg"), svg);
  if (folder !== undefined) return;

  await writeBetween("bench", markdown);
}

/** Puts Markdown into a README, between the comments with that name. */
export async function writeBetween(
  name: string,
  markdown: string,
  file = readme,
): Promise<void> {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const text = await readFile(file, "utf8");
  const [before, rest] = text.split(begin);
  const after = rest?.split(end)[1];
  if (after === undefined)
    throw new Error(
      `${file} does not contain the comments ${begin} and ${end}, between which the tables belong`,
    );
  const written = `${before}${begin}\n\n${markdown}\n\n${end}${after}`;
  await writeFile(file, await format(written, { parser: "markdown" }));
}
