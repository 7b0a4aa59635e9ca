import type { Command } from "commander";
import { z } from "zod";
import { Failure } from "../failure.ts";
import { type OldToken, type OldTokens, openOldTokens } from "./old-tokens.ts";
import { sendInBatches, type Words } from "./token-batches.ts";
import { printable } from "../output.ts";
import { examples } from "../program.ts";
import { count, Progress } from "../progress.ts";
import type { Session } from "../commands/session.ts";

const state = z.looseObject({
  accepts_tokens: z.boolean(),
  exchanged: z.int(),
  revoked: z.int(),
});

/** What became of some of the old server's tokens. */
const known = z.looseObject({ unknown: z.int() });

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
The file has to have the columns revoked and expires_at. For each token that is neither revoked nor
expired there, the server is asked whether it has seen it. When nothing is outstanding any more, the
old server's tokens need not be accepted any longer.
${examples("league status", "league status oauth_refresh_tokens.csv")}`,
    )
    .action(async (path?: string) => {
      const answer = await leagueState(session);
      if (path !== undefined)
        answer.outstanding = await countOutstanding(session, path);
      session.show(answer, inWords);
    });
}

const words: Words = {
  underWay: (far) => `Asked for ${far} tokens`,
  ended: (far) => `${far} tokens were asked for before that.`,
  again: "Run the same command again.",
};

/** How many tokens of a table could be used at the old server now, and are not known here. */
async function countOutstanding(
  session: Session,
  path: string,
): Promise<number> {
  const tokens = await openOldTokens(path);
  if (!tokens.has("revoked") || !tokens.has("expires_at")) {
    throw new Failure(
      `${path} needs the columns id, revoked and expires_at: without them nothing says which tokens still live.`,
    );
  }
  const now = Date.now() / 1000;
  const living = await countLiving(path, tokens, now);
  let outstanding = 0;
  const ids = livingIds(tokens, now);
  await sendInBatches(ids, living, words, async (refresh_token_ids) => {
    const { unknown } = await session.ask({
      method: "POST",
      path: ["league", "tokens"],
      body: { refresh_token_ids },
      answer: known,
    });
    outstanding += unknown;
  });
  return outstanding;
}

/** The first reading: everything is looked at before anything is sent. */
async function countLiving(path: string, tokens: OldTokens, now: number) {
  const progress = new Progress();
  let rows = 0;
  let living = 0;
  try {
    for await (const token of tokens.rows()) {
      rows += 1;
      if (isLiving(token, now)) living += 1;
      progress.show(
        () => `Reading ${printable(path)}: ${count(rows)} rows so far`,
      );
    }
  } finally {
    progress.end();
  }
  return living;
}

async function* livingIds(tokens: OldTokens, now: number) {
  for await (const token of tokens.rows())
    if (isLiving(token, now)) yield token.id;
}

function isLiving({ revoked, expires_at = Infinity }: OldToken, now: number) {
  return !revoked && now < expires_at;
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
