import { Command, CommanderError } from "commander";
import { ApiError, Failure, UsageError } from "./failure.ts";
import { printable, toJson } from "./output.ts";

const FAILED = 1;
/** What shells and their built-ins say of a command line that makes no sense. */
const USAGE = 2;

/** A program, or the root of one, that reports its errors as `run` expects it. */
export function newProgram(npmScript: string): Command {
  return new Command(`npm run ${npmScript} --`)
    .helpOption("-h, --help", "show this help")
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError("Add --help for help.")
    .exitOverride();
}

/** The end of a command's help: command lines of `baton` to start from. */
export function examples(...lines: string[]): string {
  return [
    "",
    "Examples:",
    ...lines.map((line) => `  npm run baton -- ${line}`),
  ].join("\n");
}

/**
 * Runs the program. Leaves its exit code in `process.exitCode`: 0, 1 for a failure, 2 for a command
 * line that makes no sense. Ending by itself, not by `process.exit`, lets a slow pipe be drained.
 */
export async function run(program: Command): Promise<void> {
  goOnWithoutReader();
  try {
    await program.parseAsync();
  } catch (error) {
    process.exitCode = report(error, program.opts()["json"] === true);
  }
}

/** @returns the exit code */
function report(error: unknown, asJson: boolean): number {
  // Commander has said it already, or has shown the help that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
  if (!(error instanceof Failure)) throw error;
  const text =
    error instanceof ApiError && asJson
      ? toJson(error.body)
      : error.message.split("\n").map(printable).join("\n");
  process.stderr.write(`${text}\n`);
  return error instanceof UsageError ? USAGE : FAILED;
}

/**
 * `baton clients list | head -1`: a reader that has seen enough is no error. What was asked for is
 * done all the same, to its end, and the exit code tells how that went.
 */
function goOnWithoutReader(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") return;
    process.stderr.write(`The output cannot be written: ${error.message}\n`);
    process.exitCode = FAILED;
  });
}
