import type { Command } from "commander";
import { z } from "zod";
import {
  confirmOnTerminal,
  type ConfirmOptions,
  yesOnTerminalOption,
} from "../confirm.ts";
import { addDetails, Failure } from "../failure.ts";
import { printable } from "../output.ts";
import { examples } from "../program.ts";
import { formatCount, Progress } from "../progress.ts";
import type { Session } from "./session.ts";

const logout = z.looseObject({ revoked: z.int() });
/** A 503 for a user with more grants than one request can end, or after a fault. */
const partOfLogout = z.looseObject({ error: z.string(), revoked: z.int() });

/** `baton subjects …`: users, with all their grants. */
export function subjectCommands(program: Command, session: Session): void {
  const subjects = program
    .command("subjects")
    .description("manage users, with all their grants");

  subjects
    .command("logout <subject>")
    .description(
      "log a user out everywhere: revoke all grants of the user; asks first on a terminal",
    )
    .option(...yesOnTerminalOption)
    .addHelpText("after", examples("subjects logout alice"))
    .action(async (subject: string, options: ConfirmOptions) => {
      await confirmOnTerminal(
        `This ends all logins of ${printable(subject)}, at every client, on ${await session.serverUrl()} for good.`,
        options,
      );
      const body = await logOut(session, subject);
      session.done(body, ({ revoked }) => logoutMessage(subject, revoked));
    });
}

/** Logs a user out, however many requests that takes. @returns the number of grants that all of them revoked */
async function logOut(
  session: Session,
  subject: string,
): Promise<z.output<typeof logout>> {
  const progress = new Progress();
  let revokedBefore = 0;
  try {
    const body = await session.request({
      method: "DELETE",
      path: ["subjects", subject, "grants"],
      hasGotOn(part) {
        const revoked = partOfLogout.safeParse(part).data?.revoked ?? 0;
        revokedBefore += revoked;
        progress.show(
          () => `Revoked ${formatCount(revokedBefore)} grants so far.`,
        );
        return revoked > 0;
      },
      schema: logout,
    });
    return { ...body, revoked: revokedBefore + body.revoked };
  } catch (error) {
    if (!(error instanceof Failure) || revokedBefore === 0) throw error;
    throw addDetails(
      error,
      `Before that, ${grantsWere(revokedBefore)} revoked, and others may be left.`,
      "To end the rest, run the command again.",
    );
  } finally {
    progress.end();
  }
}

function logoutMessage(subject: string, revoked: number): string {
  const name = printable(subject);
  if (revoked === 0) return `${name} was not logged in anywhere.`;
  return `Logged ${name} out: ${grantsWere(revoked)} revoked.`;
}

function grantsWere(count: number): string {
  return count === 1 ? "1 grant was" : `${formatCount(count)} grants were`;
}
