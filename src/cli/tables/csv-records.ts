import { pipeline } from "node:stream/promises";
import { CsvError, parse } from "csv-parse";
import { Failure } from "../failure.ts";
import { readText } from "./text-file.ts";

/** The lines of a CSV or TSV file, and where each of them is. */

/** What separates the fields; the header shows which one it is. */
const delimiters = [",", ";", "\t"];

/** No row of such a table is larger: it is a quote that nothing closes. */
const MOST_ROW_BYTES = 1024 * 1024;

/** A line that cannot be right. Its content is not quoted: it may be a secret. */
export function badLine(
  path: string,
  place: string,
  column: string | undefined,
  problem: string,
): Failure {
  const where = column === undefined ? place : `${place}, column ${column}`;
  return new Failure(`${path}: ${where}: ${problem}. Nothing is imported.`);
}

/** How a file writes its fields. */
export interface Dialect {
  delimiter: string;
  /** As MySQL and PostgreSQL write TSV: nothing is in quotes, and a backslash begins an escape. */
  escapes: boolean;
}

const escapes: Record<string, string> = {
  "\\t": "\t",
  "\\n": "\n",
  "\\r": "\r",
  "\\\\": "\\",
};

function unescaped(field: string): string {
  return field.includes("\\")
    ? field.replace(/\\[tnr\\]/g, (escape) => escapes[escape] ?? escape)
    : field;
}

export interface CsvRecord {
  /** Where it begins. */
  line: number;
  fields: string[];
}

/** What is in the file, blank lines left out. @throws Failure at a line that is no CSV */
export async function* records(
  path: string,
  { delimiter, escapes }: Dialect,
): AsyncGenerator<CsvRecord> {
  const parser = parse({
    delimiter,
    quote: escapes ? false : '"',
    record_delimiter: "\n",
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    trim: delimiter !== "\t",
    max_record_size: MOST_ROW_BYTES,
  });
  // A failure of the one is thrown by the other; ending early is none.
  const feeding = pipeline(readText(path), parser).catch(() => {});
  let end = 0;
  try {
    for await (const { record, info } of parser as AsyncIterable<{
      record: string[];
      info: { lines: number };
    }>) {
      // csv-parse counts to where a record ends; the line breaks in its fields are before that.
      const isOneLine = info.lines === end + 1;
      const breaks = isOneLine ? 0 : record.join("").split("\n").length - 1;
      end = info.lines;
      const isBlank = record.length === 1 && record[0]?.trim() === "";
      if (!isBlank)
        yield {
          line: info.lines - breaks,
          fields: escapes ? record.map(unescaped) : record,
        };
    }
  } catch (error) {
    throw error instanceof CsvError ? misquoted(path, error, end + 1) : error;
  } finally {
    parser.destroy();
    await feeding;
  }
}

/** In words of our own: those of csv-parse quote the line. */
function misquoted(path: string, error: CsvError, begin: number): Failure {
  const unclosed = ["CSV_QUOTE_NOT_CLOSED", "CSV_MAX_RECORD_SIZE"];
  const { lines, column } = error as { lines?: number; column?: unknown };
  return unclosed.includes(error.code)
    ? badLine(
        path,
        `line ${begin}`,
        undefined,
        "a quote is opened and not closed",
      )
    : badLine(
        path,
        `line ${lines ?? begin}`,
        typeof column === "number" ? String(column + 1) : undefined,
        'a " is where none can be: a field that has one is put into quotes, and each " in it is doubled',
      );
}

/** The header, or the first line of a list. */
export async function firstRecord(
  path: string,
  dialect: Dialect,
): Promise<CsvRecord | undefined> {
  for await (const record of records(path, dialect)) return record;
  return undefined;
}

/** By the first line: the delimiter that it has most often, and whether it knows of quotes. */
export async function findDialect(path: string): Promise<Dialect> {
  let head = "";
  for await (const text of readText(path)) {
    head = (head + text).trimStart();
    if (head.includes("\n") || head.length > MOST_ROW_BYTES) break;
  }
  const [line = ""] = head.split("\n", 1);
  const [delimiter = ","] = delimiters.toSorted(
    (one, other) => line.split(other).length - line.split(one).length,
  );
  return { delimiter, escapes: delimiter === "\t" && !line.includes('"') };
}
