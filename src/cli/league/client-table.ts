import { Failure } from "../failure.ts";

/** Whether a table is that of the clients at all. */

const namesOfClients =
  "client_name name redirect_uris redirect_uri redirect".split(" ");
const namesOfSecrets =
  "client_secret secret confidential is_confidential".split(" ");

/**
 * Without a word about secrets every client would become a public one, which anybody can pass for; the
 * rows of another table would, too.
 *
 * @param header the names of all columns
 * @throws Failure with what to do
 */
export function mustBeOfClients(path: string, header: string[]): void {
  const has = (names: string[]) =>
    header.some((name) => names.includes(name.toLowerCase()));
  const isOfTokens =
    has(["access_token_id"]) ||
    (has(["expires_at", "expiry_date_time"]) && !has(namesOfClients));
  if (isOfTokens) {
    throw new Failure(
      `${path} seems to be the table of the refresh tokens. The clients are in oauth_clients.`,
    );
  }
  if (has(["user_id"]) && has(["client_id"]) && has(["expires_at"])) {
    throw new Failure(
      `${path} seems to be the table of the access tokens. The clients are in oauth_clients.`,
    );
  }
  if (!has(namesOfSecrets)) {
    throw new Failure(
      `${path} has neither a column secret nor a column confidential: all clients would become public ones, which need no secret. Export these columns, too.`,
    );
  }
}
