import { finalizeGrant } from "../scope-and-resource.ts";
import type { ExchangeAttempt, ExchangeResult } from "../repositories.ts";
import {
  describeReuse,
  isRetry,
  type LivingFamily,
  refuseForeign,
  requestOf,
} from "./record.ts";

/** What an attempt comes to: its answer, and what becomes of the family, if anything does. */
export type Verdict =
  | { result: ExchangeResult; newest?: LivingFamily; ends?: never }
  /** A used token came back: the family ends. */
  | { result: ExchangeResult; newest?: never; ends: LivingFamily };

/**
 * The verdict on an attempt to exchange a family's newest token for the next one. It says what is to be
 * written; whoever has the storage writes it in the same step.
 *
 * Two kinds of used tokens get the successor that is there already: those of an attempt that lost
 * its answer on the way to the edge, and those of a client that retries inside its window.
 */
export function judgeExchange(
  family: LivingFamily | undefined,
  attempt: ExchangeAttempt,
): Verdict {
  if (!family || attempt.now >= family.expires_at)
    return refused("family_ended");
  const foreign = refuseForeign(family, attempt);
  if (foreign) return refused(foreign);
  if (attempt.generation > family.generation)
    return refused("refresh_token_forged");

  const request = requestOf(attempt);
  const used = attempt.generation < family.generation;
  if (used) {
    const again = isRetry(family, attempt);
    if (again === "late") return reused(family, attempt);
    if (again === "window" && request !== family.last_request)
      return refused("retry_differs");
  }
  // Only now: a used token is a used token whatever else is wrong with the request.
  const grant = finalizeGrant(attempt, family, {
    scope: attempt.allowed_scope,
    resource: attempt.allowed_resource,
  });
  if ("refused" in grant)
    return refused(used ? "retry_differs" : grant.refused);

  const newest: LivingFamily = used
    ? family
    : {
        ...family,
        generation: family.generation + 1,
        expires_at: Math.min(attempt.successor_expires_at, family.ends_at),
        last_used_at: attempt.now,
        last_request: request,
        last_attempt: attempt.attempt_id,
        key_id: attempt.key_id,
      };
  const result: ExchangeResult = {
    outcome: "exchanged",
    retried: used,
    subject: newest.subject,
    ...grant,
    generation: newest.generation,
    expires_at: newest.expires_at,
    key_id: newest.key_id,
  };
  return used ? { result } : { result, newest };
}

function refused(
  reason: Extract<ExchangeResult, { outcome: "refused" }>["reason"],
): Verdict {
  return { result: { outcome: "refused", reason } };
}

function reused(family: LivingFamily, attempt: ExchangeAttempt): Verdict {
  const reuse = describeReuse(family, attempt);
  return {
    result: { outcome: "refused", reason: "refresh_token_reused", reuse },
    ends: family,
  };
}
