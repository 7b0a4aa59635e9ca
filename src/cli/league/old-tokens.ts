import { z } from "zod";
import { flag, time } from "../tables/cells.ts";
import { badLine } from "../tables/csv-records.ts";
import { Failure } from "../failure.ts";
import { isJson } from "../tables/json-file.ts";
import { checkFile } from "../tables/text-file.ts";
import { openTable, readRow, type Row } from "../tables/table-file.ts";

/** Reads refresh tokens of the old server: a list of ids, or its table. */

const columns = {
  id: ["refresh_token_id", "identifier", "id"],
  revoked: ["is_revoked", "revoked"],
  expires_at: ["expiry_date_time", "expires_at"],
};
type Column = keyof typeof columns;

const row = z.object({
  id: z
    .string("is empty")
    .trim()
    .max(
      255,
      "is longer than 255 characters: export the id of the token, not the token itself",
    )
    .regex(/^[\x21-\x7e]+$/, "must be printable ASCII without spaces")
    // Refused, because no token has such an id: the token that is meant would stay valid.
    .regex(
      /^[^"'`|;,]+$/,
      "contains a quote or a delimiter, so it is not only an id",
    ),
  revoked: flag.optional(),
  expires_at: time.optional(),
});

/** A refresh token of the old server. */
export interface OldToken {
  id: string;
  /** Left out if the table has no such column. */
  revoked?: boolean | undefined;
  /** Seconds since 1970. */
  expires_at?: number | undefined;
}

export interface OldTokens {
  /** The names of the columns in lower case; empty for a list. */
  header: string[];
  has(column: "revoked" | "expires_at"): boolean;
  /** Reads the tokens, from the beginning at each call. @throws Failure that names the line and the column */
  rows(): AsyncGenerator<OldToken>;
}

/** Opens the file and reads its header. @throws Failure if it does not have refresh tokens of the old server */
export async function openOldTokens(path: string): Promise<OldTokens> {
  await checkFile(path);
  if (await isJson(path)) {
    throw new Failure(
      `${path} is JSON, which is not supported here. Export the tokens as CSV, or as a list of ids, one per line.`,
    );
  }
  const table = await openTable<Column>(path, columns, {
    required: "id",
    list: "id",
  });
  const header = table.header.map((name) => name.toLowerCase());
  const isAccessTokenTable =
    header.includes("scopes") &&
    header.includes("user_id") &&
    !header.includes("access_token_id");
  if (isAccessTokenTable) {
    throw new Failure(
      `${path} seems to be the table of the access tokens. Export the table of the refresh tokens, oauth_refresh_tokens.`,
    );
  }
  return {
    header,
    has: (column) => table.names[column] !== undefined,
    async *rows() {
      for await (const each of table.rows()) yield oldToken(path, each);
    },
  };
}

/**
 * Checks that the file says which tokens are revoked. Otherwise all tokens would be revoked, which would
 * log every user out. A file that has only ids counts as a list of revoked tokens.
 *
 * @param all the option --all-revoked: every row is a revoked token
 * @throws Failure with what to do
 */
export function assertMarksRevoked(
  path: string,
  { header, has }: Pick<OldTokens, "header" | "has">,
  all: boolean,
): void {
  if (all && has("revoked")) {
    throw new Failure(
      `${path} has a column revoked, which says for each row whether the token is revoked. Leave out --all-revoked.`,
    );
  }
  if (all || has("revoked") || header.length <= 1) return;
  const similar = header.find((name) => name.includes("revoke"));
  throw new Failure(
    similar === undefined
      ? `${path} has no column revoked, so it does not say which tokens are revoked. Export the table with that column. Add --all-revoked only if every row is a revoked token.`
      : `${path} has no column revoked, and its column ${similar} is not read. Export that column under the name revoked, with 1 for a revoked token and 0 for any other. Add --all-revoked only if every row is a revoked token.`,
  );
}

function oldToken(path: string, each: Row<Column>): OldToken {
  const token = readRow(path, each, row);
  const { revoked } = each.names;
  if (revoked !== undefined && token.revoked === undefined)
    throw badLine(path, each.place, revoked, "is empty");
  return token;
}

export interface RevokedToken {
  refresh_token_id: string;
  expires_at?: number;
}

/** The classes of tokens: those that are sent to the server, and the reasons for not sending the others. */
export type TokenClass = "not_revoked" | "expired" | "sent";

/** A token that expired longer ago than this was not exchanged here on the day of the move. */
const MAX_EXPIRED_SECONDS = 31 * 24 * 60 * 60;

/**
 * Classifies a token. A token that expired more than a month ago is not sent, because the server would
 * only count it and most tokens of a table that was never purged are such tokens. A token that expired
 * more recently is sent, because it may have been exchanged for a token of this server before it expired.
 *
 * @param now seconds since 1970
 */
export function classOf(
  { revoked = true, expires_at = Infinity }: OldToken,
  now: number,
): TokenClass {
  if (!revoked) return "not_revoked";
  return expires_at < now - MAX_EXPIRED_SECONDS ? "expired" : "sent";
}

/** The tokens to send to the server. */
export async function* tokensToSend(
  tokens: AsyncIterable<OldToken>,
  now: number,
): AsyncGenerator<RevokedToken> {
  for await (const old of tokens) {
    if (classOf(old, now) !== "sent") continue;
    const { id, expires_at } = old;
    yield {
      refresh_token_id: id,
      ...(expires_at !== undefined && { expires_at }),
    };
  }
}
