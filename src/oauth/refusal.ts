/** Makes `error_description`, for the client's developer: what happened, why and what to do. */
type Description =
  | string
  /** @param subject the parameter, field or thing that the refusal is about */
  | ((subject: string) => string);

/** One row of the table of refusals (`refusals.ts`). */
export interface Refusal {
  status: 400 | 401 | 403 | 404 | 405 | 409 | 412 | 413 | 429 | 500 | 503;
  /** The standard code for the wire (RFC 6749 section 5.2). */
  error: string;
  description: Description;
  /** The text of the page that the user sees. Left out: the page has the text of the status. */
  person?: { title: string; words: string };
}

/** The words of every refusal with the header Retry-After. */
const TRY_AGAIN = "Try again after the seconds in the header Retry-After.";

export function row<Status extends Refusal["status"]>(
  status: Status,
  error: string,
  description: Description,
) {
  return { status, error, description };
}

export function invalidRequest(description: Description) {
  return row(400, "invalid_request", description);
}

/** The subject is the whole sentence: it names each field and what is wrong with it. */
export function fieldInvalid() {
  return invalidRequest((problems) => problems);
}

export function invalidClient() {
  return row(401, "invalid_client", "Client authentication failed.");
}

export function invalidGrant(description: Description) {
  return row(400, "invalid_grant", description);
}

export function invalidToken(sentence: string) {
  return row(401, "invalid_token", sentence);
}

export function conflict(description: Description) {
  return row(409, "conflict", description);
}

/** @param sentence says of what there were too many */
export function limited(sentence: string) {
  return row(429, "temporarily_unavailable", `${sentence} ${TRY_AGAIN}`);
}

export function unavailable(sentence: string) {
  return row(503, "temporarily_unavailable", sentence);
}

export function serverError(
  description: Description = "An internal error occurred. The log of the server has the cause.",
) {
  return row(500, "server_error", description);
}
