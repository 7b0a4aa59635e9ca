import {
  end,
  type FamilyRecord,
  isEnded,
} from "../../../src/oauth/family/record.ts";
import {
  judgeAbandonment,
  judgeRedemption,
} from "../../../src/oauth/family/redemption.ts";
import type { Redemption } from "../../../src/oauth/repositories.ts";
import { familyBuilders } from "../family.ts";
import { promise } from "./promises.ts";
import { search } from "./search.ts";

/**
 * A small world around two codes of one authorization request: they are redeemed at any time, with any DPoP proof, by
 * attempts that are repeated or taken back, and the login may end.
 */

const T0 = 1_800_000_000;
/** The times at which something happens, in milliseconds. */
const TIMES = [0, 10_000, 10_001];
const ATTEMPTS = 3;
/** The codes and proofs of an attempt. */
const sendable: Partial<Redemption>[] = [
  { code_id: "second", proof_digest: "one" },
  { code_id: "first", proof_digest: "other" },
  { code_id: "first", proof_digest: "one" },
  { code_id: "first" },
];

const { newFamily, redemption } = familyBuilders(T0);
const family = newFamily();

export type JudgeRedemption = typeof judgeRedemption;

/** What the world knows of the login, told by what has happened. */
interface State {
  record: FamilyRecord | undefined;
  time: number;
  attempts: Redemption[];
  /** The ids of those that were taken back. */
  withdrawn: string[];
  /** The redemption that has made the login, and when. */
  by?: { attempt: Redemption; at: number } | undefined;
  ended: boolean;
}

/** What a redemption must be answered, and whether it may change anything. */
function expected(
  { by, ended, withdrawn, time }: State,
  { attempt_id, code_id, proof_digest }: Redemption,
): [answer: string, change: "begins" | "ends" | "nothing"] {
  if (!ended && withdrawn.includes(attempt_id))
    return ["authorization_code_revoked", "nothing"];
  if (!by) return ["redeemed", "begins"];
  const { attempt, at } = by;
  if (!ended && attempt.attempt_id === attempt_id)
    return ["redeemed", "nothing"];
  if (attempt.code_id !== code_id)
    return ["authorization_request_reused", "nothing"];
  if (ended) return ["authorization_code_reused", "nothing"];
  const isRecording =
    proof_digest !== undefined && proof_digest === attempt.proof_digest;
  return time - at <= 10_000 || isRecording
    ? ["authorization_code_repeated", "nothing"]
    : ["authorization_code_reused", "ends"];
}

/** What distinguishes a state. The rest of a record follows from it. */
function keyOf({ record, time, attempts, withdrawn, by, ended }: State) {
  const living = record && !isEnded(record) ? record : undefined;
  return [
    ...attempts.map((one) => `${one.code_id} ${one.proof_digest}`),
    time,
    withdrawn,
    by?.attempt.attempt_id,
    by?.at,
    ended,
    record && !living,
    living?.abandoned,
    living?.redemption?.attempt_id,
    living?.redeemed_at_ms,
    living?.attempts,
    living?.withdrawn,
  ].join("/");
}

/**
 * Visits every state.
 *
 * @throws Error the shortest history that breaks a promise
 */
export function visitCodes(judge: JudgeRedemption = judgeRedemption): number {
  const first: State = {
    record: undefined,
    time: 0,
    attempts: [],
    withdrawn: [],
    ended: false,
  };
  return search(first, keyOf, (state, found) => {
    const { record, time, attempts, withdrawn, by, ended } = state;
    const redeem = (attempt: Redemption, isNew: boolean) => {
      const verdict = judge(record, family, attempt, T0 * 1000 + time);
      const { result } = verdict;
      const said = result.outcome === "refused" ? result.reason : "redeemed";
      const [answer, change] = expected(state, attempt);
      const what = `${attempt.attempt_id}: ${attempt.code_id}, proof ${attempt.proof_digest}`;
      promise(said === answer, `${what} is ${answer}, not ${said}`);
      const after = verdict.record;
      promise(
        change === "nothing"
          ? !after
          : after && isEnded(after) === (change === "ends"),
        `${what} ${change}`,
      );
      found(`${what} is ${said}`, {
        ...state,
        record: after ?? record,
        attempts: isNew ? [...attempts, attempt] : attempts,
        by: change === "begins" ? { attempt, at: time } : by,
        ended: ended || change === "ends",
      });
    };

    for (const later of TIMES.slice(TIMES.indexOf(time) + 1))
      found(`${later} ms`, { ...state, time: later });
    if (attempts.length < ATTEMPTS)
      // Names of codes and proofs can be exchanged, so the first attempt needs only one of each.
      for (const fields of attempts.length > 0 ? sendable : sendable.slice(2)) {
        const attempt_id = `attempt ${attempts.length + 1}`;
        const attempt = redemption({ attempt_id, ...fields });
        redeem(attempt, true);
        // Its call arrives later, or never.
        found("a call is under way", {
          ...state,
          attempts: [...attempts, attempt],
        });
      }
    for (const attempt of attempts) {
      redeem(attempt, false);
      const { attempt_id } = attempt;
      if (withdrawn.includes(attempt_id)) continue;
      const undone = judgeAbandonment(record, family, attempt).record;
      promise(!ended || !undone, "what has ended is not taken back");
      const isIts = !ended && by?.attempt.attempt_id === attempt_id;
      found(`${attempt_id} is taken back`, {
        ...state,
        record: undone ?? record,
        withdrawn: [...withdrawn, attempt_id],
        by: isIts ? undefined : by,
      });
    }
    if (by && record && !isEnded(record))
      found("the user logs out", {
        ...state,
        record: end(record).record,
        ended: true,
      });
  });
}

/** Rules that are wrong on purpose. */
export const wrongCodeRules: Record<string, JudgeRedemption> = {
  "a recorded redemption ends the login": (record, of, by, nowMs) => {
    const { proof_digest: _none, ...unproven } = by;
    return judgeRedemption(record, of, unproven, nowMs);
  },
  "two codes without a proof have the same one": (record, of, by, nowMs) =>
    judgeRedemption(record, of, { proof_digest: "none", ...by }, nowMs),
  "a code that comes twice at once ends the login": (record, of, by, nowMs) =>
    judgeRedemption(record, of, by, record ? nowMs + 10_001 : nowMs),
  "a code that comes again ends nothing": (record, of, by, nowMs) => {
    const verdict = judgeRedemption(record, of, by, nowMs);
    return verdict.record && isEnded(verdict.record)
      ? { result: verdict.result }
      : verdict;
  },
  "a code makes a login again after its end": (record, ...others) =>
    judgeRedemption(record && isEnded(record) ? undefined : record, ...others),
  "another code of the request counts as the same": (record, of, by, nowMs) =>
    judgeRedemption(record, of, { ...by, code_id: "first" }, nowMs),
  "an attempt that was taken back begins nevertheless": (record, ...others) => {
    if (!record || isEnded(record)) return judgeRedemption(record, ...others);
    const { withdrawn: _none, ...forgetful } = record;
    return judgeRedemption(forgetful, ...others);
  },
  "a repeated attempt is another one": (record, of, by, nowMs) =>
    judgeRedemption(record, of, { ...by, attempt_id: `${nowMs}` }, nowMs),
};
