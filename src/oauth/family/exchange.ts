import { after } from "../duration.ts";
import type {
  ExchangeAttempt,
  ExchangeResult,
  Reuse,
} from "../repositories.ts";
import {
  finalizeScopeAndResource,
  type ScopeAndResource,
} from "../scope-and-resource.ts";
import {
  end,
  type FamilyRecord,
  isEnded,
  type LivingFamily,
  refuseForeign,
  refused,
  type Verdict,
} from "./record.ts";

/**
 * The verdict on an attempt to exchange a family's newest token for the next one (RFC 6749 section 6,
 * RFC 9700 section 4.14.2).
 *
 * Two kinds of used tokens get the successor that exists already: that of an attempt whose answer was lost
 * on the way to the edge, and that of a client that retries inside its window. Every other used token ends
 * the family.
 */
export function judgeExchange(
  record: FamilyRecord | undefined,
  attempt: ExchangeAttempt,
): Verdict<ExchangeResult> {
  if (!record || isEnded(record) || attempt.now >= record.expires_at)
    return { result: refused("family_ended") };
  const family = record;
  const foreign = refuseForeign(family, attempt);
  if (foreign) return { result: refused(foreign) };
  if (attempt.generation > family.generation)
    return { result: refused("refresh_token_forged") };

  const request = canonicalRequest(attempt);
  const isUsed = attempt.generation < family.generation;
  if (isUsed) {
    const again = classifyReuse(family, attempt);
    if (again === "late") {
      const reuse = describeReuse(family, attempt);
      const result = { ...refused("refresh_token_reused" as const), reuse };
      return { result, ...end(family) };
    }
    if (again === "window" && request !== family.last_request)
      return { result: refused("retry_differs") };
  }
  // Only now: a used token is a used token whatever else is wrong with the request.
  const granted = finalizeScopeAndResource(
    attempt.requested,
    family.login,
    attempt.allowed,
  );
  if ("refused" in granted)
    return { result: refused(isUsed ? "retry_differs" : granted.refused) };
  if (isUsed) return { result: exchanged(family, granted, true) };

  const successor = {
    ...family,
    generation: family.generation + 1,
    expires_at: Math.min(attempt.successor_expires_at, family.ends_at),
    last_used_at: attempt.now,
    last_request: request,
    last_attempt: attempt.attempt_id,
    key_id: attempt.key_id,
  };
  return {
    result: exchanged(successor, granted, false),
    record: successor,
    // The client's lifetimes were cut: the family may end before its alarm would look.
    ...(successor.expires_at < family.expires_at && {
      alarm: successor.expires_at,
    }),
  };
}

function exchanged(
  { login, generation, expires_at, key_id }: LivingFamily,
  granted: ScopeAndResource,
  retried: boolean,
): ExchangeResult {
  return {
    outcome: "exchanged",
    retried,
    login,
    granted,
    generation,
    expires_at,
    key_id,
  };
}

/**
 * Tells how a used token comes back: by the very same attempt, inside the client's window while nobody has
 * used the successor, or too late for either.
 */
function classifyReuse(
  family: LivingFamily,
  { generation, attempt_id, retry_window, now }: ExchangeAttempt,
): "attempt" | "window" | "late" {
  if (family.generation - generation > 1) return "late";
  if (attempt_id === family.last_attempt) return "attempt";
  const closes = after(retry_window, family.last_used_at);
  // A window of zero length stays closed, also where the clocks of two locations differ by a second.
  const isOpen = closes > family.last_used_at && now < closes;
  return isOpen ? "window" : "late";
}

/** Describes for the log how a used token came back. */
function describeReuse(
  family: LivingFamily,
  { generation, now }: ExchangeAttempt,
): Reuse {
  return {
    generation,
    newest_generation: family.generation,
    seconds_since_exchange: now - family.last_used_at,
    // While the successor is unused, the client may never have got it. Once it was used, two parties hold
    // tokens of this family.
    looks_like: family.generation - generation === 1 ? "late_retry" : "theft",
  };
}

/** The request as far as a retry must repeat it: scopes and resources are sets. */
function canonicalRequest({ requested }: ExchangeAttempt): string {
  const { scope, resource } = requested;
  const scopes = Array.isArray(scope) ? asSet(scope) : (scope ?? null);
  return JSON.stringify([scopes, asSet(resource)]);
}

function asSet(values: readonly string[]): string[] {
  return [...new Set(values)].toSorted((one, other) => (one < other ? -1 : 1));
}
