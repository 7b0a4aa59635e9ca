import { after, MAX_RETRY_WINDOW } from "../duration.ts";
import { familyEnd } from "../lifetimes.ts";
import type {
  ExchangeAttempt,
  ExchangeResult,
  FamilyState,
  Retry,
  Reuse,
  UnappliedChanges,
} from "../repositories.ts";
import { rememberedResources } from "../resource-memory.ts";
import {
  finalizeScopeAndResource,
  type ScopeAndResource,
} from "../scope-and-resource.ts";
import { isBeforeFloor } from "../token-floor.ts";
import { applyHookChanges } from "./hook-changes.ts";
import {
  authorizedAt,
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
 * answer was lost on the way to the edge, or a client retries inside its retry window. There is one successor,
 * whatever scope or resource the retry asks for; only the access token is for what the retry asks. In every
 * other case a used token ends the family.
 *
 * A family that the client's record makes too old ends at its next exchange: it was authorized by the time of
 * `tokens_not_before`, or `refresh_token_max_age` was cut.
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

  if (isBeforeFloor(attempt, authorizedAt(family)))
    return { result: refused("client_logins_ended"), ...end(family) };
  // The client's longest life may have been cut since the family began. It is never made longer.
  const ends_at = Math.min(
    family.ends_at,
    familyEnd(attempt, family.created_at),
  );
  if (attempt.now >= ends_at)
    return { result: refused("family_too_old"), ...end(family) };

  const isUsed = attempt.generation < family.generation;
  const reuseKind = isUsed ? classifyReuse(family, attempt) : undefined;
  if (reuseKind === "late") {
    const reuse = describeReuse(family, attempt);
    const { subject } = family.login;
    const refusal = refused("refresh_token_reused" as const);
    return { result: { ...refusal, reuse, subject }, ...end(family) };
  }
  // Scope and resource are checked last, because reuse must end the family even if they are wrong. A retry is
  // refused as an unused token is, so that the window tells nobody whether a token was used.
  const granted = finalizeScopeAndResource(attempt.requested, family.login, {
    ...attempt.allowed,
    resource: rememberedResources(
      attempt.allowed.resource,
      family.login,
      attempt.resource_digests,
    ),
  });
  if ("refused" in granted) return { result: refused(granted.refused) };
  if (reuseKind === "attempt")
    return { result: exchanged(family, granted, { retried: true }) };
  if (reuseKind === "window") {
    const retry = describeRetry(family, attempt);
    return { result: exchanged(family, granted, { retried: true, retry }) };
  }

  const { login, unapplied } = applyHookChanges(family.login, attempt);
  const { says_why_expired: _former, ...unchanged } = family;
  const successor = {
    ...unchanged,
    ...(attempt.says_why_expired && { says_why_expired: true as const }),
    login,
    generation: family.generation + 1,
    expires_at: Math.min(attempt.successor_expires_at, ends_at),
    ends_at,
    last_used_at: attempt.now,
    last_attempt: attempt.attempt_id,
    last_origin: attempt.origin,
    key_id: attempt.key_id,
  };
  const how = { retried: false, ...(unapplied && { unapplied }) };
  return {
    result: exchanged(successor, granted, how),
    record: successor,
    // The client's lifetimes were cut, so the family may expire before its alarm.
    ...(successor.expires_at < family.expires_at && {
      alarm: successor.expires_at,
    }),
  };
}

/**
 * Tells by a look at a family whether an attempt would make a successor now. A retry makes none, because its successor
 * exists already.
 */
export function wouldMakeSuccessor(
  { authorized_at, ...family }: FamilyState,
  attempt: ExchangeAttempt,
): boolean {
  const { key_id } = attempt;
  const redemption = {
    attempt_id: "",
    code_id: "",
    authorized_at_ms: authorized_at * 1000,
    redeemable_until: 0,
  };
  const record = { ...family, version: 1 as const, key_id, redemption };
  const { result } = judgeExchange(record, attempt);
  return result.outcome === "exchanged" && !result.retried;
}

/** Makes the result of an exchange, from the record after it. */
function exchanged(
  family: LivingFamily,
  granted: ScopeAndResource,
  how: { retried: boolean; retry?: Retry; unapplied?: UnappliedChanges },
): ExchangeResult {
  const { login, generation, expires_at, ends_at, key_id } = family;
  return {
    outcome: "exchanged",
    ...how,
    login,
    granted,
    generation,
    expires_at,
    ends_at,
    ...(family.says_why_expired && { says_why_expired: true }),
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
  const { last_used_at } = family;
  const closesAt = Math.min(
    after(retry_window, last_used_at),
    after(MAX_RETRY_WINDOW, last_used_at),
  );
  // A window of zero length stays closed, even if the clock of this request is behind that of the exchange.
  const isOpen = closesAt > last_used_at && now < closesAt;
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

/** Describes for the log a retry inside the window: an operator sees whether it comes from somebody else. */
function describeRetry(
  family: LivingFamily,
  { generation, now, origin }: ExchangeAttempt,
): Retry {
  const { network, user_agent } = family.last_origin ?? {};
  return {
    generation,
    seconds_since_exchange: now - family.last_used_at,
    network_differs: origin.network !== network,
    user_agent_differs: origin.user_agent !== user_agent,
  };
}
