import { createInterface, type Interface } from "node:readline/promises";
import { UsageError } from "../failure.ts";

/** A question that an option of the command line can answer. */
interface Question {
  text: string;
  /** The option that answers it, for somebody without a terminal. */
  option: string;
  /** The answer if the line is empty. */
  fallback?: string | undefined;
  /** Returns why an answer cannot be used. */
  problem?: (answer: string) => string | undefined;
}

/** Asks on standard error and reads lines from standard input, so that answers can also come by a pipe. */
export class Questions {
  /** With --yes nothing is asked, and the fallback is the answer. */
  readonly #yes: boolean;
  #lines: AsyncIterator<string> | undefined;
  #interface: Interface | undefined;

  constructor(yes: boolean) {
    this.#yes = yes;
  }

  /** Asks until the answer can be used. @throws UsageError if nobody can answer */
  async ask(question: Question): Promise<string> {
    const { text, fallback, problem = () => undefined } = question;
    if (this.#yes) {
      if (fallback === undefined) throw notAnswered(question);
      return fallback;
    }
    for (;;) {
      const suffix = fallback ? ` [${fallback}]` : "";
      const line = await this.#readLine(`${text}${suffix}: `);
      if (line === undefined) throw notAnswered(question);
      const answer = line.trim() || fallback || "";
      const wrong = problem(answer);
      if (wrong === undefined) return answer;
      process.stderr.write(`  It ${wrong}.\n`);
    }
  }

  /** Asks for yes or no. @param option the option that answers it with yes */
  async confirm(text: string, option = "--yes"): Promise<boolean> {
    const answer = await this.ask({
      text: `${text} (yes/no)`,
      option,
      fallback: "yes",
      problem: (given) =>
        /^(?:y|yes|n|no)$/i.test(given) ? undefined : "must be yes or no",
    });
    return /^y/i.test(answer);
  }

  /** Lets the process end. */
  close(): void {
    this.#interface?.close();
  }

  async #readLine(prompt: string): Promise<string | undefined> {
    process.stderr.write(prompt);
    this.#interface ??= createInterface({ input: process.stdin });
    this.#lines ??= this.#interface[Symbol.asyncIterator]();
    const { value, done } = await this.#lines.next();
    if (!process.stdin.isTTY) process.stderr.write("\n");
    return done ? undefined : value;
  }
}

function notAnswered({ text, option }: Question): UsageError {
  return new UsageError(
    `Setup needs an answer, and there is nobody to ask: ${text}. Give it with ${option}.`,
  );
}
