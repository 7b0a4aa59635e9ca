import type { Command } from "commander";
import { Failure } from "../failure.ts";
import { printable } from "../output.ts";
import { examples } from "../program.ts";
import type { Health } from "./admin-client.ts";
import type { Session } from "./session.ts";

/** `baton health`: whether the server can work, and what is wrong. */
export function healthCommand(program: Command, session: Session): void {
  program
    .command("health")
    .description(
      "show whether the server can work, and name what is wrong; exit code 1 if it cannot",
    )
    .addHelpText("after", examples("health"))
    .action(async () => {
      const health = await session.health();
      session.print(health, healthText);
      if (health.status === "failing")
        throw new Failure(
          "The server cannot work until what is wrong is corrected.",
        );
    });
}

function healthText({ status, problems }: Health): string {
  if (status === "ok") return "ok";
  if (!problems)
    return `${status}\nThe server names what is wrong only to an administrator, and the token that was sent is none of theirs or has the role login. The server's log names it, too.`;
  return [status, ...problemLines(problems)].join("\n");
}

/** One line for each problem. */
export function problemLines(
  problems: NonNullable<Health["problems"]>,
): string[] {
  return problems.map(({ name, problem }) => printable(`  ${name} ${problem}`));
}
