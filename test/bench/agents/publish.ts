import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type Rendered,
  renderWith,
  writeBetween,
  writeRendered,
} from "../publish.ts";
import { plot } from "./plot.ts";
import { report } from "./report.ts";
import type { Results } from "./results.ts";

const ownFolder = join(import.meta.dirname, "results");
const readme = join(import.meta.dirname, "README.md");

/** Reads the results of the last complete run. */
export async function lastResults(): Promise<Results> {
  const text = await readFile(join(ownFolder, "results.json"), "utf8");
  return JSON.parse(text) as Results;
}

export function render(results: Results): Promise<Rendered> {
  return renderWith(results, report, plot);
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
  await writeRendered(rendered, folder ?? ownFolder, "traces");
  if (folder === undefined)
    await writeBetween("agents", rendered.markdown, readme);
}
