import { judgeClaims } from "../../../src/oauth/family/claims.ts";
import {
  judgeExchange,
  isForHook,
} from "../../../src/oauth/family/exchange.ts";
import { isEnded, stateOf } from "../../../src/oauth/family/record.ts";
import { judgeRevocation } from "../../../src/oauth/family/revocation.ts";
import type { ExchangeResult } from "../../../src/oauth/repositories.ts";
import {
  attemptOf,
  CATCH_UP,
  isBoundToken,
  type Judge,
  keyHolder,
  NOW,
  proofs,
  type Sent,
  type Setting,
  type Situation,
  WINDOW,
} from "./situation.ts";

/** The promises of docs/architecture.md about a family, as they are asked for in every situation. */

/** @throws Error if a promise is broken */
export function promise(kept: unknown, what: string): void {
  if (!kept) throw new Error(`broken: ${what}`);
}

/** How far the clock of a request's location may be off, in seconds. */
export const clocks = [0, -1];

/** Asks for the promises about every token and every proof, whether or not a party has them. */
export function checkSituation(
  situation: Situation,
  setting: Setting,
  judge: Judge,
): void {
  const { family } = situation;
  const live = new Set<number>();
  for (let generation = 1; generation <= family.generation + 1; generation += 1)
    for (const proof of proofs)
      for (const clock of clocks) {
        const sent = { generation, proof, clock, isRepeat: false };
        const { result } = situation.judge(sent);
        if (makesSuccessor(result)) live.add(generation);
        checkRequest(situation, sent, setting);
        checkScope(situation, sent, setting, judge);
        const isAsked = isForHook(stateOf(family), attemptOf(sent, setting));
        // The function asks the real rules, so it does not agree with other ones.
        if (judge === judgeExchange)
          promise(
            isAsked === (makesSuccessor(result) || isCatchUp(result)),
            "the hook is asked about successors and late holders",
          );
      }
  promise(
    live.size <= 1 && [...live].every((one) => one === family.generation),
    "there is one live token, the newest",
  );
  const changed = judgeClaims(family, { claims: { n: 1 } }, NOW).record;
  if (changed && !isEnded(changed))
    promise(
      keyHolder(changed) === keyHolder(family) &&
        changed.bound_since === family.bound_since,
      "a change of claims keeps the binding",
    );
  const revoked = judgeRevocation(family, builtKey(setting)).record;
  promise(revoked && isEnded(revoked), "any token of a login ends it");
}

/** Promises about one request. */
export function checkRequest(
  situation: Situation,
  sent: Sent,
  setting: Setting,
): void {
  const { family } = situation;
  const { result, after, isWritten } = situation.judge(sent);
  const { generation, proof, clock } = sent;
  const holdersKey = keyHolder(family);
  const isProven = holdersKey !== "none" && proof === holdersKey;
  const hasExpired = NOW + clock >= family.expires_at;
  if (hasExpired) return promise(!isWritten, "what has expired stays as it is");
  if (isBoundToken(family, generation) && !isProven)
    checkTheft(generation <= family.generation, sent, result, isWritten);
  const isSameAttempt = sent.isRepeat && family.last_attempt === "pending";
  if (isSameAttempt && family.generation - generation === 1)
    promise(after && !isWritten, "the same attempt gets the same answer");
  else if (isProven && generation <= family.generation)
    checkHolder(situation, sent, setting);
  if (result.outcome === "refused")
    return promise(!after || !isWritten, "a refusal changes nothing, or ends");

  promise(after, "an exchange ends no login");
  promise(
    result.generation === after?.generation &&
      result.expires_at === after.expires_at,
    "the answer has the newest token",
  );
  promise(
    holdersKey === "none" || isProven || sent.isRepeat,
    "without the key nobody is answered",
  );
  if (result.retried)
    return promise(!isWritten, "a retry and a catch-up write nothing");
  promise(
    generation === family.generation && result.generation === generation + 1,
    "a successor is made of the newest token, once",
  );
  const isBoundNow = setting.thief.length > 0 && proof !== "none";
  if (after && holdersKey === "none" && isBoundNow)
    promise(
      keyHolder(after) === proof && after.bound_since === result.generation,
      "a proof of a public client binds the successor, and no older token",
    );
}

/** The promise about a bound token without its key: it changes nothing, and it is an alarm. */
function checkTheft(
  wasIssued: boolean,
  { proof }: Sent,
  result: ExchangeResult,
  isWritten: boolean,
): void {
  promise(!isWritten, "a bound token without its key changes nothing");
  const stolen = result.outcome === "refused" && result.stolen;
  if (!wasIssued) return promise(!stolen, "a forged token is no alarm");
  const expected = proof === "none" ? "none" : "another_key";
  promise(
    stolen && stolen.proof === expected,
    "a bound token without its key is an alarm",
  );
}

/** The promise to a holder with the key: the newest token, as long as the client's record lets it catch up. */
function checkHolder(
  situation: Situation,
  sent: Sent,
  { hasWindow, hasCatchUp }: Setting,
): void {
  const { generation, last_used_at } = situation.family;
  const age = NOW + sent.clock - last_used_at;
  const distance = generation - sent.generation;
  const isDue =
    distance === 0 ||
    (hasCatchUp && age < CATCH_UP) ||
    (hasWindow && distance === 1 && age < WINDOW);
  const { result, after } = situation.judge(sent);
  promise(
    (result.outcome === "exchanged") === isDue && !after === !isDue,
    `the holder is ${isDue ? "" : "not "}answered ${age} s after the exchange`,
  );
}

/** The promise that a wrong scope hides no reuse, and tells nobody whether a token was used. */
function checkScope(
  situation: Situation,
  sent: Sent,
  setting: Setting,
  judge: Judge,
): void {
  const attempt = attemptOf(sent, setting);
  const requested = { ...attempt.requested, scope: ["admin"] };
  const wrong = judge(situation.family, { ...attempt, requested });
  const { result, after } = situation.judge(sent);
  promise(
    (wrong.record !== undefined) === !after,
    "a wrong scope changes nothing about the end of a login",
  );
  const reason = wrong.result.outcome === "refused" && wrong.result.reason;
  promise(
    (reason === "scope_not_granted") === (result.outcome === "exchanged"),
    "a wrong scope is refused alike for an unused and a used token",
  );
}

/**
 * The promise about theft: once the holder has refreshed, nothing that the thief has is good.
 *
 * @param holders the answer to the holder
 * @param thiefs the requests that the thief can make
 */
export function checkThief(
  after: Situation,
  holders: ExchangeResult,
  thiefs: readonly Sent[],
  { hasWindow }: Setting,
): void {
  // Inside a retry window a bearer token does not tell a thief from the owner.
  const ridesAlong = hasWindow && keyHolder(after.family) === "none";
  if (ridesAlong && holders.outcome === "exchanged" && holders.retried) return;
  for (const sent of thiefs) {
    const { result } = after.judge(sent);
    if (result.outcome === "refused") continue;
    promise(
      ridesAlong && result.retried,
      `after the holder's refresh the thief's token ${sent.generation} is good`,
    );
  }
}

function isCatchUp(result: ExchangeResult): boolean {
  return result.outcome === "exchanged" && result.caught_up !== undefined;
}

function makesSuccessor(result: ExchangeResult): boolean {
  return result.outcome === "exchanged" && !result.retried;
}

function builtKey(setting: Setting) {
  const sent = {
    generation: 1,
    proof: "none",
    clock: 0,
    isRepeat: false,
  } as const;
  return attemptOf(sent, setting);
}
