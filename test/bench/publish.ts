import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { format } from "prettier";
import { type Colors, plot, type Scheme, schemes } from "./report/plot.ts";
import { report } from "./report/report.ts";
import type { Results } from "./results.ts";

const ownFolder = join(import.meta.dirname, "results");
/** The results of the last complete run. */
export const resultsFile = join(ownFolder, "results.json");
const readme = join(import.meta.dirname, "README.md");

/** The results of a benchmark as files. */
export interface Rendered {
  json: string;
  markdown: string;
  /** The picture, for a light and for a dark page. */
  pictures: Record<Scheme, string>;
}

/** Renders the results of a benchmark, as a page and a picture. */
export async function renderWith<R>(
  results: R,
  report: (results: R) => string,
  plot: (results: R, colors: Colors) => Promise<string>,
): Promise<Rendered> {
  // Formatted, because all of it is checked in.
  return {
    json: await format(JSON.stringify(results), { parser: "json" }),
    markdown: await format(report(results), { parser: "markdown" }),
    pictures: {
      light: await plot(results, schemes.light),
      dark: await plot(results, schemes.dark),
    },
  };
}

export function render(results: Results): Promise<Rendered> {
  return renderWith(results, report, plot);
}

/**
 * Writes the results and the pictures into a folder.
 *
 * @param picture the beginning of the names of the pictures
 */
export async function writeRendered(
  { json, pictures }: Rendered,
  folder: string,
  picture: string,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "results.json"), json);
  for (const [scheme, svg] of Object.entries(pictures))
    await writeFile(join(folder, `${picture}-${scheme}.svg`), svg);
}

/**
 * Writes the results and the pictures, and the tables into the README beside this file.
 *
 * @param folder instead of `results`; the README then stays unchanged
 */
export async function publish(
  rendered: Rendered,
  folder?: string,
): Promise<void> {
  await writeRendered(rendered, folder ?? ownFolder, "figures");
  if (folder === undefined) await writeBetween("bench", rendered.markdown);
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
