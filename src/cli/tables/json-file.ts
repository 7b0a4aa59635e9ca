import { z } from "zod";
import { Failure } from "../failure.ts";
import { type ColumnNames, isNull, type Row } from "./table-file.ts";
import { readText } from "./text-file.ts";

/** Reads a table in JSON: an array of rows, or an object whose keys are the ids of the rows. */

const record = z.record(z.string(), z.unknown());
const rowsById = z.record(z.string(), record);

/** True if the file starts with `[` or `{`. No CSV of these tables does. */
export async function isJson(path: string): Promise<boolean> {
  for await (const text of readText(path)) {
    const start = text.trimStart();
    if (start !== "") return /^[[{]/.test(start);
  }
  return false;
}

export interface JsonTable<C extends string> {
  /** The names of all fields that occur in a row. */
  header: string[];
  rows: Row<C>[];
}

/**
 * Reads all rows. Every value is text, as in a CSV.
 *
 * @throws Failure if the JSON is not a table
 */
export async function readJsonTable<C extends string>(
  path: string,
  known: ColumnNames<C | "id">,
): Promise<JsonTable<C | "id">> {
  const json = await readJson(path);
  if (Array.isArray(json)) {
    const records = json.map((each: unknown, index) =>
      toRecord(path, `row ${index + 1}`, each),
    );
    const rows = records.map((each, index) =>
      toRow(`row ${index + 1}`, each, known),
    );
    return { header: fieldsOf(records), rows };
  }
  const byId = rowsById.safeParse(json);
  if (!byId.success) {
    throw new Failure(
      `${path} must be an array of rows, or an object whose keys are the client ids of the rows.`,
    );
  }
  const rows = Object.entries(byId.data).map(([id, each]) => {
    const row = toRow(`the row of ${id}`, each, known);
    return { ...row, values: { ...row.values, id } };
  });
  return { header: fieldsOf(Object.values(byId.data)), rows };
}

type JsonRow = z.output<typeof record>;

function fieldsOf(records: JsonRow[]): string[] {
  return [...new Set(records.flatMap((each) => Object.keys(each)))];
}

function toRecord(path: string, place: string, each: unknown): JsonRow {
  const parsed = record.safeParse(each);
  if (parsed.success) return parsed.data;
  throw new Failure(`${path}: ${place} must be an object.`);
}

function toRow<C extends string>(
  place: string,
  each: JsonRow,
  known: ColumnNames<C>,
): Row<C> {
  const fields = Object.entries(each);
  const values: Row<C>["values"] = {};
  const names: Row<C>["names"] = {};
  for (const column of Object.keys(known) as C[]) {
    const found = known[column]
      .map((name) => fields.find(([field]) => field.toLowerCase() === name))
      .find((field) => field !== undefined);
    if (!found) continue;
    const [name, value] = found;
    names[column] = name;
    const text = asText(value);
    if (!isNull(text)) values[column] = text;
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
    // Only the position, because the rest of the message quotes the file, which contains secrets.
    const position = /\(line \d+ column \d+\)/.exec(String(error))?.[0];
    throw new Failure(
      `${path} is not valid JSON${position ? ` ${position}` : ""}. Nothing was imported. Export the table again.`,
    );
  }
}
