import { judgeExchange } from "../../../src/oauth/family/exchange.ts";
import {
  end,
  isEnded,
  type LivingFamily,
  newRecord,
} from "../../../src/oauth/family/record.ts";
import type {
  ExchangeAttempt,
  SeenAssertion,
} from "../../../src/oauth/repositories.ts";
import { familyBuilders } from "../family.ts";
import { promise } from "./promises.ts";
import { search } from "./search.ts";
import type { Judge } from "./situation.ts";

/**
 * A small world around one login of a client with `private_key_jwt`, which may be late. A thief has recorded all of its
 * refreshes, and can send each of them at any time. The client has two processes, whose clocks differ.
 */

const T0 = 1_800_000_000;
/** The clocks of the two processes, compared with ours, and how long nothing happens, in seconds. */
const CLOCKS = [0, 54];
const WAIT = 36;
const WAITS = 2;

/** The rules under test: those of a family, and that of the edge. */
export interface Rules {
  judge: Judge;
  /** A catch-up uses the assertion up. */
  takesAssertion: boolean;
}

export const rules: Rules = { judge: judgeExchange, takesAssertion: true };

/** A refresh of the holder's that was answered. */
interface Recorded {
  generation: number;
  assertion: SeenAssertion;
}

interface State {
  family: LivingFamily;
  now: number;
  recorded: Recorded[];
  /** The digests of the assertions that were used up. */
  taken: string[];
}

const builders = familyBuilders(T0);
const anyAttempt = builders.attempt();

/** Makes an attempt. None has the id of an earlier one. */
function attemptOf(
  { family, now }: Pick<State, "family" | "now">,
  { generation, assertion }: Recorded,
) {
  const attempt: ExchangeAttempt = {
    ...anyAttempt,
    attempt_id: `of generation ${family.generation}`,
    now,
    generation,
    assertion,
    catch_up: { bound: "PT1H", unbound: "PT1H" },
  };
  return attempt;
}

/**
 * Visits every state.
 *
 * @param before how often the login was refreshed in its first second
 * @param exchanges the most exchanges after that
 * @throws Error the shortest history that breaks a promise
 */
export function visitRecordings(
  before: number,
  exchanges: number,
  { judge, takesAssertion }: Rules = rules,
): number {
  /** Sends a request of the holder's. */
  const send = (state: State, request: Recorded) => {
    const { family, recorded, taken } = state;
    const { digest } = request.assertion;
    const { result, record = family } = judge(
      family,
      attemptOf(state, request),
    );
    promise(!isEnded(record), "a holder ends no login of its own");
    const isCatchUp = result.outcome === "exchanged" && result.caught_up;
    const isUsed = isCatchUp && taken.includes(digest);
    const isAnswered = result.outcome === "exchanged" && !isUsed;
    const isTaken = isAnswered && isCatchUp && takesAssertion;
    return {
      isAnswered,
      next: {
        ...state,
        family: record as LivingFamily,
        recorded: isAnswered ? [...recorded, request] : recorded,
        taken: isTaken ? [...taken, digest] : taken,
      },
    };
  };
  const fresh = ({ recorded, now }: State, generation: number, clock = 0) => {
    const digest = `assertion ${recorded.length + 1}`;
    return { generation, assertion: { digest, iat: now + clock } };
  };
  let first: State = {
    family: newRecord(builders.newFamily()),
    now: T0,
    recorded: [],
    taken: [],
  };
  for (let count = 1; count <= before; count += 1)
    first = send(first, fresh(first, count)).next;

  return search(first, JSON.stringify, (state, found) => {
    const { family, now, recorded } = state;
    for (const request of recorded) {
      const { record } = judge(family, attemptOf(state, request));
      promise(
        !record,
        `the recorded ${request.assertion.digest} changes nothing`,
      );
      const { isAnswered } = send(state, request);
      promise(
        !isAnswered,
        `the recorded ${request.assertion.digest} gets nothing`,
      );
    }
    if (now < T0 + WAIT * WAITS)
      found(`${WAIT} seconds pass`, { ...state, now: now + WAIT });
    const newest = Math.max(
      0,
      ...recorded.map((one) => one.assertion.iat ?? 0),
    );
    const answers = recorded.length - before;
    // The rules do not tell used tokens apart, so a late holder sends the first.
    for (const generation of new Set([1, family.generation]))
      for (const clock of CLOCKS) {
        const request = fresh(state, generation, clock);
        const { isAnswered, next } = send(state, request);
        // A login that was refreshed more often in a minute than it remembers asks for a later assertion.
        const isDue = before === 0 || now + clock > newest;
        promise(isAnswered || !isDue, "a new assertion of the holder is good");
        if (isAnswered && answers < exchanges)
          found(`token ${generation} is sent, iat ${now + clock - T0}`, next);
      }
    const last = recorded.at(-1);
    if (!last) return;
    // A client may send one assertion until it expires.
    const again = { ...last, generation: family.generation };
    const { isAnswered, next } = send(state, again);
    promise(isAnswered, "an exchange may have the assertion of the one before");
    if (answers < exchanges)
      found(`token ${family.generation} is sent, the assertion again`, next);
  });
}

/** Makes rules that see another record, or another attempt. */
const seeing = (
  change: (
    family: LivingFamily,
    attempt: ExchangeAttempt,
  ) => [LivingFamily, ExchangeAttempt],
): Rules => ({
  ...rules,
  judge: (record, attempt) =>
    !record || isEnded(record)
      ? judgeExchange(record, attempt)
      : judgeExchange(...change(record, attempt)),
});

/** Rules that are wrong on purpose. */
export const wrongRecordingRules: Record<string, Rules> = {
  "nobody looks at assertions": seeing((family, attempt) => {
    const { assertion: _none, ...others } = attempt;
    return [family, others];
  }),
  "only the newest assertion is remembered": seeing((family, attempt) => {
    const { last_assertions = [] } = family;
    const newest = last_assertions.slice(-1);
    return [{ ...family, last_assertions: newest }, attempt];
  }),
  "the assertions of one clock are remembered, that of the newest exchange":
    seeing((family, attempt) => {
      const iat = family.last_assertions?.at(-1)?.iat ?? 0;
      const assertions_since = iat - 60;
      return [{ ...family, assertions_since }, attempt];
    }),
  "an assertion must be later than that of the newest exchange": seeing(
    (family, attempt) => {
      const iat = family.last_assertions?.at(-1)?.iat ?? 0;
      return [{ ...family, assertions_since: iat + 1 }, attempt];
    },
  ),
  "a recorded request ends the login": {
    ...rules,
    judge: (record, attempt) => {
      const verdict = judgeExchange(record, attempt);
      const { result } = verdict;
      const isRecorded = result.outcome === "refused" && result.stolen;
      return isRecorded && record && !isEnded(record)
        ? { result, ...end(record) }
        : verdict;
    },
  },
  "a catch-up does not use its assertion up": {
    ...rules,
    takesAssertion: false,
  },
};
