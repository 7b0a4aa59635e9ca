import type {
  ExchangeAttempt,
  ExchangeResult,
  NewFamily,
  Redemption,
  RedemptionResult,
} from "../repositories.ts";
import { judgeExchange } from "./exchange.ts";
import {
  begin,
  end,
  type FamilyRecord,
  forgettableAt,
  isAbandoned,
  isEnded,
  newborn,
  refused,
  type Verdict,
} from "./record.ts";

/**
 * The verdicts on how a family begins: by an administrator, by an authorization code, or by the token of an
 * old server; and on taking the beginning back after a fault. What is left of a family stays until no code
 * can name it any more, so that a family begins only once.
 */

/** Begins a family that an administrator has authorized. A repeated call changes nothing. */
export function judgeCreation(
  record: FamilyRecord | undefined,
  family: NewFamily,
): Verdict<void> {
  return { result: undefined, ...(!record && begin(family)) };
}

/**
 * Begins the family of an authorization code, the first time. The same code again ends the family (RFC 6749
 * section 4.1.2); another code of the same authorization request is refused and does no harm.
 */
export function judgeRedemption(
  record: FamilyRecord | undefined,
  family: NewFamily,
  redemption: Redemption,
): Verdict<RedemptionResult> {
  if (!record || isAbandoned(record)) {
    return { result: { outcome: "redeemed" }, ...begin(family, redemption) };
  }
  const before = isEnded(record) ? record.redeemed : record.redemption;
  const isRepeatedAttempt =
    !isEnded(record) && record.redemption?.attempt_id === redemption.attempt_id;
  if (isRepeatedAttempt) return { result: { outcome: "redeemed" } };
  if (before?.code_id !== redemption.code_id)
    return { result: refused("authorization_request_reused") };
  return {
    result: refused("authorization_code_reused"),
    ...(!isEnded(record) && end(record)),
  };
}

/** At most as many attempts are noted: the record must stay small. */
const MAX_ATTEMPTS = 8;
/** Stands for all attempts beyond that. No attempt has this id, so it is never removed. */
const OTHER_ATTEMPTS = "";

/**
 * Exchanges the token of an old server, which is the family's first token. Where there is no family yet, it
 * begins with this exchange, in the same step.
 *
 * @param family as it is before the exchange
 */
export function judgeAdoption(
  record: FamilyRecord | undefined,
  family: NewFamily,
  redemption: Redemption,
  attempt: ExchangeAttempt,
): Verdict<ExchangeResult> {
  const { attempt_id } = attempt;
  const begins = !record || isAbandoned(record);
  const before = begins
    ? { ...newborn(family, redemption), attempts: [attempt_id] }
    : record;
  const verdict = judgeExchange(before, attempt);
  if (verdict.result.outcome === "refused") return verdict;
  if (begins) return { ...verdict, alarm: verdict.result.expires_at };
  // The attempt that was first may meet a fault: it must not take back what this one is given.
  const after = verdict.record ?? before;
  if (isEnded(after)) return verdict;
  const attempts = withAttempt(after.attempts ?? [], attempt_id);
  return { ...verdict, ...(attempts && { record: { ...after, attempts } }) };
}

/**
 * Takes back a redemption whose tokens were not made, so that the code can be redeemed again. The record
 * stays until no code can make the family.
 */
export function judgeAbandonment(
  record: FamilyRecord | undefined,
  attemptId: string,
): Verdict<void> {
  const nothing = { result: undefined };
  if (!record || isEnded(record)) return nothing;
  const { redemption, abandoned } = record;
  if (!redemption || abandoned) return nothing;
  const { attempts = [redemption.attempt_id] } = record;
  if (!attempts.includes(attemptId)) return nothing;
  const others = attempts.filter((one) => one !== attemptId);
  if (others.length > 0)
    return { ...nothing, record: { ...record, attempts: others } };
  return {
    ...nothing,
    record: { ...record, abandoned: true, expires_at: 0 },
    alarm: forgettableAt(redemption),
  };
}

/** The attempts with one more; undefined where that changes nothing. */
function withAttempt(
  attempts: readonly string[],
  attemptId: string,
): string[] | undefined {
  if (attempts.includes(attemptId)) return undefined;
  const one = attempts.length < MAX_ATTEMPTS ? attemptId : OTHER_ATTEMPTS;
  return attempts.includes(one) ? undefined : [...attempts, one];
}
