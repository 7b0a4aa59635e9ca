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
 * Judges an attempt to exchange a family's newest token for its successor (RFC 6749 section 6, RFC 9700
 * section 4.14.2).
 *
 * A used token gets the successor that exists already in two cases: the same attempt is repeated because its
 * answer was lost on the way to the edge, or a client retries the same request inside its retry window. In
 * every other case a used token ends the family.
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
    const reuseKind = classifyReuse(family, attempt);
    if (reuseKind === "late") {
      const reuse = describeReuse(family, attempt);
      const result = { ...refused("refresh_token_reused" as const), reuse };
      return { result, ...end(family) };
    }
    if (reuseKind === "window" && request !== family.last_request)
      return { result: refused("retry_differs") };
  }
  // Scope and resource are checked last, because reuse must end the family even if they are wrong.
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
    // The client's lifetimes were cut, so the family may expire before its alarm.
    ...(successor.expires_at < family.expires_at && {
      alarm: successor.expires_at,
    }),
  };
}

/** Makes the result of an exchange, from the record after it. */
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
 * Classifies a used token that comes back. `attempt`: the same attempt is repeated. `window`: the retry
 * window is open and the successor has not been used. `late`: neither.
 */
function classifyReuse(
  family: LivingFamily,
  { generation, attempt_id, retry_window, now }: ExchangeAttempt,
): "attempt" | "window" | "late" {
  if (family.generation - generation > 1) return "late";
  if (attempt_id === family.last_attempt) return "attempt";
  const closesAt = after(retry_window, family.last_used_at);
  // A window of zero length stays closed, even if the clock of this request is behind that of the exchange.
  const isOpen = closesAt > family.last_used_at && now < closesAt;
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
    // If the successor was never used, the client may not have received it. If it was used, two parties have
    // tokens of this family.
    looks_like: family.generation - generation === 1 ? "late_retry" : "theft",
  };
}

/**
 * Makes a canonical text of the requested scopes and resources, which are sets. A retry must have the same
 * text.
 */
function canonicalRequest({ requested }: ExchangeAttempt): string {
  const { scope, resource } = requested;
  const scopes = Array.isArray(scope) ? asSet(scope) : (scope ?? null);
  return JSON.stringify([scopes, asSet(resource)]);
}

function asSet(values: readonly string[]): string[] {
  return [...new Set(values)].toSorted((one, other) => (one < other ? -1 : 1));
}
