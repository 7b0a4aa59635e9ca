import { z } from "zod";
import { flag, time } from "../tables/cells.ts";
import { badLine } from "../tables/csv-records.ts";
import { Failure } from "../failure.ts";
import { openTable, readRow, type Row } from "../tables/table-file.ts";

/** The refresh tokens of a league/oauth2-server: a list of ids, or its table. */

const columns = {
  id: ["refresh_token_id", "identifier", "id"],
  revoked: ["is_revoked", "revoked"],
  expires_at: ["expiry_date_time", "expires_at"],
};
type Column = keyof typeof columns;

const row = z.object({
  id: z
    .string("has no id")
    .trim()
    .max(
      255,
      "is longer than 255 characters: a token's id is wanted, not the token that has it in it",
    )
    .regex(/^[\x21-\x7e]+$/, "has to be of printable ASCII without spaces"),
  revoked: flag.optional(),
  expires_at: time.optional(),
});

/** A refresh token of the old server. */
export interface OldToken {
  id: string;
  /** Left out: the table does not say. */
  revoked?: boolean | undefined;
  /** Seconds since 1970. */
  expires_at?: number | undefined;
}

export interface OldTokens {
  has(column: "revoked" | "expires_at"): boolean;
  /** From the beginning each time. @throws Failure with line and column */
  rows(): AsyncGenerator<OldToken>;
}

/** @throws Failure if the file is none of the old server's refresh tokens */
export async function openOldTokens(path: string): Promise<OldTokens> {
  const table = await openTable<Column>(path, columns, {
    required: "id",
    list: "id",
  });
  const header = table.header.map((name) => name.toLowerCase());
  const isOfAccessTokens =
    header.includes("scopes") &&
    header.includes("user_id") &&
    !header.includes("access_token_id");
  if (isOfAccessTokens) {
    throw new Failure(
      `${path} seems to be the table of the access tokens. The refresh tokens are in oauth_refresh_tokens.`,
    );
  }
  // Else every token would be taken for a revoked one, and every user be logged out.
  const unread = header.find((name) => name.includes("revoke"));
  if (table.names.revoked === undefined && unread !== undefined) {
    throw new Failure(
      `${path} has a column ${unread}, which is not read. Export it as a column called revoked, with 1 for what is revoked and 0 for what is not.`,
    );
  }
  return {
    has: (column) => table.names[column] !== undefined,
    async *rows() {
      for await (const each of table.rows()) yield oldToken(path, each);
    },
  };
}

function oldToken(path: string, each: Row<Column>): OldToken {
  const token = readRow(path, each, row);
  const { revoked } = each.names;
  if (revoked !== undefined && token.revoked === undefined)
    throw badLine(path, each.place, revoked, "is empty");
  return token;
}

/** What the server takes in one request: 16 KiB, and as many writes as a Worker may well make. */
const MOST_TOKENS = 100;
const MOST_BYTES = 15_000;
/** Of a request without tokens, and with the longest lifetime there is. */
const ENVELOPE_BYTES = 200;

export interface RevokedToken {
  refresh_token_id: string;
  expires_at?: number;
}

/** What is to be done about a token of the old server. */
export type Fate = "not_revoked" | "expired" | "sent";

/** What has expired for so long was not exchanged and revoked on the day of the move. */
const LONG_SECONDS = 31 * 24 * 60 * 60;

/**
 * Most of a table that was never purged has expired, and the server would only count it: what has for
 * a month is not sent. The rest is: a token that has expired may have become a login here before.
 *
 * @param now seconds since 1970
 */
export function fateOf(
  { revoked = true, expires_at = Infinity }: OldToken,
  now: number,
): Fate {
  if (!revoked) return "not_revoked";
  return expires_at < now - LONG_SECONDS ? "expired" : "sent";
}

/** The tokens to send, as many at a time as a request can carry. */
export async function* revokedBatches(
  tokens: AsyncIterable<OldToken>,
  now: number,
): AsyncGenerator<RevokedToken[]> {
  let batch: RevokedToken[] = [];
  let bytes = ENVELOPE_BYTES;
  for await (const old of tokens) {
    if (fateOf(old, now) !== "sent") continue;
    const { id, expires_at } = old;
    const token = {
      refresh_token_id: id,
      ...(expires_at !== undefined && { expires_at }),
    };
    // All of it is ASCII; one more for the comma.
    const size = JSON.stringify(token).length + 1;
    if (batch.length === MOST_TOKENS || bytes + size > MOST_BYTES) {
      yield batch;
      batch = [];
      bytes = ENVELOPE_BYTES;
    }
    batch.push(token);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
