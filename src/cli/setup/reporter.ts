import { printable, say } from "../output.ts";

/**
 * Shows what setup does. Each step that changes something is a command that a person could have typed. With --json
 * it goes to standard error, because standard output has the result alone.
 */
export class Reporter {
  readonly #write: (line: string) => void;

  constructor(asJson: boolean) {
    this.#write = asJson ? (line) => process.stderr.write(`${line}\n`) : say;
  }

  /** Begins a step. */
  step(title: string): void {
    this.#write(`\n${title}`);
  }

  /** Shows a command. */
  command(line: string): void {
    this.#write(`  $ ${printable(line)}`);
  }

  /** Says how a step went, or what to know of it. */
  note(text: string): void {
    for (const line of text.split("\n")) this.#write(`  ${printable(line)}`);
  }

  /** Shows text as it stands, such as the output of wrangler. */
  raw(text: string): void {
    if (text.trim() !== "") this.#write(text.replace(/\n+$/, ""));
  }
}
