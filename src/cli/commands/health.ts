import type { Command } from "commander";
import { Failure } from "../failure.ts";
import { examples } from "../program.ts";
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
      const why =
        health.status === "ok" || session.isJson
          ? []
          : await session.whyFailing(health);
      session.print(health, ({ status }) => [status, ...why].join("\n"));
      if (health.status === "failing")
        throw new Failure(
          "The server cannot work until what is wrong is corrected.",
        );
    });
}
