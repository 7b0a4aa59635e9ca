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
  // As the formatter would have them: all of it is checked in.
  return {
    json: await format(JSON.stringify(results), { parser: "json" }),
    markdown: await format(report(results), { parser: "markdown" }),
    svg: await plot(results),
  };
}

/** @param folder instead of `results`, which the README beside this file and the project's README show */
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

/** Puts Markdown into a README, in the place between the comments of that name. */
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
    throw new Error(`${file} has no place for the tables: ${begin} ${end}`);
  const written = `${before}${begin}\n\n${markdown}\n\n${end}${after}`;
  await writeFile(file, await format(written, { parser: "markdown" }));
}
