import { Failure } from "../failure.ts";

/** Checks that a table is the table of the clients. */

const clientColumns =
  "client_name name redirect_uris redirect_uri redirect".split(" ");
const secretColumns = "client_secret secret confidential is_confidential".split(
  " ",
);

/**
 * Refuses tables of tokens, and tables that do not say which clients are public. Otherwise every row
 * would become a public client, which anybody can impersonate.
 *
 * @param header the names of all columns
 * @throws Failure with what to do
 */
export function assertIsClientTable(path: string, header: string[]): void {
  const has = (names: string[]) =>
    header.some((name) => names.includes(name.toLowerCase()));
  const isRefreshTokenTable =
    has(["access_token_id"]) ||
    (has(["expires_at", "expiry_date_time"]) && !has(clientColumns));
  if (isRefreshTokenTable) {
    throw new Failure(
      `${path} seems to be the table of the refresh tokens. Export the table of the clients, oauth_clients.`,
    );
  }
  if (has(["user_id"]) && has(["client_id"]) && has(["expires_at"])) {
    throw new Failure(
      `${path} seems to be the table of the access tokens. Export the table of the clients, oauth_clients.`,
    );
  }
  if (!has(secretColumns)) {
    throw new Failure(
      `${path} has neither a column secret nor a column confidential, so all clients would become public clients, which need no secret. Export one of these columns too.`,
    );
  }
}
