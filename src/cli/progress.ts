/** How often a line is rewritten, and how often another one is written where none can be. */
const REWRITE_MS = 200;
const REPEAT_MS = 10_000;

/** How far something is that takes long, on standard error: the result alone is on standard output. */
export class Progress {
  readonly #rewrites = process.stderr.isTTY;
  #shownAt = Date.now();
  #isShown = false;

  /** @param text made only if it is time to show it */
  show(text: () => string): void {
    const now = Date.now();
    const wait = this.#rewrites ? REWRITE_MS : REPEAT_MS;
    if (now - this.#shownAt < wait) return;
    this.#shownAt = now;
    this.#isShown = true;
    process.stderr.write(
      this.#rewrites ? `\r\u001b[K${text()}` : `${text()}\n`,
    );
  }

  /** Takes the line away that would be rewritten next. */
  end(): void {
    if (this.#isShown && this.#rewrites) process.stderr.write("\r\u001b[K");
  }
}

/** 1234567 as 1,234,567, wherever it is shown. */
export function count(number: number): string {
  return number.toLocaleString("en-US");
}
