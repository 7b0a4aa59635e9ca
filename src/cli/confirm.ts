import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { Failure, UsageError } from "./failure.ts";
import { printable } from "./output.ts";

/** The option of every command that asks before it acts. */
export interface ConfirmOptions {
  /** True: the answer is yes, so that a script needs no terminal. */
  yes?: boolean | undefined;
}

/** The flag and the help of `yes`, for commander's `option`. */
export const yesOption = [
  "--yes",
  "do not ask; needed where there is no terminal, such as in a script",
] as const;

/** The same of a command that asks on a terminal only. */
export const yesOnTerminalOption = [
  "--yes",
  "do not ask; without a terminal, such as in a script, it does not ask anyway",
] as const;

/** A terminal, or a stand-in for one in a test. */
interface Terminal {
  input: Readable & { isTTY?: boolean };
  output: Writable;
}

/**
 * Asks on the terminal before a change that loses something. Only `y` and `yes` are a yes. The question goes to
 * standard error, so that it is not a part of the result.
 *
 * @param what the sentences that say what will happen, on which server, and what will be lost
 * @throws UsageError if there is no terminal to ask on and `yes` is not set
 * @throws Failure if the answer is no. Nothing has been changed
 */
export async function confirm(
  what: string,
  { yes = false }: ConfirmOptions,
  { input, output }: Terminal = {
    input: process.stdin,
    output: process.stderr,
  },
): Promise<void> {
  if (yes) return;
  const text = what.split("\n").map(printable).join("\n");
  if (input.isTTY !== true)
    throw new UsageError(
      `${text}\nNothing was changed, because there is no terminal to ask on. If you want this, add --yes.`,
    );
  const answer = await ask(`${text}\nContinue? [y/N] `, { input, output });
  if (!/^y(es)?$/i.test(answer.trim()))
    throw new Failure("Nothing was changed, because the answer was not yes.");
}

/**
 * Asks as `confirm` does if there is a terminal. Without a terminal it goes on without a question, because scripts call
 * these commands in an emergency, without an option for it.
 */
export async function confirmOnTerminal(
  what: string,
  options: ConfirmOptions,
  terminal: Terminal = { input: process.stdin, output: process.stderr },
): Promise<void> {
  if (terminal.input.isTTY === true) await confirm(what, options, terminal);
}

/** Asks a question. The end of the input and Ctrl-C are an empty answer. */
function ask(question: string, { input, output }: Terminal): Promise<string> {
  const terminal = createInterface({ input, output });
  return new Promise((resolve) => {
    terminal.once("SIGINT", () => terminal.close());
    terminal.once("close", () => resolve(""));
    terminal.question(question, (answer) => {
      resolve(answer);
      terminal.close();
    });
  });
}
