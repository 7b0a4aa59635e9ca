import type { Command } from "commander";
import { DemoClient } from "../demo/client.ts";
import { Reporter } from "../demo/reporter.ts";
import { type Begun, cleanUp, newTryNames, playTry } from "../demo/try.ts";
import { Failure } from "../failure.ts";
import { onShutdown } from "../local/wrangler.ts";
import { isQuiet, say } from "../output.ts";
import { examples } from "../program.ts";
import type { Session } from "./session.ts";

/** `baton try`: a sign-in and a refresh against a server, step by step. */
export function tryCommand(program: Command, session: Session): void {
  program
    .command("try")
    .description(
      "try a server: sign a test user in, refresh, verify, detect a theft; deletes what it has made",
    )
    .addHelpText(
      "after",
      [
        "",
        "It makes a scope, a client and a user with random names, and deletes them at its end, also after a failure.",
        "It needs an admin token with the role admin. The record of the client stays among the deleted ones for 30 days,",
        "and its id stays taken, as that of every deleted client. Exit code 1 if a step fails.",
        examples("try", "--env production try --json"),
      ].join("\n"),
    )
    .action(() => runTry(program, session));
}

async function runTry(program: Command, session: Session): Promise<void> {
  const server = await session.connection();
  const asJson = program.opts<{ json?: boolean }>().json === true;
  const print = asJson || isQuiet() ? () => {} : say;
  const reporter = new Reporter(print);
  const interrupted = new AbortController();
  onShutdown((signal) => {
    interrupted.abort(new Failure(`Interrupted by ${signal}.`));
  });

  const names = newTryNames();
  const begun: Begun = new Set();
  const { signal } = interrupted;
  const failure = await playTry(
    new DemoClient(server, reporter, signal),
    reporter,
    names,
    begun,
  ).then(
    () => undefined,
    (error: unknown) => `${reporter.where} failed: ${messageOf(error)}.`,
  );
  const left = await cleanUp(
    new DemoClient(server, reporter),
    reporter,
    names,
    begun,
  );

  const result = {
    server: server.url,
    passed: failure === undefined && left.length === 0,
    ...(failure !== undefined && { failure }),
    steps: reporter.steps,
    left_behind: left,
  };
  session.done(result, () =>
    result.passed
      ? `\nAll ${reporter.steps.length} steps passed. What the test had made is deleted. The record of its client stays among the deleted ones for 30 days.`
      : "",
  );
  const leftBehind =
    begun.size === 0
      ? "The test had made nothing."
      : left.length === 0
        ? "What the test had made was deleted."
        : `These could not be deleted: ${left.join(", ")}. Delete them with \`clients delete\`, \`scopes delete\` and \`subjects logout\`.`;
  if (!result.passed)
    throw new Failure([failure, leftBehind].filter(Boolean).join(" "));
}

function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\.$/, "");
}
