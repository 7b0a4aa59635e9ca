import type { Command } from "commander";
import { z } from "zod";
import {
  assertMarksRevoked,
  classOf,
  type OldTokens,
  openOldTokens,
  tokensToSend,
} from "./old-tokens.ts";
import { leagueState } from "./status.ts";
import { sendInBatches, type ProgressMessages } from "./token-batches.ts";
import { printable } from "../output.ts";
import { examples } from "../program.ts";
import { formatCount, Progress } from "../progress.ts";
import type { Session } from "../commands/session.ts";

const imported = z.looseObject({
  in_force: z.int(),
  expired: z.int(),
  ended: z.int(),
});

const messages: ProgressMessages = {
  progress: (done) => `Sent ${done} revoked tokens`,
  failed: (done) => `Before that, ${done} revoked tokens were imported.`,
  retryHint:
    "Run the same command again: it starts from the beginning, and existing entries are not changed.",
};

interface Options {
  refreshTokenTtl?: string;
  allRevoked?: true;
  dryRun?: true;
}

interface Counts {
  rows: number;
  not_revoked: number;
  in_force: number;
  expired: number;
  ended: number;
}

/** `baton league import-revoked`: makes this server refuse the tokens that the old server has revoked. */
export function importRevokedCommand(league: Command, session: Session): void {
  league
    .command("import-revoked <file>")
    .description(
      "refuse the refresh tokens that the old server has revoked; the file is a list of their ids, one per line, or a CSV of their table (oauth_refresh_tokens in Passport)",
    )
    .option(
      "--refresh-token-ttl <duration>",
      "longest lifetime of a refresh token at the old server, for rows without expires_at (default: P1Y, as in Passport)",
    )
    .option(
      "--all-revoked",
      "treat every row of a table without a column revoked as a revoked token",
    )
    .option(
      "--dry-run",
      "check the file and count its tokens, without sending anything",
    )
    .addHelpText(
      "after",
      `
The columns id, revoked and expires_at are read, in any order. A file without a column revoked must be a
list of ids only, because otherwise a complete table would log every user out, and this cannot be
undone. If all rows of a table are revoked tokens, add --all-revoked. JSON is not supported.

An entry is deleted when its token would have expired. A time without a time zone is read as UTC-12:00,
the latest possible time, so that no entry is deleted too early.

If a line is wrong, nothing is imported. The same file, or a newer one, can be imported again: existing
entries are not changed.
${examples(
  "league import-revoked oauth_refresh_tokens.csv --dry-run",
  "league import-revoked oauth_refresh_tokens.csv",
  "league import-revoked revoked-ids.txt --refresh-token-ttl P1M",
)}`,
    )
    .action(async (path: string, options: Options) => {
      const tokens = await openOldTokens(path);
      assertMarksRevoked(path, tokens, options.allRevoked === true);
      // Asked first, so that a wrong server is reported before the file is read, which may take minutes.
      const { server, accepts_tokens } = await leagueState(session);
      const now = Date.now() / 1000;
      const counts = await checkTokens(path, tokens, now);
      const dry_run = options.dryRun === true;
      if (!dry_run) await sendTokens(session, tokens, now, counts, options);
      const { rows, not_revoked, expired } = counts;
      const result = dry_run
        ? { rows, not_revoked, expired, would_be_sent: numberToSend(counts) }
        : counts;
      session.print({ server, accepts_tokens, dry_run, ...result }, () =>
        summary({ path, server, accepts_tokens, dry_run }, counts),
      );
    });
}

/** Reads the file for the first time: checks all of it before anything is sent. */
async function checkTokens(
  path: string,
  tokens: OldTokens,
  now: number,
): Promise<Counts> {
  const progress = new Progress();
  const counts = { rows: 0, not_revoked: 0, in_force: 0, expired: 0, ended: 0 };
  try {
    for await (const token of tokens.rows()) {
      counts.rows += 1;
      const tokenClass = classOf(token, now);
      if (tokenClass !== "sent") counts[tokenClass] += 1;
      progress.show(
        () =>
          `Checking ${printable(path)}: ${formatCount(counts.rows)} rows so far`,
      );
    }
  } finally {
    progress.end();
  }
  return counts;
}

/** Reads the file again and sends its revoked tokens. @throws Failure that says how many were sent */
async function sendTokens(
  session: Session,
  tokens: OldTokens,
  now: number,
  counts: Counts,
  { refreshTokenTtl: refresh_token_ttl }: Options,
): Promise<void> {
  const ttl = refresh_token_ttl !== undefined && { refresh_token_ttl };
  await sendInBatches(
    tokensToSend(tokens.rows(), now),
    numberToSend(counts),
    messages,
    async (batch) => {
      const { in_force, expired, ended } = await session.request({
        method: "POST",
        path: ["league", "revoked-tokens"],
        body: { tokens: batch, ...ttl },
        schema: imported,
      });
      counts.in_force += in_force;
      counts.expired += expired;
      counts.ended += ended;
    },
  );
}

interface Run {
  path: string;
  server: string;
  accepts_tokens: boolean;
  dry_run: boolean;
}

function summary(
  { path, server, accepts_tokens, dry_run }: Run,
  counts: Counts,
): string {
  const { rows, not_revoked, in_force, expired, ended } = counts;
  return [
    `Server ${server}: read ${amount(rows, "row")} of ${printable(path)}.`,
    dry_run
      ? `${amount(numberToSend(counts), "revoked token")} would be sent.`
      : `${amount(in_force, "revoked token")} ${in_force === 1 ? "is" : "are"} refused now.`,
    expired > 0 &&
      `${amount(expired, "revoked token")} had already expired and ${expired === 1 ? "needs" : "need"} no entry.`,
    not_revoked > 0 &&
      `${amount(not_revoked, "token")} ${not_revoked === 1 ? "was" : "were"} left out, because ${not_revoked === 1 ? "it is" : "they are"} not revoked.`,
    ended > 0 &&
      `${amount(ended, "grant")} of this server ${ended === 1 ? "was" : "were"} revoked, because ${ended === 1 ? "it" : "they"} came from a revoked token.`,
    !accepts_tokens &&
      "The server does not accept the tokens of the old server yet, because LEAGUE_ENCRYPTION_KEY is not set.",
  ]
    .filter((line) => line !== false)
    .join("\n");
}

/** The number of revoked tokens that have not expired long ago. */
function numberToSend({ rows, not_revoked, expired }: Counts): number {
  return rows - not_revoked - expired;
}

function amount(number: number, thing: string): string {
  return `${formatCount(number)} ${thing}${number === 1 ? "" : "s"}`;
}
