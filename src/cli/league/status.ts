import type { Command } from "commander";
import { z } from "zod";
import { Failure } from "../failure.ts";
import { openOldTokens } from "./old-tokens.ts";
import { printable } from "../output.ts";
import { examples } from "../program.ts";
import { count, Progress } from "../progress.ts";
import type { Session } from "../session.ts";

const state = z.looseObject({
  accepts_tokens: z.boolean(),
  exchanged: z.int(),
  revoked: z.int(),
});

interface State extends z.output<typeof state> {
  /** The URL of the server that was asked. */
  server: string;
  outstanding?: number;
}

/** How far the move is. @throws Failure */
export async function leagueState(session: Session): Promise<State> {
  const server = await session.server();
  const found = await session.ask({
    method: "GET",
    path: ["league"],
    answer: state,
  });
  return { server, ...found };
}

/** `baton league status`: how far the move is. */
export function leagueStatusCommand(league: Command, session: Session): void {
  league
    .command("status [file]")
    .description(
      "how many refresh tokens of the old server have moved here; with a CSV of oauth_refresh_tokens also how many have not yet",
    )
    .addHelpText(
      "after",
      `
The file has to have the columns revoked and expires_at. When nothing is outstanding any more, the
old server's tokens need not be accepted any longer.
${examples("league status", "league status oauth_refresh_tokens.csv")}`,
    )
    .action(async (path?: string) => {
      const now = await leagueState(session);
      const living = path === undefined ? undefined : await countLiving(path);
      const answer: State = {
        ...now,
        ...(living !== undefined && {
          outstanding: Math.max(0, living - now.exchanged),
        }),
      };
      session.show(answer, inWords);
    });
}

/** How many tokens of a table could be used at the old server now. */
async function countLiving(path: string): Promise<number> {
  const tokens = await openOldTokens(path);
  if (!tokens.has("revoked") || !tokens.has("expires_at")) {
    throw new Failure(
      `${path} needs the columns id, revoked and expires_at: without them nothing says which tokens still live.`,
    );
  }
  const now = Date.now() / 1000;
  const progress = new Progress();
  let rows = 0;
  let living = 0;
  try {
    for await (const { revoked, expires_at = Infinity } of tokens.rows()) {
      rows += 1;
      if (!revoked && now < expires_at) living += 1;
      progress.show(
        () => `Reading ${printable(path)}: ${count(rows)} rows so far`,
      );
    }
  } finally {
    progress.end();
  }
  return living;
}

function inWords({
  server,
  accepts_tokens,
  exchanged,
  revoked,
  outstanding,
}: State) {
  const lines = [
    `At ${server}: refresh tokens of the old server are ${accepts_tokens ? "" : "not "}accepted.`,
    `Exchanged for one of this server: ${count(exchanged)}.`,
    `Revoked by the old server, and refused here: ${count(revoked)}.`,
  ];
  if (outstanding !== undefined)
    lines.push(`Not exchanged yet: ${count(outstanding)}.`);
  return lines.join("\n");
}
