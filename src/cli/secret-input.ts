import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { Failure } from "./failure.ts";

/** Much longer than any token. */
const MAX_CHARACTERS = 64 * 1024;

/**
 * Reads one secret: from standard input, or, on a terminal, by a question whose answer is not shown. A secret is
 * never an argument, because other users of the machine can read a command line.
 *
 * @returns the secret without the white space around it; may be empty
 * @throws Failure if the input is too long, or if the user has ended it
 */
export async function readSecret(question: string): Promise<string> {
  const text = process.stdin.isTTY
    ? await askHidden(question)
    : await readAll();
  return text.trim();
}

async function readAll(): Promise<string> {
  let text = "";
  for await (const chunk of process.stdin.setEncoding("utf8")) {
    text += String(chunk);
    if (text.length > MAX_CHARACTERS)
      throw new Failure(
        `The input has more than ${MAX_CHARACTERS} characters, so it is not a token. Give one token only.`,
      );
  }
  return text;
}

function askHidden(question: string): Promise<string> {
  process.stderr.write(question);
  const terminal = createInterface({
    input: process.stdin,
    // The library would show what is typed.
    output: new Writable({ write: (_chunk, _encoding, done) => done() }),
    terminal: true,
  });
  return new Promise((resolve, reject) => {
    let answer: string | undefined;
    terminal.once("line", (line) => {
      answer = line;
      terminal.close();
    });
    terminal.once("SIGINT", () => terminal.close());
    terminal.once("close", () => {
      process.stderr.write("\n");
      if (answer === undefined)
        reject(new Failure("Nothing was done, because there was no answer."));
      else resolve(answer);
    });
  });
}
