import Table from "cli-table3";
import { plainStyle, printable, say } from "./output.ts";

const GAP = "  ";
const MIN_COLUMN_WIDTH = 4;

/**
 * A table that is written page by page, while the next page is on its way. Lines fit the terminal: what is too
 * long ends with an ellipsis. The first column is never cut, because people copy ids from it. In a pipe nothing is
 * cut, because `grep` must find it.
 */
export class ListTable {
  readonly #head: string[];
  readonly #width: number;
  #widths: number[];
  #rows = 0;

  constructor(head: string[], width = terminalWidth()) {
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
    const table = new Table({
      ...plainStyle,
      chars: { ...plainStyle.chars, middle: GAP },
      colWidths: this.#fitted(),
    });
    table.push(...shown);
    say(table.toString().replace(/ +$/gm, ""));
  }

  /** Narrows the widest column, again and again, until all fit or are as narrow as they may be. */
  #fitted(): number[] {
    const widths = [...this.#widths];
    const room = this.#width - GAP.length * (widths.length - 1);
    for (;;) {
      const excess = widths.reduce((sum, width) => sum + width, 0) - room;
      const spare = widths.map((width, column) =>
        column === 0 ? 0 : width - MIN_COLUMN_WIDTH,
      );
      const widest = spare.indexOf(Math.max(...spare));
      if (excess <= 0 || !((spare[widest] ?? 0) > 0)) return widths;
      widths[widest] = (widths[widest] ?? 0) - 1;
    }
  }
}

/** The width of the terminal in columns. COLUMNS says it where there is none. */
function terminalWidth(): number {
  const columns = process.stdout.columns ?? Number(process.env["COLUMNS"]);
  return columns > 0 ? columns : Infinity;
}
