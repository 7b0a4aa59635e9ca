import { familyEnd } from "../lifetimes.ts";
import type {
  ExchangeAttempt,
  ExchangeResult,
  FamilyState,
} from "../repositories.ts";
import { rememberedResources } from "../resource-memory.ts";
import {
  finalizeScopeAndResource,
  type ScopeAndResource,
} from "../scope-and-resource.ts";
import { isBeforeFloor } from "../token-floor.ts";
import { applyHookChanges } from "./hook-changes.ts";
import { noteAssertion } from "./assertions.ts";
import { bindSuccessor, findUnproven, reasonOf } from "./possession.ts";
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
import {
  classifyReuse,
  describeCatchUp,
  describeRecording,
  describeRetry,
  describeReuse,
} from "./reuse.ts";

/**
 * Judges an attempt to exchange a family's newest token for its successor (RFC 6749 section 6, RFC 9700
 * section 4.14.2).
 *
 * A token that is bound to a key is refused without a proof of it, and nothing changes: the holder has the key, so
 * neither a thief nor a finder can use the token or end the login.
 *
 * A used token with a request that somebody may have recorded is refused alike (`assertions.ts`).
 *
 * A used token gets the newest one, which exists already, in three cases: the same attempt is repeated because its
 * answer was lost on the way to the edge, a client retries inside its retry window, or a holder who has proven to be
 * one is late (`reuse.ts`). There is one newest token, whatever scope or resource the request asks for; only the access
 * token is for what the request asks. In every other case a used token ends the family.
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
  const { subject } = family.login;
  const stolen = findUnproven(family, attempt);
  if (stolen) {
    const reason = reasonOf(stolen, family.login, attempt);
    return { result: { ...refused(reason), stolen, subject } };
  }

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
    const refusal = refused("refresh_token_reused" as const);
    return { result: { ...refusal, reuse, subject }, ...end(family) };
  }
  if (reuseKind === "recorded") {
    const recorded = describeRecording(family, attempt);
    const refusal = refused("client_assertion_recorded" as const);
    return { result: { ...refusal, stolen: recorded, subject } };
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
  if (reuseKind === "catch_up") {
    const caught_up = describeCatchUp(family, attempt);
    return { result: exchanged(family, granted, { retried: true, caught_up }) };
  }

  const { login, unapplied } = applyHookChanges(family.login, attempt);
  const { says_why_expired: _former, ...unchanged } = family;
  const successor = {
    ...unchanged,
    ...(attempt.says_why_expired && { says_why_expired: true as const }),
    ...bindSuccessor(family, login, attempt),
    ...noteAssertion(family, attempt),
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
 * Tells by a look at a family whether the refresh hook is asked about an attempt: if it would make a successor now, or if
 * its holder is late. It is not asked about a retry, because it was asked when the successor was made, and a retry comes
 * soon after that.
 */
export function isForHook(
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
  if (result.outcome === "refused") return false;
  return !result.retried || result.caught_up !== undefined;
}

type Exchanged = Extract<ExchangeResult, { outcome: "exchanged" }>;

/** Makes the result of an exchange, from the record after it. */
function exchanged(
  family: LivingFamily,
  granted: ScopeAndResource,
  how: Pick<Exchanged, "retried" | "retry" | "caught_up" | "unapplied">,
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
