import type { Command } from "commander";
import { z } from "zod";
import { Failure } from "../failure.ts";
import { type OldToken, type OldTokens, openOldTokens } from "./old-tokens.ts";
import { type ProgressMessages, sendInBatches } from "./token-batches.ts";
import { printable } from "../output.ts";
import { examples } from "../program.ts";
import { formatCount, Progress } from "../progress.ts";
import type { Session } from "../commands/session.ts";

const state = z.looseObject({
  accepts_tokens: z.boolean(),
  exchanged: z.int(),
  revoked: z.int(),
});

/** The state of tokens of the old server. */
const tokenStates = z.looseObject({ unknown: z.int() });

interface State extends z.output<typeof state> {
  /** The URL of the server. */
  server: string;
  outstanding?: number;
}

/** Requests the progress of the move from the server. @throws Failure */
export async function leagueState(session: Session): Promise<State> {
  const server = await session.serverUrl();
  const found = await session.request({
    method: "GET",
    path: ["league"],
    schema: state,
  });
  return { server, ...found };
}

/** `baton league status`: shows the progress of the move. */
export function leagueStatusCommand(league: Command, session: Session): void {
  league
    .command("status [file]")
    .description(
      "show how many refresh tokens of the old server were exchanged here; with a CSV of oauth_refresh_tokens, also how many were not yet",
    )
    .addHelpText(
      "after",
      `
The file must have the columns id, revoked and expires_at. For each token that is neither revoked nor
expired in the file, the command asks the server whether it was exchanged or revoked there. When no such
token is left, the server no longer needs to accept the tokens of the old server.
${examples("league status", "league status oauth_refresh_tokens.csv")}`,
    )
    .action(async (path?: string) => {
      const result = await leagueState(session);
      if (path !== undefined)
        result.outstanding = await countOutstanding(session, path);
      session.print(result, formatState);
    });
}

const messages: ProgressMessages = {
  progress: (done) => `Checked ${done} tokens`,
  failed: (done) => `Before that, ${done} tokens were checked.`,
  retryHint: "Run the same command again.",
};

/** Counts the tokens of a table that are active at the old server and unknown to this server. */
async function countOutstanding(
  session: Session,
  path: string,
): Promise<number> {
  const tokens = await openOldTokens(path);
  if (!tokens.has("revoked") || !tokens.has("expires_at")) {
    throw new Failure(
      `${path} must have the columns id, revoked and expires_at, because they say which tokens are still active. Export the table with these columns.`,
    );
  }
  const now = Date.now() / 1000;
  const active = await countActive(path, tokens, now);
  let outstanding = 0;
  const ids = activeIds(tokens, now);
  await sendInBatches(ids, active, messages, async (refresh_token_ids) => {
    const { unknown } = await session.request({
      method: "POST",
      path: ["league", "tokens"],
      body: { refresh_token_ids },
      schema: tokenStates,
    });
    outstanding += unknown;
  });
  return outstanding;
}

/** Reads the file for the first time: checks all of it before anything is sent. */
async function countActive(path: string, tokens: OldTokens, now: number) {
  const progress = new Progress();
  let rows = 0;
  let active = 0;
  try {
    for await (const token of tokens.rows()) {
      rows += 1;
      if (isActive(token, now)) active += 1;
      progress.show(
        () => `Reading ${printable(path)}: ${formatCount(rows)} rows so far`,
      );
    }
  } finally {
    progress.end();
  }
  return active;
}

async function* activeIds(tokens: OldTokens, now: number) {
  for await (const token of tokens.rows())
    if (isActive(token, now)) yield token.id;
}

function isActive({ revoked, expires_at = Infinity }: OldToken, now: number) {
  return !revoked && now < expires_at;
}

function formatState({
  server,
  accepts_tokens,
  exchanged,
  revoked,
  outstanding,
}: State) {
  const lines = [
    `Server ${server} ${accepts_tokens ? "accepts" : "does not accept"} refresh tokens of the old server.`,
    `Exchanged for tokens of this server: ${formatCount(exchanged)}.`,
    `Revoked at the old server and refused here: ${formatCount(revoked)}.`,
  ];
  if (outstanding !== undefined)
    lines.push(`Not exchanged yet: ${formatCount(outstanding)}.`);
  return lines.join("\n");
}
