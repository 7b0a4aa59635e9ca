import { isConfirmed } from "../confirmation.ts";
import { asOAuthError, OAuthError } from "../errors.ts";
import type {
  ExchangeAttempt,
  ExchangeResult,
  Stolen,
  UnappliedChanges,
} from "../repositories.ts";
import type { RequestLog } from "../request-log.ts";
import { reasonOf } from "./possession.ts";

type Exchanged = Extract<ExchangeResult, { outcome: "exchanged" }>;
type Refused = Extract<ExchangeResult, { outcome: "refused" }>;

/** The log of a request, and the login that it is about. */
interface About {
  log: RequestLog;
  grantId: () => string;
  /** Uses up the client's assertion, if it has one. @throws OAuthError `client_assertion_used` */
  takeAssertion: () => Promise<void>;
}

/**
 * Adds the result of an exchange to the log. A catch-up of a login without a key uses up the client's assertion, because
 * it uses up nothing else: somebody who has recorded its request must get nothing.
 *
 * @returns the result, if there is a token for the request
 * @throws OAuthError the refusal
 */
export async function confirmExchange(
  result: ExchangeResult,
  attempt: ExchangeAttempt,
  about: About,
): Promise<Exchanged> {
  if (result.outcome === "refused") throw refusalOf(result, about);
  const { cnf, subject } = result.login;
  const { generation } = attempt;
  // An object of an older version does not know that the login is bound to a key.
  if (cnf && !isConfirmed(cnf, attempt.proven)) {
    const newest_generation = result.generation;
    const stolen = { generation, newest_generation, proof: "none" } as const;
    const reason = reasonOf(stolen, result.login, attempt);
    throw refusalOf({ outcome: "refused", reason, stolen, subject }, about);
  }
  if (result.caught_up && !cnf)
    await about.takeAssertion().catch((error: unknown) => {
      const { reason } = asOAuthError(error);
      if (reason !== "client_assertion_used") throw error;
      const newest_generation = result.generation;
      const stolen = {
        generation,
        newest_generation,
        proof: "recorded",
      } as const;
      throw refusalOf({ outcome: "refused", reason, stolen, subject }, about);
    });
  note(result, about);
  return result;
}

/** The `reason` of the event, by what the request has shown. */
const reasons = {
  none: "proof_missing",
  another_key: "another_key",
  recorded: "recorded_assertion",
} as const satisfies Record<Stolen["proof"], string>;

/** Makes the refusal of an exchange, and adds the alarm of a used or stolen token to the log. */
function refusalOf(
  { reason, reuse, stolen, subject }: Refused,
  { log, grantId }: About,
): OAuthError {
  if (reuse) {
    const grant_id = grantId();
    log.addEvent("refresh_token.reused", { subject, grant_id, ...reuse });
  }
  if (stolen) {
    const { proof, generation, newest_generation } = stolen;
    log.addEvent("refresh_token.stolen", {
      subject,
      grant_id: grantId(),
      reason: reasons[proof],
      generation,
      newest_generation,
    });
  }
  return new OAuthError(reason, {
    ...(reuse && { reuse, subject: reuse.looks_like }),
  });
}

/** Adds to the log how an exchange has differed from that of an unused token. */
function note(
  { retried, retry, caught_up, unapplied, login }: Exchanged,
  { log, grantId }: About,
): void {
  if (retried) log.fields.retried = true;
  if (unapplied) noteUnapplied(log, unapplied);
  const { subject } = login;
  if (retry) {
    const grant_id = grantId();
    log.addEvent("refresh_token.retried", { subject, grant_id, ...retry });
  }
  if (caught_up) {
    log.fields.caught_up = true;
    const grant_id = grantId();
    log.addEvent("refresh_token.caught_up", {
      subject,
      grant_id,
      ...caught_up,
    });
  }
}

/** Notes that changes of the hook were not applied. The refresh goes on, because its token is used up by then. */
function noteUnapplied(
  log: RequestLog,
  { reason, fields }: UnappliedChanges,
): void {
  const why = {
    overtaken: "changed while the hook decided",
    too_large:
      "would be too large with what was changed while the hook decided",
  }[reason];
  const error = `${fields.join(", ")} ${why}, so the answer of the hook is not applied there`;
  log.addEvent("refresh_hook.failed", { reason, error });
}
