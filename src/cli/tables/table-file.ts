import type { z } from "zod";
import {
  badLine,
  type Dialect,
  findDialect,
  firstRecord,
  records,
} from "./csv-records.ts";
import { Failure } from "../failure.ts";
import { checkFile, isEmpty } from "./text-file.ts";

/** A table that another server's database has written, as CSV or TSV. */

/** The columns that are read, each with the names that tables have for it, the best first. */
export type ColumnNames<C extends string> = Record<C, readonly string[]>;

export interface Row<C extends string> {
  /** Where it is, in words: "line 7". */
  place: string;
  /** What is in it; NULL and the empty field are left out. */
  values: Partial<Record<C, string>>;
  /** What the file calls the columns. */
  names: Partial<Record<C, string>>;
}

export interface Table<C extends string> {
  /** What the file calls the columns that it has. */
  names: Partial<Record<C, string>>;
  /** All names of the header; none in a list. */
  header: string[];
  /** Row by row, from the beginning each time. @throws Failure at a line that is no row */
  rows(): AsyncGenerator<Row<C>>;
}

/** What a row says. @throws Failure with its place and the column */
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
 * Finds out what a file has. One without a header that has one field a line is a list of what
 * `list` names.
 *
 * @throws Failure if it is no table, or has not the columns that it must have
 */
export async function openTable<C extends string>(
  path: string,
  known: ColumnNames<C>,
  { required, list }: { required: C; list?: C },
): Promise<Table<C>> {
  await checkFile(path);
  const dialect = await findDialect(path);
  const first = await firstRecord(path, dialect);
  if (!first) throw isEmpty(path);
  const header = first.fields.map((name) => name.trim());
  const columns = findColumns(path, header, known);
  if (columns.length > 0) {
    const names = Object.fromEntries(
      columns.map(({ column, index }) => [column, header[index]]),
    ) as Row<C>["names"];
    if (names[required] === undefined) {
      // The others are not named: if this is no header, they are a row, with whatever secret there is.
      throw new Failure(
        `${path} has no column ${known[required].toReversed().join(" or ")}. Its first line has ${header.length} ${header.length === 1 ? "column" : "columns"}; known of them: ${Object.values(names).join(", ")}.`,
      );
    }
    const rows = () => read(path, dialect, columns, names, header.length);
    return { names, header, rows };
  }
  if (list === undefined || header.length > 1) {
    // The line is not quoted: without a header it is a row, with whatever secret there is.
    throw new Failure(
      `${path}: line 1 has to name the columns: ${Object.values<
        readonly string[]
      >(known)
        .map((names) => names.at(-1))
        .join(", ")}, as far as the table has them. Export it with its header.`,
    );
  }
  const names = { [list]: "1" } as Row<C>["names"];
  const only = [{ column: list, index: 0 }];
  const rows = () => read(path, dialect, only, names);
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
  const lowered = header.map((name) => name.toLowerCase());
  return (Object.keys(known) as C[]).flatMap((column) => {
    const name = known[column].find((name) => lowered.includes(name));
    if (name === undefined) return [];
    const index = lowered.indexOf(name);
    if (lowered.lastIndexOf(name) !== index)
      throw new Failure(`${path} has the column ${name} twice.`);
    return [{ column, index }];
  });
}

/** @param width how many fields a row has; those of a list have one */
async function* read<C extends string>(
  path: string,
  dialect: Dialect,
  columns: Column<C>[],
  names: Row<C>["names"],
  width?: number,
): AsyncGenerator<Row<C>> {
  let isHeader = width !== undefined;
  for await (const { line, fields } of records(path, dialect)) {
    if (isHeader) {
      isHeader = false;
      continue;
    }
    if (fields.length !== (width ?? 1)) {
      const should =
        width === undefined ? "a list has 1" : `the header has ${width}`;
      throw badLine(
        path,
        `line ${line}`,
        String(Math.min(fields.length, width ?? 1)),
        `the line has ${fields.length} ${fields.length === 1 ? "field" : "fields"}, and ${should}`,
      );
    }
    const values: Row<C>["values"] = {};
    for (const { column, index } of columns) {
      const value = fields[index] ?? "";
      // PostgreSQL's CSV with tabs quotes only what needs it, which no header tells.
      if (dialect.escapes && /^".*"$/s.test(value)) {
        const problem =
          "is in quotes, which are no part of a tab-separated file. Export it without quotes, or with commas between the fields";
        throw badLine(path, `line ${line}`, names[column] ?? column, problem);
      }
      if (!isNull(value)) values[column] = value;
    }
    yield { place: `line ${line}`, values, names };
  }
}

/** MySQL and PostgreSQL write \N, other tools NULL, or that in brackets of theirs. */
export function isNull(value: string): boolean {
  return /^(?:|\\N|NULL|<NULL>|\[NULL\]|\(NULL\))$/i.test(value);
}
