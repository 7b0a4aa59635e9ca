import {
  invalidToken,
  limited,
  type Refusal,
  row,
  serverError,
  unavailable,
} from "./refusal.ts";

/** The refusals of dynamic registration (RFC 7591 section 3.2.2, RFC 7592 section 2). */
export const registrationRefusals = {
  registration_body_malformed: row(
    400,
    "invalid_client_metadata",
    (problem) => problem,
  ),
  registration_metadata_invalid: row(
    400,
    "invalid_client_metadata",
    (problem) => problem,
  ),
  registration_redirect_uri_invalid: row(
    400,
    "invalid_redirect_uri",
    (problem) => problem,
  ),
  initial_access_token_missing: invalidToken(
    "This server registers only clients that have an initial access token. Ask its operator for one, and send the header Authorization: Bearer with it.",
  ),
  initial_access_token_wrong: invalidToken(
    "The initial access token is not valid, or has expired. Ask the operator of this server for a new one.",
  ),
  // Also if there is no such client, so that nobody learns which clients exist.
  registration_token_wrong: invalidToken(
    "There is no such registration, or the registration access token is not the one that was issued with it. If the client was deleted or has ended, register again.",
  ),
  registration_tokens_limited: limited(
    "Too many wrong registration access tokens came from this network.",
  ),
  registrations_limited: limited(
    "Too many registrations came from this network.",
  ),
  registrations_used_up: unavailable(
    "No more clients can register today. Try again after the seconds in the header Retry-After.",
  ),
  registration_not_bound: serverError(
    (binding) =>
      `No client can register, because the binding ${binding} of this server is missing. Its operator adds it with: npm run baton -- setup --update.`,
  ),
} as const satisfies Record<string, Refusal>;
