import type { ExchangeResult } from "../../../src/oauth/repositories.ts";
import {
  checkRequest,
  checkSituation,
  checkThief,
  clocks,
  promise,
} from "./promises.ts";
import {
  type Judge,
  NOW,
  type Sent,
  type Setting,
  type Situation,
  World,
} from "./situation.ts";

/**
 * A small world around one family, all of whose states are visited: a holder, a thief who takes any token of the
 * holder's at any time, answers that are lost, and requests that come late. Each request is judged by the real rules.
 *
 * Processes of the holder are not told apart: one that is late sends an older token of the holder's.
 */

/** The time for which the edge repeats an attempt, in seconds. */
const EDGE_REPEATS = 2;

type Party = "holder" | "thief";

/** One state of the world. */
interface State {
  situation: Situation;
  /** The generations whose tokens the parties have, as bits. */
  holder: number;
  thief: number;
  /** An attempt that the edge will repeat, because its answer was lost on the way to the edge. */
  pending: (Sent & { party: Party }) | undefined;
}

/** What was visited. */
export interface Visit {
  states: number;
  situations: number;
  /** The requests between the states, by their outcome. */
  outcomes: Record<string, number>;
}

type Found = (what: string, state: State) => void;

/**
 * Visits every state of a world, the nearest first.
 *
 * @throws Error the shortest history that breaks a promise
 */
export function visitAll(setting: Setting, judge?: Judge): Visit {
  const world = new World(setting, judge);
  const visit: Visit = { states: 0, situations: 0, outcomes: {} };
  const ways = new Map<string, { from: string; what: string }>();
  const checked = new Set<Situation>();
  let found: State[] = [];
  const arriveAt = (from: string, what: string, state: State) => {
    const key = keyOf(state);
    if (ways.has(key)) return;
    ways.set(key, { from, what });
    found.push(state);
  };
  const first = { situation: world.first, holder: 2, thief: 0 };
  arriveAt("", "", { ...first, pending: undefined });
  while (found.length > 0) {
    const current = found;
    found = [];
    for (const state of current) {
      visit.states += 1;
      const here = keyOf(state);
      let last = "";
      try {
        if (!checked.has(state.situation))
          checkSituation(state.situation, setting, world.judge);
        checked.add(state.situation);
        explore(state, setting, visit, (what, next) => {
          last = what;
          arriveAt(here, what, next);
        });
      } catch (error) {
        const history = historyOf(here, ways);
        throw new Error(
          `${setting.name}: ${String(error)}, after:\n${history}\n  (${last})`,
          { cause: error },
        );
      }
    }
  }
  return { ...visit, situations: checked.size };
}

/** Finds every state that follows. */
function explore(
  state: State,
  setting: Setting,
  visit: Visit,
  found: Found,
): void {
  const { situation, holder, thief, pending } = state;
  if (situation.family.expires_at >= NOW)
    found("a second passes", { ...state, ...aSecondLater(state) });
  if (setting.thief.length > 0)
    for (const one of generationsIn(holder & ~thief))
      found(`the thief takes token ${one}`, {
        ...state,
        thief: thief | (1 << one),
      });
  const recorded = setting.hasRecorded ? setting.holder : [];
  const sendable = {
    holder: setting.holder,
    thief: [...setting.thief, ...recorded],
  };
  for (const party of ["holder", "thief"] as const)
    for (const sent of requestsOf(state[party], sendable[party]))
      send(state, { ...sent, party }, setting, visit, found);
  if (!pending) return;
  found("the edge gives up", withoutPending(state));
  send(state, pending, setting, visit, found);
}

/** Judges a request, asks for the promises about it, and finds the states after it. */
function send(
  state: State,
  sent: Sent & { party: Party },
  setting: Setting,
  visit: Visit,
  found: Found,
): void {
  const { situation, pending } = state;
  const { party, isRepeat } = sent;
  const { result, after } = situation.judge(sent);
  const outcome = outcomeOf(result);
  visit.outcomes[outcome] = (visit.outcomes[outcome] ?? 0) + 1;
  checkRequest(situation, sent, setting);
  if (!after) {
    const hasKey = setting.holder.includes(sent.proof);
    promise(
      !setting.isBound || party === "holder" || hasKey,
      "a thief without the key ends no login that is bound",
    );
    return;
  }
  if (after.generation > setting.generations) return;
  const changed = situation.at(after);
  const isNew = changed.family.last_attempt === "new";
  if (party === "holder" && NOW + sent.clock < situation.family.expires_at)
    checkThief(changed.done, result, thiefsRequests(state, setting), setting);
  if (result.outcome === "refused") return;

  const settled = isNew ? changed.done : changed;
  const what = `the ${party} sends token ${sent.generation}, proof ${sent.proof}, clock ${sent.clock}${isRepeat ? ", again" : ""}: ${outcome}`;
  const bit = 1 << result.generation;
  const next = { ...state, situation: settled };
  const answered = { ...next, [party]: state[party] | bit };
  found(what, isRepeat ? withoutPending(answered) : answered);
  found(`${what}, and the answer is lost`, next);
  if (!pending)
    found(`${what}, and the edge gets no answer`, {
      ...next,
      situation: isNew ? changed.pending : changed,
      pending: { ...sent, isRepeat: true },
    });
}

function aSecondLater({ situation, pending }: State): Partial<State> {
  const later = situation.later;
  if (!pending) return { situation: later };
  const clock = pending.clock - 1;
  return clock < -EDGE_REPEATS
    ? { situation: later.done, pending: undefined }
    : { situation: later, pending: { ...pending, clock } };
}

/** The edge gives up. Nobody can send an attempt of that name again. */
function withoutPending(state: State): State {
  return { ...state, situation: state.situation.done, pending: undefined };
}

function requestsOf(tokens: number, proofs: Setting["thief"]): Sent[] {
  return generationsIn(tokens).flatMap((generation) =>
    proofs.flatMap((proof) =>
      clocks.map((clock) => ({ generation, proof, clock, isRepeat: false })),
    ),
  );
}

/** Returns the requests that the thief can make by himself, and the one that the edge repeats for him. */
function thiefsRequests({ thief, pending }: State, setting: Setting): Sent[] {
  const requests = requestsOf(thief, setting.thief);
  const isHis =
    pending?.party === "thief" && setting.thief.includes(pending.proof);
  return isHis ? [...requests, pending] : requests;
}

function outcomeOf(result: ExchangeResult): string {
  if (result.outcome === "refused") return result.reason;
  if (result.caught_up) return "caught up";
  if (result.retry) return "retried in the window";
  return result.retried ? "repeated" : "exchanged";
}

function generationsIn(bits: number): number[] {
  const found = [];
  for (let generation = 1; 1 << generation <= bits; generation += 1)
    if (bits & (1 << generation)) found.push(generation);
  return found;
}

function keyOf({ situation, holder, thief, pending }: State): string {
  const { party, generation, proof, clock } = pending ?? {};
  return `${situation.id} ${holder} ${thief} ${party} ${generation} ${proof} ${clock}`;
}

function historyOf(
  last: string,
  ways: Map<string, { from: string; what: string }>,
): string {
  const steps = [];
  for (let key = last; key !== "";) {
    const { from, what } = ways.get(key)!;
    steps.unshift(`  ${what}`);
    key = from;
  }
  return steps.join("\n");
}
