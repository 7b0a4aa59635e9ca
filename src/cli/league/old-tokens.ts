import { z } from "zod";
import { flag, time } from "../tables/cells.ts";
import { badLine } from "../tables/csv-records.ts";
import { Failure } from "../failure.ts";
import { isJson } from "../tables/json-file.ts";
import { checkFile } from "../tables/text-file.ts";
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
    .regex(/^[\x21-\x7e]+$/, "has to be of printable ASCII without spaces")
    // It would be an entry for a token that there is not, and the right one would stay good.
    .regex(/^[^"'`|;,]+$/, "has a quote or a delimiter in it, not an id alone"),
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
  /** The names of its columns in small letters; none in a list. */
  header: string[];
  has(column: "revoked" | "expires_at"): boolean;
  /** From the beginning each time. @throws Failure with line and column */
  rows(): AsyncGenerator<OldToken>;
}

/** @throws Failure if the file is none of the old server's refresh tokens */
export async function openOldTokens(path: string): Promise<OldTokens> {
  await checkFile(path);
  if (await isJson(path)) {
    throw new Failure(
      `${path} is JSON. Export the tokens as CSV, or as a list of ids, one a line.`,
    );
  }
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
  return {
    header,
    has: (column) => table.names[column] !== undefined,
    async *rows() {
      for await (const each of table.rows()) yield oldToken(path, each);
    },
  };
}

/**
 * Makes sure that the file says which tokens are revoked: else every one would be taken for revoked,
 * and every user be logged out. A list of ids and nothing else says it by being one.
 *
 * @param all the user says that every row is a revoked token
 * @throws Failure with what to do
 */
export function mustTellRevoked(
  path: string,
  { header, has }: Pick<OldTokens, "header" | "has">,
  all: boolean,
): void {
  if (all && has("revoked")) {
    throw new Failure(
      `${path} has a column revoked, which says it row by row. Leave --all-revoked out.`,
    );
  }
  if (all || has("revoked") || header.length <= 1) return;
  const unread = header.find((name) => name.includes("revoke"));
  throw new Failure(
    unread === undefined
      ? `${path} has no column revoked, so that nothing says which of its tokens are revoked. Export the table with that column. Only if every row is a revoked token, add --all-revoked.`
      : `${path} has no column revoked, and its column ${unread} is not read. Export it as a column called revoked, with 1 for what is revoked and 0 for what is not. Only if every row is a revoked token, add --all-revoked.`,
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

/** The tokens to send. */
export async function* toSend(
  tokens: AsyncIterable<OldToken>,
  now: number,
): AsyncGenerator<RevokedToken> {
  for await (const old of tokens) {
    if (fateOf(old, now) !== "sent") continue;
    const { id, expires_at } = old;
    yield {
      refresh_token_id: id,
      ...(expires_at !== undefined && { expires_at }),
    };
  }
}
