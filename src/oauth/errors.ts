import type { core } from "zod";
import { type Reason, refusals } from "./refusals.ts";

export type { Reason };

interface Circumstances {
  /** What the description is about: a parameter, a grant type, the allowed methods. */
  subject?: string;
  /** Response headers that the refusal brings with it. */
  headers?: Record<string, string>;
  /** Admin API: the fields that are wrong, and why. */
  fields?: Record<string, string>;
  /** Variables, secrets and records that are not as they have to be: for the log and /health. */
  problems?: Problem[];
  /** For the log: the client that could not authenticate, if there is such a client. */
  client_id?: string;
  /** For the log: how a used token came back. */
  reuse?: object;
  /** For the log only: the fault behind it. */
  cause?: unknown;
}

/** A variable, secret or record, by its name, and what is wrong with it; never its value. */
export interface Problem {
  name: string;
  problem: string;
}

/** RFC 6749 section 5.2: what error_description may not hold. */
const notInSentences = /[^\x20\x21\x23-\x5b\x5d-\x7e]/g;

/** A refusal. Thrown anywhere, made into a response in one place (`app.ts`). */
export class OAuthError extends Error {
  readonly reason: Reason;
  readonly circumstances: Circumstances;

  constructor(reason: Reason, circumstances: Circumstances = {}) {
    super(reason, { cause: circumstances.cause });
    this.name = "OAuthError";
    this.reason = reason;
    this.circumstances = circumstances;
  }

  get status() {
    return refusals[this.reason].status;
  }

  /** What a page says to the person, where the status alone does not say it. */
  get person(): { title: string; words: string } | undefined {
    const refusal = refusals[this.reason];
    return "person" in refusal ? refusal.person : undefined;
  }

  /** The body on the wire: RFC 6749 section 5.2. */
  toJSON() {
    const { error, description } = refusals[this.reason];
    const { subject = "", fields } = this.circumstances;
    return {
      error,
      error_description: description(subject).replaceAll(notInSentences, "'"),
      ...(fields && { fields }),
    };
  }
}

/** A verdict that is a no. */
export interface Refused {
  refused: Reason;
  /** What it is about. */
  subject?: string;
}

/** @throws OAuthError for a verdict that is a no */
export function throwIfRefused<T extends object>(verdict: T | Refused): T {
  if (!("refused" in verdict)) return verdict;
  const { refused, subject } = verdict;
  throw new OAuthError(refused, subject === undefined ? {} : { subject });
}

/** What a refusal is made of whatever was thrown; the cause is for the log alone. */
export function asOAuthError(error: unknown): OAuthError {
  return error instanceof OAuthError
    ? error
    : new OAuthError("unexpected", { cause: error });
}

/** The admin API names the field that is wrong. */
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

/** The admin API names every field that is wrong. */
export function invalidFields(issues: readonly core.$ZodIssue[]): OAuthError {
  const fields = new Map(issues.flatMap(wrongFields));
  const sentences = [...fields].map(
    ([field, problem]) => `${field}: ${problem}`,
  );
  return new OAuthError("admin_body_invalid", {
    subject: sentences.join("; "),
    // By entries, because a field may be called __proto__.
    fields: Object.fromEntries(fields),
  });
}

function wrongFields(issue: core.$ZodIssue): [string, string][] {
  if (issue.code !== "unrecognized_keys") {
    return [[issue.path.join(".") || "body", issue.message]];
  }
  return issue.keys.map((name) => [
    [...issue.path, name].join("."),
    "is not a field of this request",
  ]);
}
