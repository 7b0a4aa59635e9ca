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
  type LivingFamily,
  newRecord,
  refused,
  type Verdict,
} from "./record.ts";

/*
 * An administrator, an authorization code or a league token begins a family. If a fault follows, the redemption
 * of a code or league token is taken back. The record of a family that has ended stays until no code can
 * name it, so that the family begins only once.
 */

/** Judges the creation of a family that an administrator has authorized. A repeated call changes nothing. */
export function judgeCreation(
  record: FamilyRecord | undefined,
  family: NewFamily,
): Verdict<void> {
  return { result: undefined, ...(!record && begin(family)) };
}

/**
 * The time after the redemption of a code in which the same code does not end its family, in milliseconds. An
 * app sends a code twice at once when React's strict mode runs an effect twice, when a user clicks twice, or
 * when a proxy loads the callback in advance. Such repeats come within seconds, also over a slow network. A
 * longer time would help a thief who is faster than the app: the app's redemption would not end the thief's
 * login.
 */
const CODE_REPEAT_MS = 10_000;

/**
 * Judges the redemption of an authorization code. The first redemption begins the family. The same code again
 * within `CODE_REPEAT_MS`, or with the same DPoP proof or assertion, is refused and changes nothing; later it ends the family
 * (RFC 6749 section 4.1.2).
 * Another code of the same authorization request is refused and changes nothing.
 *
 * @param nowMs the time in milliseconds since 1970, by the clock of the family's object. Two locations' clocks
 *   may differ by more than `CODE_REPEAT_MS`, so they cannot measure it
 */
export function judgeRedemption(
  record: FamilyRecord | undefined,
  family: NewFamily,
  redemption: Redemption,
  nowMs: number,
): Verdict<RedemptionResult> {
  if (isWithdrawn(record, redemption.attempt_id))
    return { result: refused("authorization_code_revoked") };
  if (!record || isAbandoned(record)) {
    return {
      result: { outcome: "redeemed" },
      ...begin(family, redemption),
      record: {
        ...newRecord(family, redemption),
        redeemed_at_ms: nowMs,
        ...withdrawnIn(record),
      },
    };
  }
  const previous = isEnded(record) ? record.redeemed : record.redemption;
  const isRepeatedAttempt =
    !isEnded(record) && record.redemption?.attempt_id === redemption.attempt_id;
  if (isRepeatedAttempt) return { result: { outcome: "redeemed" } };
  if (previous?.code_id !== redemption.code_id)
    return { result: refused("authorization_request_reused") };
  if (isEnded(record)) return { result: refused("authorization_code_reused") };
  if (isRepeatedAtOnce(record, nowMs) || hasSameProof(record, redemption))
    return { result: refused("authorization_code_repeated") };
  return { result: refused("authorization_code_reused"), ...end(record) };
}

/** Tells whether the code of a family comes again within `CODE_REPEAT_MS`. */
function isRepeatedAtOnce(
  { redeemed_at_ms }: LivingFamily,
  nowMs: number,
): boolean {
  return (
    redeemed_at_ms !== undefined && nowMs - redeemed_at_ms <= CODE_REPEAT_MS
  );
}

/**
 * Tells whether a code comes again with the DPoP proof or the assertion of its redemption. A client makes them for each
 * request, so somebody has recorded the first request and sends it again. That shows no second holder of the code.
 */
function hasSameProof(
  { redemption }: LivingFamily,
  repeated: Redemption,
): boolean {
  return (["proof_digest", "assertion_digest"] as const).some(
    (name) =>
      repeated[name] !== undefined && repeated[name] === redemption?.[name],
  );
}

/** The largest number of attempt ids in a record, so that the record stays small. */
const MAX_ATTEMPTS = 8;
/** Stands for all attempts beyond `MAX_ATTEMPTS`. No attempt has this id, so it is never removed. */
const OTHER_ATTEMPTS = "";

/**
 * Judges the exchange of a league token, which is the first token of its family. If the family does not
 * exist, it begins in the same step.
 *
 * @param family the family before the exchange
 */
export function judgeAdoption(
  record: FamilyRecord | undefined,
  family: NewFamily,
  redemption: Redemption,
  attempt: ExchangeAttempt,
): Verdict<ExchangeResult> {
  const { attempt_id } = attempt;
  if (isWithdrawn(record, attempt_id))
    return { result: refused("family_ended") };
  const begins = !record || isAbandoned(record);
  const unexchanged = begins
    ? {
        ...newRecord(family, redemption),
        ...withdrawnIn(record),
        attempts: [attempt_id],
      }
    : record;
  const verdict = judgeExchange(unexchanged, attempt);
  if (verdict.result.outcome === "refused")
    // A family that did not begin cannot end, so nothing is written.
    return begins ? { result: verdict.result } : verdict;
  if (begins) return { ...verdict, alarm: verdict.result.expires_at };
  // This attempt is noted, so that a fault of the first attempt does not take back the successor of this one.
  const exchanged = verdict.record ?? unexchanged;
  if (isEnded(exchanged)) return verdict;
  const attempts = withAttempt(sharers(exchanged), attempt_id);
  return {
    ...verdict,
    ...(attempts && { record: { ...exchanged, attempts } }),
  };
}

/**
 * Judges taking back a redemption whose tokens were not made, so that the code can be redeemed again. The
 * record stays until no code can make the family. The attempt is noted even if it has not arrived yet.
 *
 * @param family as in the attempt that is taken back
 */
export function judgeAbandonment(
  record: FamilyRecord | undefined,
  family: NewFamily,
  redemption: Redemption,
): Verdict<void> {
  const result = undefined;
  const abandoned = { abandoned: true, expires_at: 0 } as const;
  const { attempt_id } = redemption;
  if (!record) {
    const unbegun = newRecord(family, redemption);
    return {
      result,
      record: { ...unbegun, ...abandoned, withdrawn: [attempt_id] },
      alarm: forgettableAt(redemption),
    };
  }
  if (isEnded(record) || !record.redemption) return { result };
  const { withdrawn: earlier = [] } = record;
  const ids = earlier.filter((id) => id !== attempt_id);
  const withdrawn = [...ids, attempt_id].slice(-MAX_ATTEMPTS);
  const attempts = sharers(record);
  const remaining = attempts.filter((id) => id !== attempt_id);
  const isLast = attempts.includes(attempt_id) && remaining.length === 0;
  if (record.abandoned || !isLast)
    return { result, record: { ...record, attempts: remaining, withdrawn } };
  return {
    result,
    record: { ...record, ...abandoned, withdrawn },
    alarm: forgettableAt(record.redemption),
  };
}

/** Tells whether an attempt was taken back before its call arrived. */
function isWithdrawn(
  record: FamilyRecord | undefined,
  attemptId: string,
): boolean {
  return withdrawnIn(record).withdrawn?.includes(attemptId) ?? false;
}

function withdrawnIn(
  record: FamilyRecord | undefined,
): Pick<LivingFamily, "withdrawn"> {
  const { withdrawn } = record && !isEnded(record) ? record : {};
  return withdrawn ? { withdrawn } : {};
}

/** Adds an attempt id to a list. Undefined: the list does not change. */
function withAttempt(
  attempts: readonly string[],
  attemptId: string,
): string[] | undefined {
  if (attempts.includes(attemptId)) return undefined;
  const added = attempts.length < MAX_ATTEMPTS ? attemptId : OTHER_ATTEMPTS;
  return attempts.includes(added) ? undefined : [...attempts, added];
}

/** Returns the ids of the attempts that share the beginning of a family. */
function sharers({ attempts, redemption }: LivingFamily): readonly string[] {
  return attempts ?? (redemption ? [redemption.attempt_id] : []);
}
