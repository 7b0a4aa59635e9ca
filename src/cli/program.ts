import { styleText } from "node:util";
import { Command, CommanderError } from "commander";
import { ApiError, Failure, UsageError } from "./failure.ts";
import { printable, styled, toJson } from "./output.ts";

const EXIT_FAILURE = 1;
/** Shells and their built-in commands use 2 for a wrong command line. */
const EXIT_USAGE = 2;

/** What people have typed to start a script: its command (`bin/`), or `npm run`. Help and examples repeat it. */
function invocation(script: string): string {
  const [, file = ""] = process.argv;
  const isTyped =
    /\bbaton(?:\.js)?$/.test(file) &&
    process.env["npm_lifecycle_event"] !== script;
  return isTyped ? script : `npm run ${script} --`;
}

/** A new program of commander. It throws its errors, so that `run` can report them. */
export function newProgram(script: string): Command {
  return new Command(invocation(script))
    .helpOption("-h, --help", "show this help")
    .configureHelp({
      showGlobalOptions: true,
      // Commander removes the colour where there is no terminal.
      styleTitle: (title) =>
        styleText("bold", title, { validateStream: false }),
    })
    .showHelpAfterError("Add --help for help.")
    .exitOverride();
}

/** The last section of a command's help: example command lines of `baton`. */
export function examples(...lines: string[]): string {
  return [
    "",
    "Examples:",
    ...lines.map((line) => `  ${invocation("baton")} ${line}`),
  ].join("\n");
}

/**
 * Runs the program and sets `process.exitCode`: 0 for success, 1 for a failure, 2 for a wrong command
 * line. It does not call `process.exit`, because that would cut off output to a slow pipe.
 */
export async function run(program: Command): Promise<void> {
  ignoreClosedPipe();
  process.on("uncaughtException", (error) => {
    process.exit(report(error, false));
  });
  try {
    await program.parseAsync();
  } catch (error) {
    process.exitCode = report(error, program.opts()["json"] === true);
  }
}

/**
 * Goes back to the folder in which the user has typed `npm run`, because npm runs a script in the project's folder.
 * So a path in an argument means the file that the user means.
 */
export function standWhereNpmWasRun(): void {
  const { npm_lifecycle_event, INIT_CWD } = process.env;
  if (npm_lifecycle_event === "baton" && INIT_CWD) process.chdir(INIT_CWD);
}

/** @returns the exit code */
function report(error: unknown, asJson: boolean): number {
  // Commander has already printed the error, or the help that the user asked for.
  if (error instanceof CommanderError)
    return error.exitCode === 0 ? 0 : EXIT_USAGE;
  if (process.env["BATON_DEBUG"]) process.stderr.write(stacks(error));
  const text =
    error instanceof ApiError && asJson
      ? toJson(error.body)
      : styled("red", messageOf(error), process.stderr);
  process.stderr.write(`${text}\n`);
  return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILURE;
}

function messageOf(error: unknown): string {
  if (error instanceof Failure)
    return error.message.split("\n").map(printable).join("\n");
  const message = error instanceof Error ? error.message : String(error);
  return `The command has failed by a fault of its own: ${printable(message)}. Set the environment variable BATON_DEBUG to 1 and repeat the command, to see where.`;
}

/** The stack of an error and of its causes. Other properties are left out, because they could be secret. */
function stacks(error: unknown): string {
  if (!(error instanceof Error)) return "";
  return `${error.stack}\n${stacks(error.cause)}`;
}

/**
 * In `baton clients list | head -1`, `head` closes the pipe early. That is not an error: the command
 * still runs to its end, and the exit code is that of the command.
 */
function ignoreClosedPipe(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") return;
    process.stderr.write(`Cannot write to standard output: ${error.message}\n`);
    process.exitCode = EXIT_FAILURE;
  });
}
