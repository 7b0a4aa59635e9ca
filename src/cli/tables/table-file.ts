import type { z } from "zod";
import {
  badLine,
  type Dialect,
  detectDialect,
  firstRecord,
  readRecords,
} from "./csv-records.ts";
import { Failure } from "../failure.ts";
import { checkFile, emptyFileError } from "./text-file.ts";

/** Reads a table that the database of another server has exported as CSV or TSV. */

/** The known columns, each with the names (in lower case) that it may have, the preferred one first. */
export type ColumnNames<C extends string> = Record<C, readonly string[]>;

export interface Row<C extends string> {
  /** The position in the file, for errors: "line 7". */
  place: string;
  /** The values by column. NULL and empty fields are left out. */
  values: Partial<Record<C, string>>;
  /** The names that the file has for the columns. */
  names: Partial<Record<C, string>>;
}

export interface Table<C extends string> {
  /** The names that the file has for the columns; a column that it lacks is left out. */
  names: Partial<Record<C, string>>;
  /** All names in the header; empty for a list. */
  header: string[];
  /** Reads the rows, from the beginning at each call. @throws Failure at a line that is not a row */
  rows(): AsyncGenerator<Row<C>>;
}

/** Parses a row with the schema. @throws Failure that names the line and the column */
export function readRow<C extends string, S extends z.ZodType>(
  path: string,
  row: Row<C>,
  schema: S,
): z.output<S> {
  const parsed = schema.safeParse(row.values);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const column = String(issue?.path[0]) as C;
  const problem = issue?.message ?? "is wrong";
  throw badLine(path, row.place, row.names[column] ?? column, problem);
}

/**
 * Opens a table and reads its header. A file without a header and with one field per line is a list of
 * values of the column `list`.
 *
 * @throws Failure if the file is not a table, or lacks the required column
 */
export async function openTable<C extends string>(
  path: string,
  known: ColumnNames<C>,
  { required, list }: { required: C; list?: C },
): Promise<Table<C>> {
  await checkFile(path);
  const dialect = await detectDialect(path);
  const first = await firstRecord(path, dialect);
  if (!first) throw emptyFileError(path);
  const header = first.fields.map((name) => name.trim());
  const columns = findColumns(path, header, known);
  if (columns.length > 0) {
    const names = Object.fromEntries(
      columns.map(({ column, index }) => [column, header[index]]),
    ) as Row<C>["names"];
    if (names[required] === undefined) {
      // Unknown names are not quoted: if the line is not a header, it is a row that may contain a secret.
      throw new Failure(
        `${path} has no column ${known[required].toReversed().join(" or ")}. Export the table with that column. Its first line has ${header.length} ${header.length === 1 ? "column" : "columns"}; of these, Baton knows: ${Object.values(names).join(", ")}.`,
      );
    }
    const rows = () => readRows(path, dialect, columns, names, header.length);
    return { names, header, rows };
  }
  if (list === undefined || header.length > 1) {
    // The line is not quoted: without a header it is a row that may contain a secret.
    throw new Failure(
      `${path}: line 1 must name the columns. Baton reads these, if the table has them: ${Object.values<
        readonly string[]
      >(known)
        .map((names) => names.at(-1))
        .join(", ")}. Export the table with its header.`,
    );
  }
  const names = { [list]: "1" } as Row<C>["names"];
  const listColumns = [{ column: list, index: 0 }];
  const rows = () => readRows(path, dialect, listColumns, names);
  return { names, header: [], rows };
}

interface Column<C> {
  column: C;
  index: number;
}

function findColumns<C extends string>(
  path: string,
  header: string[],
  known: ColumnNames<C>,
): Column<C>[] {
  const lowerCase = header.map((name) => name.toLowerCase());
  return (Object.keys(known) as C[]).flatMap((column) => {
    const name = known[column].find((name) => lowerCase.includes(name));
    if (name === undefined) return [];
    const index = lowerCase.indexOf(name);
    if (lowerCase.lastIndexOf(name) !== index)
      throw new Failure(
        `${path} has the column ${name} twice. Export the table with that column once.`,
      );
    return [{ column, index }];
  });
}

/** @param width the number of fields in a row; left out for a list, whose lines have one field */
async function* readRows<C extends string>(
  path: string,
  dialect: Dialect,
  columns: Column<C>[],
  names: Row<C>["names"],
  width?: number,
): AsyncGenerator<Row<C>> {
  let isHeader = width !== undefined;
  for await (const { line, fields } of readRecords(path, dialect)) {
    if (isHeader) {
      isHeader = false;
      continue;
    }
    if (fields.length !== (width ?? 1)) {
      const expected =
        width === undefined
          ? "a line of a list has 1"
          : `the header has ${width}`;
      throw badLine(
        path,
        `line ${line}`,
        String(Math.min(fields.length, width ?? 1)),
        `the line has ${fields.length} ${fields.length === 1 ? "field" : "fields"}, but ${expected}`,
      );
    }
    const values: Row<C>["values"] = {};
    for (const { column, index } of columns) {
      const value = fields[index] ?? "";
      // PostgreSQL's CSV with tabs quotes only the fields that need it, so the header does not show it.
      if (dialect.escapes && /^".*"$/s.test(value)) {
        const problem =
          "is in quotes, but the header is not: fields of this tab-separated file must not be in quotes. Export the table without quotes, or with commas between the fields";
        throw badLine(path, `line ${line}`, names[column] ?? column, problem);
      }
      if (!isNull(value)) values[column] = value;
    }
    yield { place: `line ${line}`, values, names };
  }
}

/** True for SQL's NULL. MySQL and PostgreSQL write \N; other tools write NULL, some in brackets. */
export function isNull(value: string): boolean {
  return /^(?:|\\N|NULL|<NULL>|\[NULL\]|\(NULL\))$/i.test(value);
}
