import { z } from "zod";
import { Failure } from "../failure.ts";
import type { ColumnNames, Row } from "./table-file.ts";
import { readText } from "./text-file.ts";

/** A table as JSON: an array of rows, or an object of them by their ids. */

const record = z.record(z.string(), z.unknown());
const rowsById = z.record(z.string(), record);

/** Whether a file begins as JSON does; no CSV begins so. */
export async function isJson(path: string): Promise<boolean> {
  for await (const text of readText(path)) {
    const begin = text.trimStart();
    if (begin !== "") return /^[[{]/.test(begin);
  }
  return false;
}

/**
 * Its rows, as if they were those of a CSV: every value is text.
 *
 * @throws Failure if it is no table
 */
export async function readJsonTable<C extends string>(
  path: string,
  known: ColumnNames<C | "id">,
): Promise<Row<C | "id">[]> {
  const json = await readJson(path);
  if (Array.isArray(json)) {
    return json.map((each: unknown, index) =>
      toRow(path, `row ${index + 1}`, each, known),
    );
  }
  const byId = rowsById.safeParse(json);
  if (!byId.success) {
    throw new Failure(
      `${path} has to be an array of rows, or an object of rows by their client ids.`,
    );
  }
  return Object.entries(byId.data).map(([id, each]) => {
    const row = toRow(path, `the row of ${id}`, each, known);
    return { ...row, values: { ...row.values, id } };
  });
}

function toRow<C extends string>(
  path: string,
  place: string,
  each: unknown,
  known: ColumnNames<C>,
): Row<C> {
  const parsed = record.safeParse(each);
  if (!parsed.success)
    throw new Failure(`${path}: ${place} has to be an object.`);
  const fields = Object.entries(parsed.data);
  const values: Row<C>["values"] = {};
  const names: Row<C>["names"] = {};
  for (const column of Object.keys(known) as C[]) {
    const found = known[column]
      .map((name) => fields.find(([field]) => field.toLowerCase() === name))
      .find((field) => field !== undefined);
    if (!found) continue;
    const [name, value] = found;
    names[column] = name;
    if (value !== null && value !== "") values[column] = asText(value);
  }
  return { place, values, names };
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

async function readJson(path: string): Promise<unknown> {
  const text = (await Array.fromAsync(readText(path))).join("");
  try {
    return JSON.parse(text);
  } catch (error) {
    // The rest of the message quotes the file, which has secrets in it.
    const position = /\(line \d+ column \d+\)/.exec(String(error))?.[0];
    throw new Failure(
      `${path} is not valid JSON${position ? ` ${position}` : ""}. Nothing is imported.`,
    );
  }
}
