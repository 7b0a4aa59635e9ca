/** The measured guarantees of a server to one client. Nothing here is taken from its documentation. */
export interface Guarantees {
  /** Races for one token, one entry per try. */
  races: Race[];
  /** Races with the store a millisecond away. Only for a server whose store is in its own process. */
  farRaces?: Race[];
  replay: Replay;
  crash: Crash;
}

/** One token that is presented over many connections at the same moment. */
export interface Race {
  attempts: number;
  /** How many attempts were answered with tokens. */
  successes: number;
  /** How many different refresh tokens those answers had. */
  successors: number;
  /** How many of those refresh tokens can be exchanged afterwards. */
  living: number;
}

/** A used token that is presented again, as by a thief or by a client that lost an answer. */
export interface Replay {
  /** The token before the previous one. Its successor has been used. */
  old: "refused" | "answered";
  /** True if the newest token can still be exchanged afterwards. If not, the reuse was noticed. */
  newestLivesAfterOld: boolean;
  /** The previous token. Its successor has not been used. */
  previous: "refused" | "same successor" | "another successor";
  /** True if the token that was the newest before can still be exchanged afterwards. */
  newestLivesAfterPrevious: boolean;
}

/** The outcome of `kill -9` under load and a restart with the stored data, summed over several crashes. */
export interface Crash {
  /** Newest tokens that were acknowledged to clients which then stopped. How many are still valid? */
  newest: { tried: number; good: number };
  /** Tokens whose exchange was acknowledged. How many are exchanged a second time, for different tokens? */
  used: { tried: number; exchangedAgain: number };
  /** Tokens whose exchange was not answered. How many clients succeed when they present them again? */
  unanswered: { tried: number; goneOn: number };
}

/** True if each token was exchanged once, with concurrent attempts and with any distance to the store. */
export function isAtomic({ races, farRaces = [] }: Guarantees): boolean {
  return [...races, ...farRaces].every(({ successors }) => successors === 1);
}

export function noticesReuse({ replay }: Guarantees): boolean {
  return replay.old === "refused" && !replay.newestLivesAfterOld;
}

/**
 * True if acknowledged exchanges survive a kill: the newest token is valid, and the one before it is used up
 * as before. (A server that always exchanges the previous token again also does so after a crash. `isAtomic`
 * counts that, not this function.)
 */
export function survivesKill({ crash, replay }: Guarantees): boolean {
  const { newest, used } = crash;
  return (
    newest.good === newest.tried &&
    (used.exchangedAgain === 0 || replay.previous === "another successor")
  );
}
