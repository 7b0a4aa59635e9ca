import { isQuiet } from "./output.ts";

/** Interval of updates on a terminal, where the line is rewritten in place. */
const TERMINAL_INTERVAL_MS = 200;
/** Interval of lines elsewhere, such as in a log file. */
const LINE_INTERVAL_MS = 10_000;

/** Shows the progress of a long command on standard error, because standard output has the result only. */
export class Progress {
  readonly #isTerminal = process.stderr.isTTY;
  #shownAt = Date.now();
  #isShown = false;

  /** @param text is called only when it is time for an update */
  show(text: () => string): void {
    const now = Date.now();
    const interval = this.#isTerminal ? TERMINAL_INTERVAL_MS : LINE_INTERVAL_MS;
    if (isQuiet() || now - this.#shownAt < interval) return;
    this.#shownAt = now;
    this.#isShown = true;
    process.stderr.write(
      this.#isTerminal ? `\r\u001b[K${text()}` : `${text()}\n`,
    );
  }

  /** Clears the progress line of a terminal. */
  end(): void {
    if (this.#isShown && this.#isTerminal) process.stderr.write("\r\u001b[K");
  }
}

/** Formats 1234567 as 1,234,567, in every locale. */
export function formatCount(number: number): string {
  return number.toLocaleString("en-US");
}
