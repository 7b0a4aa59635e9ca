import type { Command } from "commander";
import { z } from "zod";
import {
  fateOf,
  mustTellRevoked,
  type OldTokens,
  openOldTokens,
  toSend,
} from "./old-tokens.ts";
import { leagueState } from "./status.ts";
import { sendInBatches, type Words } from "./token-batches.ts";
import { printable } from "../output.ts";
import { examples } from "../program.ts";
import { count, Progress } from "../progress.ts";
import type { Session } from "../commands/session.ts";

const imported = z.looseObject({
  in_force: z.int(),
  expired: z.int(),
  ended: z.int(),
});

const words: Words = {
  underWay: (far) => `Sent ${far} revoked tokens`,
  ended: (far) => `${far} revoked tokens were imported before that.`,
  again:
    "Run the same command again: it begins anew, and what is there already stays.",
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

/** `baton league import-revoked`: what the old server has revoked stays dead. */
export function importRevokedCommand(league: Command, session: Session): void {
  league
    .command("import-revoked <file>")
    .description(
      "refuse the refresh tokens that the old server has revoked; the file is a list of their ids, one a line, or a CSV of the table (oauth_refresh_tokens in Passport)",
    )
    .option(
      "--refresh-token-ttl <duration>",
      "the longest lifetime that the old server gave a refresh token, for rows without expires_at (default: P1Y, as Passport's)",
    )
    .option(
      "--all-revoked",
      "every row of a table without a column revoked is a revoked token",
    )
    .option("--dry-run", "check the file and count; nothing is sent")
    .addHelpText(
      "after",
      `
The columns id, revoked and expires_at are read, in any order. A file without a column revoked has to be
a list of ids and nothing else: a whole table taken for revoked would end every login, for good. If all
rows of a table are revoked tokens, say so with --all-revoked. JSON is not read.

An entry ends by itself when its token would have. A time without a zone is read as UTC-12:00, the
latest that it can be, so that no entry ends too early.

Nothing is imported of a file with a bad line. The same file can be imported again, and newer ones
after it: what is there already stays as it is.
${examples(
  "league import-revoked oauth_refresh_tokens.csv --dry-run",
  "league import-revoked oauth_refresh_tokens.csv",
  "league import-revoked revoked-ids.txt --refresh-token-ttl P1M",
)}`,
    )
    .action(async (path: string, options: Options) => {
      const tokens = await openOldTokens(path);
      mustTellRevoked(path, tokens, options.allRevoked === true);
      // A server that is not there shows before the file is read, which may take minutes.
      const { server, accepts_tokens } = await leagueState(session);
      const now = Date.now() / 1000;
      const counts = await check(path, tokens, now);
      const dry_run = options.dryRun === true;
      if (!dry_run) await send(session, tokens, now, counts, options);
      const { rows, not_revoked, expired } = counts;
      const result = dry_run
        ? { rows, not_revoked, expired, would_be_sent: numberToSend(counts) }
        : counts;
      session.show({ server, accepts_tokens, dry_run, ...result }, () =>
        summary({ path, server, accepts_tokens, dry_run }, counts),
      );
    });
}

/** The first reading: everything is looked at before anything is sent. */
async function check(
  path: string,
  tokens: OldTokens,
  now: number,
): Promise<Counts> {
  const progress = new Progress();
  const counts = { rows: 0, not_revoked: 0, in_force: 0, expired: 0, ended: 0 };
  try {
    for await (const token of tokens.rows()) {
      counts.rows += 1;
      const fate = fateOf(token, now);
      if (fate !== "sent") counts[fate] += 1;
      progress.show(
        () => `Checking ${printable(path)}: ${count(counts.rows)} rows so far`,
      );
    }
  } finally {
    progress.end();
  }
  return counts;
}

/** The second reading. @throws Failure that says how far it came */
async function send(
  session: Session,
  tokens: OldTokens,
  now: number,
  counts: Counts,
  { refreshTokenTtl: refresh_token_ttl }: Options,
): Promise<void> {
  const ttl = refresh_token_ttl !== undefined && { refresh_token_ttl };
  await sendInBatches(
    toSend(tokens.rows(), now),
    numberToSend(counts),
    words,
    async (batch) => {
      const { in_force, expired, ended } = await session.ask({
        method: "POST",
        path: ["league", "revoked-tokens"],
        body: { tokens: batch, ...ttl },
        answer: imported,
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
    `At ${server}: read ${amount(rows, "row")} of ${printable(path)}.`,
    dry_run
      ? `${amount(numberToSend(counts), "revoked token")} would be sent.`
      : `${amount(in_force, "revoked token")} ${in_force === 1 ? "is" : "are"} in force now.`,
    expired > 0 && `${count(expired)} had expired and needed no entry.`,
    not_revoked > 0 &&
      `${count(not_revoked)} ${not_revoked === 1 ? "was not revoked and was" : "were not revoked and were"} left out.`,
    ended > 0 &&
      `${amount(ended, "login")} that had moved here already ${ended === 1 ? "was" : "were"} ended.`,
    !accepts_tokens &&
      "The server does not accept the old server's tokens yet: LEAGUE_ENCRYPTION_KEY is not set.",
  ]
    .filter((line) => line !== false)
    .join("\n");
}

function numberToSend({ rows, not_revoked, expired }: Counts): number {
  return rows - not_revoked - expired;
}

function amount(number: number, thing: string): string {
  return `${count(number)} ${thing}${number === 1 ? "" : "s"}`;
}
