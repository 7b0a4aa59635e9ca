import type { Command } from "commander";
import { z } from "zod";
import { printable } from "../output.ts";
import { examples } from "../program.ts";
import type { Session } from "./session.ts";

const logout = z.looseObject({ revoked: z.int() });

/** `baton subjects …`: users, with all their grants. */
export function subjectCommands(program: Command, session: Session): void {
  const subjects = program
    .command("subjects")
    .description("manage users, with all their grants");

  subjects
    .command("logout <subject>")
    .description("log a user out everywhere: revoke all grants of the user")
    .addHelpText("after", examples("subjects logout alice"))
    .action(async (subject: string) => {
      const body = await session.request({
        method: "DELETE",
        path: ["subjects", subject, "grants"],
        schema: logout,
      });
      session.print(body, ({ revoked }) => logoutMessage(subject, revoked));
    });
}

function logoutMessage(subject: string, revoked: number): string {
  const name = printable(subject);
  if (revoked === 0) return `${name} was not logged in anywhere.`;
  return `Logged ${name} out: ${revoked} ${revoked === 1 ? "grant was" : "grants were"} revoked.`;
}
