import { judgeExchange } from "../../../src/oauth/family/exchange.ts";
import {
  end,
  isEnded,
  type LivingFamily,
  refused,
  type Verdict,
} from "../../../src/oauth/family/record.ts";
import type {
  ExchangeAttempt,
  ExchangeResult,
} from "../../../src/oauth/repositories.ts";
import type { Judge } from "./situation.ts";

/** Rules that are wrong on purpose. A search that does not find the fault of each would show nothing. */

type JudgeLiving = (
  family: LivingFamily,
  attempt: ExchangeAttempt,
) => Verdict<ExchangeResult>;

const living =
  (judge: JudgeLiving): Judge =>
  (record, attempt) =>
    isEnded(record) ? judgeExchange(record, attempt) : judge(record, attempt);

/** Judges as if the request had proven the key of the family. */
const asProven: JudgeLiving = (family, attempt) => {
  const { cnf } = family.login;
  return judgeExchange(family, { ...attempt, ...(cnf && { proven: cnf }) });
};

const isOfBearers = (
  { bound_since = 1 }: LivingFamily,
  { generation }: ExchangeAttempt,
) => generation < bound_since;

const withCatchUp = (
  attempt: ExchangeAttempt,
  bound: string,
  unbound: string,
) => ({
  ...attempt,
  catch_up: { bound, unbound },
});

function isStolen({ result }: Verdict<ExchangeResult>): boolean {
  return result.outcome === "refused" && result.stolen !== undefined;
}

function isCaughtUp({ result }: Verdict<ExchangeResult>): boolean {
  return result.outcome === "exchanged" && result.caught_up !== undefined;
}

export const wrongRules: Record<string, Judge> = {
  "nobody needs a proof": living(asProven),
  "any proof is good": living((family, attempt) =>
    (attempt.proven ? asProven : judgeExchange)(family, attempt),
  ),
  "a bound token without its key ends the login": living((family, attempt) => {
    const verdict = judgeExchange(family, attempt);
    return isStolen(verdict) ? { ...verdict, ...end(family) } : verdict;
  }),
  "a theft is no alarm": living((family, attempt) => {
    const verdict = judgeExchange(family, attempt);
    if (!isStolen(verdict)) return verdict;
    const { stolen: _none, ...result } = verdict.result as Extract<
      ExchangeResult,
      { outcome: "refused" }
    >;
    return { result };
  }),
  "a bearer token of a family that was bound later needs no proof": living(
    (family, attempt) =>
      (isOfBearers(family, attempt) ? asProven : judgeExchange)(
        family,
        attempt,
      ),
  ),
  "the bearer tokens of a family that was bound later are bound, too": living(
    (family, attempt) => {
      const { bound_since: _none, ...all } = family;
      return judgeExchange(all, attempt);
    },
  ),
  "the retry window is open for bearers after the family was bound": living(
    (family, attempt) => {
      if (!isOfBearers(family, attempt)) return judgeExchange(family, attempt);
      const { cnf: _none, ...login } = family.login;
      const verdict = judgeExchange({ ...family, login }, attempt);
      return verdict.result.outcome === "exchanged" && verdict.result.retry
        ? verdict
        : judgeExchange(family, attempt);
    },
  ),
  "no successor is bound": living((family, attempt) => {
    const { binds: _none, ...bearer } = attempt;
    return judgeExchange(family, bearer);
  }),
  "a late holder makes a successor": living((family, attempt) => {
    const verdict = judgeExchange(family, attempt);
    const { generation } = family;
    return isCaughtUp(verdict)
      ? judgeExchange(family, { ...attempt, generation })
      : verdict;
  }),
  "a late holder gets the successor of its own token": living(
    (family, attempt) => {
      const verdict = judgeExchange(family, attempt);
      const generation = attempt.generation + 1;
      return isCaughtUp(verdict)
        ? { result: { ...verdict.result, generation } as ExchangeResult }
        : verdict;
    },
  ),
  "a late holder makes the time for others longer": living(
    (family, attempt) => {
      const verdict = judgeExchange(family, attempt);
      const last_used_at = attempt.now;
      return isCaughtUp(verdict)
        ? { ...verdict, record: { ...family, last_used_at } }
        : verdict;
    },
  ),
  "nobody may be late": living((family, attempt) =>
    judgeExchange(family, withCatchUp(attempt, "PT0S", "PT0S")),
  ),
  "a holder may be late for ever": living((family, attempt) =>
    judgeExchange(family, withCatchUp(attempt, "P1Y", "PT0S")),
  ),
  "a slow clock opens what is closed": living((family, attempt) => {
    const isBehind = attempt.now < family.last_used_at;
    const late = isBehind ? withCatchUp(attempt, "PT1S", "PT0S") : attempt;
    return judgeExchange(family, late);
  }),
  "bearers may be late": living((family, attempt) => {
    const { bound = "PT0S" } = attempt.catch_up ?? {};
    return judgeExchange(family, withCatchUp(attempt, bound, "PT4S"));
  }),
  "a used token is refused, and that is all": living((family, attempt) => {
    const { result, record } = judgeExchange(family, attempt);
    return !record || isEnded(record) ? { result } : { result, record };
  }),
  "the scope is looked at first": living((family, attempt) => {
    const { scope } = attempt.requested;
    const isWrong = Array.isArray(scope) && scope.includes("admin");
    return isWrong && attempt.generation <= family.generation
      ? { result: refused("scope_not_granted") }
      : judgeExchange(family, attempt);
  }),
  "the same attempt is a new one": living((family, attempt) =>
    judgeExchange(family, { ...attempt, attempt_id: "new" }),
  ),
};
