import Table from "cli-table3";
import { plainStyle, printable, say } from "./output.ts";

const GAP = "  ";
const MIN_COLUMN_WIDTH = 4;
const INDENT = "  ";

interface ListTableOptions {
  /** In columns. Left out: that of the terminal. */
  width?: number;
  /**
   * True: if a whole row does not fit, the first column has a line of its own, and the others are below it. For ids
   * that would take nearly the whole line.
   */
  idLine?: boolean;
}

/**
 * A table that is written page by page, while the next page is on its way. Lines fit the terminal: what is too
 * long ends with an ellipsis. The first column is never cut, because people copy ids from it. In a pipe nothing is
 * cut, because `grep` must find it.
 */
export class ListTable {
  readonly #head: string[];
  readonly #width: number;
  readonly #idLine: boolean;
  #widths: number[];
  #rows = 0;

  constructor(
    head: string[],
    { width = terminalWidth(), idLine = false }: ListTableOptions = {},
  ) {
    this.#idLine = idLine;
    this.#head = head.map((name) => name.toUpperCase());
    this.#width = width;
    this.#widths = this.#head.map(({ length }) => length);
  }

  /** The number of rows that were written. */
  get rows(): number {
    return this.#rows;
  }

  /** Writes rows. The first ones come below the names of the columns. */
  write(rows: string[][]): void {
    if (rows.length === 0) return;
    const cells = rows.map((row) => row.map(printable));
    this.#widths = this.#widths.map((width, column) =>
      Math.max(width, ...cells.map((row) => row[column]?.length ?? 0)),
    );
    const shown = this.#rows === 0 ? [this.#head, ...cells] : cells;
    this.#rows += rows.length;
    say(
      this.#idLine && excessOf(this.#widths, this.#width) > 0
        ? this.#inTwoLines(shown)
        : textOf(shown, fitted(this.#widths, this.#width)),
    );
  }

  #inTwoLines(rows: string[][]): string {
    const room = this.#width - INDENT.length;
    const rest = textOf(
      rows.map((row) => row.slice(1)),
      fitted(this.#widths.slice(1), room, MIN_COLUMN_WIDTH),
    ).split("\n");
    return rows
      .map(([id = ""], row) => `${id}\n${INDENT}${rest[row] ?? ""}`.trimEnd())
      .join("\n");
  }
}

function textOf(rows: string[][], colWidths: number[]): string {
  const table = new Table({
    ...plainStyle,
    chars: { ...plainStyle.chars, middle: GAP },
    colWidths,
  });
  table.push(...rows);
  return table.toString().replace(/ +$/gm, "");
}

/** The number of characters by which a row is wider than the room. */
function excessOf(widths: number[], room: number): number {
  const gaps = GAP.length * (widths.length - 1);
  return widths.reduce((sum, width) => sum + width, gaps) - room;
}

/**
 * Narrows the widest column, again and again, until all fit or are as narrow as they may be.
 *
 * @param firstMin the least width of the first column. Left out: it is never cut
 */
function fitted(
  wanted: number[],
  room: number,
  firstMin = wanted[0] ?? 0,
): number[] {
  const widths = [...wanted];
  for (;;) {
    const excess = excessOf(widths, room);
    const spare = widths.map(
      (width, column) => width - (column === 0 ? firstMin : MIN_COLUMN_WIDTH),
    );
    const widest = spare.indexOf(Math.max(...spare));
    if (excess <= 0 || !((spare[widest] ?? 0) > 0)) return widths;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
}

/** The width of the terminal in columns. Without a terminal it is that of COLUMNS. */
function terminalWidth(): number {
  const columns = process.stdout.columns ?? Number(process.env["COLUMNS"]);
  return columns > 0 ? columns : Infinity;
}
