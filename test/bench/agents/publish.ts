import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { format } from "prettier";
import { writeBetween } from "../publish.ts";
import { type Scheme, schemes } from "../report/plot.ts";
import { plot } from "./plot.ts";
import { report } from "./report.ts";
import type { Results } from "./results.ts";

const ownFolder = join(import.meta.dirname, "results");
const readme = join(import.meta.dirname, "README.md");

interface Rendered {
  json: string;
  markdown: string;
  /** The picture, for a light and for a dark page. */
  pictures: Record<Scheme, string>;
}

/** Reads the results of the last complete run. */
export async function lastResults(): Promise<Results> {
  const text = await readFile(join(ownFolder, "results.json"), "utf8");
  return JSON.parse(text) as Results;
}

export async function render(results: Results): Promise<Rendered> {
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

/**
 * Writes the results and the pictures, and the tables into the README beside this file.
 *
 * @param folder instead of `results`; the README then stays unchanged
 */
export async function publish(
  { json, markdown, pictures }: Rendered,
  folder?: string,
): Promise<void> {
  const target = folder ?? ownFolder;
  await mkdir(target, { recursive: true });
  await writeFile(join(target, "results.json"), json);
  for (const [scheme, svg] of Object.entries(pictures))
    await writeFile(join(target, `traces-${scheme}.svg`), svg);
  if (folder === undefined) await writeBetween("agents", markdown, readme);
}
