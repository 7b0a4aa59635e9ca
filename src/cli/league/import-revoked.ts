import type { Command } from "commander";
import { z } from "zod";
import { ApiError, Failure } from "../failure.ts";
import {
  fateOf,
  type OldTokens,
  openOldTokens,
  revokedBatches,
  type RevokedToken,
} from "./old-tokens.ts";
import { leagueState } from "./status.ts";
import { printable } from "../output.ts";
import { examples } from "../program.ts";
import { count, Progress } from "../progress.ts";
import type { Session } from "../session.ts";

const imported = z.looseObject({
  in_force: z.int(),
  expired: z.int(),
  ended: z.int(),
});

/** How many requests are under way at once. */
const AT_ONCE = 4;

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
    .addHelpText(
      "after",
      `
The columns id, revoked and expires_at are read, in any order. Where there is no column revoked,
every row is taken for a revoked token. An entry ends by itself when its token would have. A time
without a zone is read as UTC-12:00, the latest that it can be, so that no entry ends too early.

Nothing is imported of a file with a bad line. The same file can be imported again, and newer ones
after it: what is there already stays as it is.
${examples(
  "league import-revoked oauth_refresh_tokens.csv",
  "league import-revoked revoked-ids.txt --refresh-token-ttl P1M",
)}`,
    )
    .action(async (path: string, options: { refreshTokenTtl?: string }) => {
      const tokens = await openOldTokens(path);
      // A server that is not there shows before the file is read, which may take minutes.
      await leagueState(session);
      const progress = new Progress();
      const now = Date.now() / 1000;
      const counts = await check(path, tokens, now, progress);
      const { refreshTokenTtl: refresh_token_ttl } = options;
      const ttl = refresh_token_ttl !== undefined && { refresh_token_ttl };
      const batches = revokedBatches(tokens.rows(), now);
      await send(batches, counts, progress, (batch) =>
        session.ask({
          method: "POST",
          path: ["league", "revoked-tokens"],
          body: { tokens: batch, ...ttl },
          answer: imported,
        }),
      );
      session.show(counts, (counts) => summary(path, counts));
    });
}

/** The first reading: everything is looked at before anything is sent. */
async function check(
  path: string,
  tokens: OldTokens,
  now: number,
  progress: Progress,
): Promise<Counts> {
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
  batches: AsyncIterable<RevokedToken[]>,
  counts: Counts,
  progress: Progress,
  post: (batch: RevokedToken[]) => Promise<z.output<typeof imported>>,
): Promise<void> {
  const all = counts.rows - counts.not_revoked - counts.expired;
  let sent = 0;
  // Each takes the next batch when its request is answered; the first to fail ends the reading.
  const sender = async () => {
    for await (const batch of batches) {
      const { in_force, expired, ended } = await post(batch);
      sent += batch.length;
      counts.in_force += in_force;
      counts.expired += expired;
      counts.ended += ended;
      progress.show(
        () => `Sent ${count(sent)} of ${count(all)} revoked tokens`,
      );
    }
  };
  const senders = Array.from({ length: AT_ONCE }, sender);
  const ends = await Promise.allSettled(senders);
  progress.end();
  const failed = ends.find((end) => end.status === "rejected");
  if (failed) throw interrupted(failed.reason, sent, all);
}

function interrupted(error: unknown, sent: number, all: number): unknown {
  if (!(error instanceof Failure)) return error;
  const message = `${error.message}\n${count(sent)} of ${count(all)} revoked tokens were imported before that. Run the same command again: it begins anew, and what is there already stays.`;
  return error instanceof ApiError
    ? new ApiError(message, error.body)
    : new Failure(message);
}

function summary(path: string, counts: Counts): string {
  const { rows, not_revoked, in_force, expired, ended } = counts;
  return [
    `Read ${amount(rows, "row")} of ${printable(path)}.`,
    `${amount(in_force, "revoked token")} ${in_force === 1 ? "is" : "are"} in force now.`,
    expired > 0 && `${count(expired)} had expired and needed no entry.`,
    not_revoked > 0 &&
      `${count(not_revoked)} ${not_revoked === 1 ? "was not revoked and was" : "were not revoked and were"} left out.`,
    ended > 0 &&
      `${amount(ended, "login")} that had moved here already ${ended === 1 ? "was" : "were"} ended.`,
  ]
    .filter((line) => line !== false)
    .join("\n");
}

function amount(number: number, thing: string): string {
  return `${count(number)} ${thing}${number === 1 ? "" : "s"}`;
}
