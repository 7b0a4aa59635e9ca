/**
 * A trace is how the holders of one login send their refreshes: who sends which token when, and which answer is
 * lost. It says nothing of a server, so that every server plays the same one.
 */
export interface Trace {
  /** A short name, which is also its key in the results. */
  title: string;
  /** Says in a sentence or two what happens, and which thread it is from. */
  about: string;
  /** The public threads in which users or operators describe it. */
  sources: readonly string[];
  /** Everybody who holds a token, by name. `THIEF` is the one who should not have it. All others are honest. */
  holders: Readonly<Record<string, Holder>>;
  steps: readonly Step[];
  /** Whose newest token is tried at the end. Left out: that of every holder. */
  asked?: readonly string[];
}

export const THIEF = "thief";

/** A holder's way of keeping its tokens. All honest holders share one store, which has the login's first token. */
export interface Holder {
  /**
   * It reads the store before each refresh, or only at its start and where a step says so. In between it uses the
   * copy in its memory.
   */
  reads: "before each refresh" | "at its start";
  /** True if it writes the tokens that it gets into the store. */
  writes: boolean;
  /** True if it empties the store after a refusal, as clients do that treat `invalid_grant` as a sign-out. */
  clearsAfterRefusal?: true;
}

/** An action of one holder, or of several at the same moment. */
export interface Step {
  /** Seconds since the sign-in. */
  at: number;
  /** Several names send at the same moment, over connections of their own. */
  who: string | readonly string[];
  /**
   * `refresh`: sends the token that it holds, and holds the one that it gets. `start`: begins as a new process,
   * so that it holds what is in the store. `steal`: takes a copy of what another one holds.
   */
  does: "refresh" | "start" | "steal";
  /** The server answers, and the client does not have the answer: it broke off, or the process ended. */
  answer?: "lost";
  /** For `steal`: from whom, and how many exchanges older than its newest token the stolen one is. */
  from?: string;
  exchangesAgo?: number;
}

/** A holder with a store that it shares with the others and reads each time. */
export const sharing: Holder = { reads: "before each refresh", writes: true };
/** A holder with a copy in its memory, which writes to the store and does not look there again. */
export const copying: Holder = { reads: "at its start", writes: true };
/** A holder that has only its memory. */
export const alone: Holder = { reads: "at its start", writes: false };

export const MINUTE = 60;
export const HOUR = 60 * MINUTE;

/** A step in which holders refresh. */
export function refresh(
  at: number,
  who: Step["who"],
  more: Pick<Step, "answer"> = {},
): Step {
  return { at, who, does: "refresh", ...more };
}

/** The same refreshes in each of the hours after the sign-in. */
export function hourly(
  hours: readonly number[],
  steps: (start: number) => readonly Step[],
): Step[] {
  return hours.flatMap((hour) => [...steps(hour * HOUR)]);
}
