import { Command, CommanderError } from "commander";
import { ApiError, Failure, UsageError } from "./failure.ts";
import { printable, toJson } from "./output.ts";

const EXIT_FAILURE = 1;
/** Shells and their built-in commands use 2 for a wrong command line. */
const EXIT_USAGE = 2;

/** A new program of commander. It throws its errors, so that `run` can report them. */
export function newProgram(npmScript: string): Command {
  return new Command(`npm run ${npmScript} --`)
    .helpOption("-h, --help", "show this help")
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError("Add --help for help.")
    .exitOverride();
}

/** The last section of a command's help: example command lines of `baton`. */
export function examples(...lines: string[]): string {
  return [
    "",
    "Examples:",
    ...lines.map((line) => `  npm run baton -- ${line}`),
  ].join("\n");
}

/**
 * Runs the program and sets `process.exitCode`: 0 for success, 1 for a failure, 2 for a wrong command
 * line. It does not call `process.exit`, because that would cut off output to a slow pipe.
 */
export async function run(program: Command): Promise<void> {
  ignoreClosedPipe();
  try {
    await program.parseAsync();
  } catch (error) {
    process.exitCode = report(error, program.opts()["json"] === true);
  }
}

/** @returns the exit code */
function report(error: unknown, asJson: boolean): number {
  // Commander has already printed the error, or the help that the user asked for.
  if (error instanceof CommanderError)
    return error.exitCode === 0 ? 0 : EXIT_USAGE;
  if (!(error instanceof Failure)) throw error;
  const text =
    error instanceof ApiError && asJson
      ? toJson(error.body)
      : error.message.split("\n").map(printable).join("\n");
  process.stderr.write(`${text}\n`);
  return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILURE;
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
