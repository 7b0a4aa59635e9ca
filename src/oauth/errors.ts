import type { EventFields } from "./events.ts";
import { type Reason, refusals } from "./refusals.ts";
import type { Issue } from "./schema.ts";

export type { Reason };

/** The details of a refusal, beside its reason. */
export interface RefusalDetails {
  /** The thing that the description is about: a parameter, a grant type, the allowed methods. */
  subject?: string;
  /** Headers of the response, such as WWW-Authenticate or Retry-After. */
  headers?: Record<string, string>;
  /** Admin API: each field that is wrong, with its problem. */
  fields?: Record<string, string>;
  /** Admin API: how many grants the request has ended, although it is refused. */
  revoked?: number;
  /** For the log and /health: the variables, secrets or records that are wrong. */
  problems?: Problem[];
  /** For the log: the client that failed to authenticate. Only the id of a client that exists. */
  client_id?: string;
  /** For the alarm of a stolen token: its reason. That client authenticates by a key, which the request has not proven. */
  unproven?:
    "client_authentication" | "assertion_claims" | "recorded_assertion";
  /** For the log: how a used token came back (`Reuse`). */
  reuse?: EventFields<"refresh_token.reused">;
  /** For the log: the limit on guesses that this refusal is the first to hit in its period. */
  limit?: EventFields<"limit.reached">;
  /** For the log: the fault that caused the refusal. */
  cause?: unknown;
}

/** A variable, secret or record that is wrong: its name and the problem, never its value. */
export interface Problem {
  name: string;
  problem: string;
}

/** The characters that error_description must not have (RFC 6749 section 5.2). */
const forbiddenCharacters = /[^\x20\x21\x23-\x5b\x5d-\x7e]/g;

/** The most characters of a request that a description repeats. It is in the URL of a redirect. */
const MAX_SUBJECT_LENGTH = 200;

/** A refusal. It is thrown anywhere and becomes a response in one place (`app.ts`). */
export class OAuthError extends Error {
  readonly reason: Reason;
  readonly details: RefusalDetails;

  constructor(reason: Reason, details: RefusalDetails = {}) {
    super(reason, { cause: details.cause });
    this.name = "OAuthError";
    this.reason = reason;
    this.details = details;
  }

  get status() {
    return refusals[this.reason].status;
  }

  /** The text of the page for the user. Undefined: the page has the text of the status. */
  get person(): { title: string; words: string } | undefined {
    const refusal = refusals[this.reason];
    return "person" in refusal ? refusal.person : undefined;
  }

  /** Makes the body of the response (RFC 6749 section 5.2). */
  toJSON() {
    const { error, description } = refusals[this.reason];
    const { subject = "", fields, revoked } = this.details;
    // With `fields` the subject is the server's own sentence.
    const shown = fields ? subject : shortened(subject);
    return {
      error,
      error_description: (typeof description === "string"
        ? description
        : description(shown)
      ).replaceAll(forbiddenCharacters, "'"),
      ...(fields && { fields }),
      ...(revoked !== undefined && { revoked }),
    };
  }
}

function shortened(subject: string): string {
  return subject.length > MAX_SUBJECT_LENGTH
    ? `${subject.slice(0, MAX_SUBJECT_LENGTH)}...`
    : subject;
}

/** A negative verdict: the reason, for a caller that throws it or reports it. */
export interface Refused {
  refused: Reason;
  /** The thing that the description is about. */
  subject?: string;
}

/** @throws OAuthError if the verdict is negative */
export function throwIfRefused<T extends object>(verdict: T | Refused): T {
  if (!("refused" in verdict)) return verdict;
  const { refused, subject } = verdict;
  throw new OAuthError(refused, subject === undefined ? {} : { subject });
}

/**
 * Makes a refusal of anything that was thrown. An unknown error becomes `unexpected`, with itself as cause.
 */
export function asOAuthError(error: unknown): OAuthError {
  return error instanceof OAuthError
    ? error
    : new OAuthError("unexpected", { cause: error });
}

/** Makes the refusal of one field of the admin API. */
export function fieldError(
  field: string,
  problem: string,
  reason: Reason = "admin_body_invalid",
): OAuthError {
  return new OAuthError(reason, {
    subject: `${field}: ${problem}`,
    fields: { [field]: problem },
  });
}

/** Makes the refusal `admin_body_invalid`, which names every field that is wrong. */
export function invalidFields(issues: readonly Issue[]): OAuthError {
  const problems = new Map(
    issues.map(({ path, message }) => [
      path.length === 0 ? "body" : path.join("."),
      message,
    ]),
  );
  const sentences = [...problems].map(
    ([field, problem]) => `${field}: ${problem}`,
  );
  return new OAuthError("admin_body_invalid", {
    subject: sentences.join("; "),
    // fromEntries and no assignment, because a field may be called __proto__.
    fields: Object.fromEntries(problems),
  });
}
