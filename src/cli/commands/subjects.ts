import type { Command } from "commander";
import { z } from "zod";
import { printable } from "../output.ts";
import { examples } from "../program.ts";
import type { Session } from "./session.ts";

const logout = z.looseObject({ revoked: z.int() });

/** `baton subjects …`: users, wherever they are logged in. */
export function subjectCommands(program: Command, session: Session): void {
  const subjects = program
    .command("subjects")
    .description("users, wherever they are logged in");

  subjects
    .command("logout <subject>")
    .description("log a user out everywhere: all of their refresh tokens end")
    .addHelpText("after", examples("subjects logout alice"))
    .action(async (subject: string) => {
      const answer = await session.ask({
        method: "DELETE",
        path: ["subjects", subject, "grants"],
        answer: logout,
      });
      session.show(answer, ({ revoked }) => ended(subject, revoked));
    });
}

function ended(subject: string, logins: number): string {
  const name = printable(subject);
  if (logins === 0) return `${name} was not logged in anywhere.`;
  return `Logged ${name} out: ${logins} ${logins === 1 ? "login has" : "logins have"} ended.`;
}
