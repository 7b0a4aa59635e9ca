import { pipeline } from "node:stream/promises";
import { CsvError, parse } from "csv-parse";
import { Failure } from "../failure.ts";
import { readText } from "./text-file.ts";

/** Reads the records of a CSV or TSV file, each with its line number. */

/** The delimiters that are supported. The first line shows which one a file uses. */
const delimiters = [",", ";", "\t"];

/** Rows of these tables are much smaller. A larger one means that a quote is not closed. */
const MAX_ROW_BYTES = 1024 * 1024;

/** The error for a wrong line. It does not quote the line, which may contain a secret. */
export function badLine(
  path: string,
  place: string,
  column: string | undefined,
  problem: string,
): Failure {
  const where = column === undefined ? place : `${place}, column ${column}`;
  return new Failure(
    `${path}: ${where}: ${problem}. Nothing was imported. Correct the file and run the command again.`,
  );
}

/** The way in which a file writes its fields. */
export interface Dialect {
  delimiter: string;
  /** True for TSV as MySQL and PostgreSQL write it: without quotes, and with backslash escapes. */
  escapes: boolean;
}

const escapes: Record<string, string> = {
  "\\t": "\t",
  "\\n": "\n",
  "\\r": "\r",
  "\\\\": "\\",
};

function unescape(field: string): string {
  return field.includes("\\")
    ? field.replace(/\\[tnr\\]/g, (escape) => escapes[escape] ?? escape)
    : field;
}

export interface CsvRecord {
  /** The line on which the record begins; the first line is 1. */
  line: number;
  fields: string[];
}

/** Reads the records of a file, without blank lines. @throws Failure at a line that is not valid CSV */
export async function* readRecords(
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
    max_record_size: MAX_ROW_BYTES,
  });
  // Errors of the file reach the loop below through the parser. Ending the loop early is not an error.
  const reading = pipeline(readText(path), parser).catch(() => {});
  let end = 0;
  try {
    for await (const { record, info } of parser as AsyncIterable<{
      record: string[];
      info: { lines: number };
    }>) {
      // csv-parse gives the line on which a record ends. Line breaks inside fields come before that line.
      const isOneLine = info.lines === end + 1;
      const lineBreaks = isOneLine ? 0 : record.join("").split("\n").length - 1;
      end = info.lines;
      const isBlank = record.length === 1 && record[0]?.trim() === "";
      if (!isBlank)
        yield {
          line: info.lines - lineBreaks,
          fields: escapes ? record.map(unescape) : record,
        };
    }
  } catch (error) {
    throw error instanceof CsvError ? misquoted(path, error, end + 1) : error;
  } finally {
    parser.destroy();
    await reading;
  }
}

/** Replaces the message of csv-parse, because it quotes the line. */
function misquoted(path: string, error: CsvError, firstLine: number): Failure {
  const unclosed = ["CSV_QUOTE_NOT_CLOSED", "CSV_MAX_RECORD_SIZE"];
  const { lines, column } = error as { lines?: number; column?: unknown };
  return unclosed.includes(error.code)
    ? badLine(
        path,
        `line ${firstLine}`,
        undefined,
        "a quote is opened but not closed",
      )
    : badLine(
        path,
        `line ${lines ?? firstLine}`,
        typeof column === "number" ? String(column + 1) : undefined,
        'a " is in a wrong place. Put a field that contains " into quotes, and double each " in it',
      );
}

/** The header of a table, or the first line of a list. */
export async function firstRecord(
  path: string,
  dialect: Dialect,
): Promise<CsvRecord | undefined> {
  for await (const record of readRecords(path, dialect)) return record;
  return undefined;
}

/** Detects the dialect from the first line: its most frequent delimiter, and whether it has quotes. */
export async function detectDialect(path: string): Promise<Dialect> {
  let head = "";
  for await (const text of readText(path)) {
    head = (head + text).trimStart();
    if (head.includes("\n") || head.length > MAX_ROW_BYTES) break;
  }
  const [line = ""] = head.split("\n", 1);
  const [delimiter = ","] = delimiters.toSorted(
    (one, other) => line.split(other).length - line.split(one).length,
  );
  return { delimiter, escapes: delimiter === "\t" && !line.includes('"') };
}
