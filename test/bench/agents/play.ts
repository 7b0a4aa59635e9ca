import { askedIn } from "./traces/index.ts";
import { type Holder, HOUR, type Step, THIEF, type Trace } from "./trace.ts";

/** One server, as a trace sees it. */
export interface Stage {
  /** Sets the server's clock, in seconds since 1970. */
  setTime(seconds: number): void;
  /** Signs a user in. @returns the first refresh token */
  login(): Promise<string>;
  /**
   * Sends a refresh. @returns the refresh token to use next, or undefined if the server refuses the token
   * @throws if it answers with anything else
   */
  refresh(token: string, sender: Sender): Promise<string | undefined>;
}

/** The one who sends a request. All honest holders of a login have the same key, if their client has one. */
export type Sender = "holder" | "thief";

/** The time from the last step until a token is tried. Not an hour, so that no window ends at that very moment. */
const ASKED_AFTER = 1.5 * HOUR;

/** The outcome for one holder. */
export interface HolderOutcome {
  /** True if its newest token is answered one and a half hours after the last step. */
  alive: boolean;
  /** The number of its requests that were answered with tokens, also if it lost the answer. */
  answered: number;
  refused: number;
}

/** The outcomes of a trace for the holders that are asked at its end, by name. */
export type Outcome = Record<string, HolderOutcome>;

/**
 * Plays a trace. It is played once for each holder that is asked at the end, with a login of its own, because
 * presenting a token may end the login, so that one login can answer only one question.
 *
 * @param now when the first login begins, in seconds since 1970
 * @returns the outcome, and when the last login was asked
 */
export async function play(
  trace: Trace,
  stage: Stage,
  now: number,
): Promise<{ outcome: Outcome; endedAt: number }> {
  const outcome: Outcome = {};
  let start = now;
  for (const name of askedIn(trace)) {
    Object.assign(outcome, await playOnce(trace, stage, start, [name]));
    start += lastStep(trace) + 2 * HOUR;
  }
  return { outcome, endedAt: start };
}

/** Plays a trace with one login, and asks these holders at its end, at the same time and one after the other. */
export async function playOnce(
  trace: Trace,
  stage: Stage,
  start: number,
  asked: readonly string[],
): Promise<Outcome> {
  const scene = await Scene.begin(trace, stage, start);
  for (const step of trace.steps) await scene.take(step);
  const outcome: Outcome = {};
  for (const name of asked)
    outcome[name] = await scene.ask(name, lastStep(trace) + ASKED_AFTER);
  return outcome;
}

function lastStep({ steps }: Trace): number {
  return steps.at(-1)?.at ?? 0;
}

/** A holder while a trace is played. */
class Actor {
  readonly holder: Holder;
  readonly sender: Sender;
  answered = 0;
  refused = 0;
  /** Every token that it has held, the newest last. */
  readonly held: string[] = [];

  constructor(holder: Holder, sender: Sender, first?: string) {
    this.holder = holder;
    this.sender = sender;
    if (first !== undefined) this.held.push(first);
  }
}

/** One login of a trace, with its holders and their store. */
class Scene {
  readonly #stage: Stage;
  readonly #start: number;
  readonly #actors: Map<string, Actor>;
  /** The token in the store, until a holder empties it. */
  #stored: string | undefined;

  private constructor(
    { holders }: Trace,
    stage: Stage,
    start: number,
    first: string,
  ) {
    this.#stage = stage;
    this.#start = start;
    this.#stored = first;
    this.#actors = new Map(
      Object.entries(holders).map(([name, holder]) => [
        name,
        // The thief has nothing yet.
        name === THIEF
          ? new Actor(holder, "thief")
          : new Actor(holder, "holder", first),
      ]),
    );
  }

  static async begin(trace: Trace, stage: Stage, start: number) {
    stage.setTime(start);
    return new Scene(trace, stage, start, await stage.login());
  }

  async take({ at, who, does, answer, from, exchangesAgo }: Step) {
    this.#stage.setTime(this.#start + at);
    const actors = [who].flat().map((name) => this.#actor(name));
    if (does === "refresh") {
      // Each has read the store before the first answer comes.
      const sent = actors.map((actor) => [actor, this.#next(actor)] as const);
      await Promise.all(
        sent.map(([actor, token]) => this.#refresh(actor, token, answer)),
      );
    }
    for (const actor of actors) {
      const taken =
        does === "start"
          ? this.#stored
          : does === "steal"
            ? this.#actor(from ?? "").held.at(-1 - (exchangesAgo ?? 0))
            : undefined;
      if (taken !== undefined) actor.held.push(taken);
    }
  }

  /** Tries the newest token of a holder. */
  async ask(name: string, at: number): Promise<HolderOutcome> {
    const actor = this.#actor(name);
    const { answered, refused } = actor;
    this.#stage.setTime(this.#start + at);
    const token = this.#next(actor);
    const alive =
      token !== undefined &&
      (await this.#stage.refresh(token, actor.sender)) !== undefined;
    return { alive, answered, refused };
  }

  /** The token that a holder sends next. A holder whose store is empty sends nothing. */
  #next({ holder, held }: Actor): string | undefined {
    return holder.reads === "before each refresh" ? this.#stored : held.at(-1);
  }

  async #refresh(
    actor: Actor,
    token: string | undefined,
    answer: Step["answer"],
  ): Promise<void> {
    if (token === undefined) return;
    const { holder, sender } = actor;
    const next = await this.#stage.refresh(token, sender);
    if (next === undefined) {
      actor.refused += 1;
      if (holder.clearsAfterRefusal) this.#stored = undefined;
      return;
    }
    actor.answered += 1;
    if (answer === "lost") return;
    actor.held.push(next);
    if (holder.writes) this.#stored = next;
  }

  #actor(name: string): Actor {
    const actor = this.#actors.get(name);
    if (!actor) throw new Error(`The trace has no holder ${name}.`);
    return actor;
  }
}
