/** What was measured of what a server guarantees to one client. Nothing here is taken from its docs. */
export interface Guarantees {
  /** One token, many times at once: a try each. */
  races: Race[];
  /** The same with the store a millisecond away, where it is in the server's own process otherwise. */
  farRaces?: Race[];
  replay: Replay;
  crash: Crash;
}

/** One token that is exchanged over as many connections at the same moment. */
export interface Race {
  attempts: number;
  /** How many of them were answered with tokens, */
  successes: number;
  /** with how many different refresh tokens, */
  successors: number;
  /** of which so many can be exchanged afterwards. */
  living: number;
}

/** A used token that comes back, as from a thief or from a client that lost an answer. */
export interface Replay {
  /** The one before the previous: its successor has been used. */
  old: "refused" | "answered";
  /** Whether the newest can still be exchanged then. If not, the reuse was noticed. */
  newestLivesAfterOld: boolean;
  /** The previous one, whose successor has not been used. */
  previous: "refused" | "same successor" | "another successor";
  /** Whether the newest that was known before can still be exchanged then. */
  newestLivesAfterPrevious: boolean;
}

/** `kill -9` under load, and a start on what was stored: the sum of several. */
export interface Crash {
  /** Newest tokens, each acknowledged to a client that asked no more. How many are still good? */
  newest: { tried: number; good: number };
  /** Tokens whose exchange was acknowledged. How many are exchanged a second time, for other tokens? */
  used: { tried: number; exchangedAgain: number };
  /** Tokens whose exchange was not answered any more. How many clients go on when they ask again? */
  unanswered: { tried: number; goneOn: number };
}

/** One exchange a token, whatever happens at the same time, and however far away the store is. */
export function isAtomic({ races, farRaces = [] }: Guarantees): boolean {
  return [...races, ...farRaces].every(({ successors }) => successors === 1);
}

export function noticesReuse({ replay }: Guarantees): boolean {
  return replay.old === "refused" && !replay.newestLivesAfterOld;
}

/**
 * What was acknowledged holds: the newest token is good, and the one before it as used up as it was. (Who
 * exchanges used tokens anyhow does so after a crash, too; `isAtomic` is where that counts.)
 */
export function survivesKill({ crash, replay }: Guarantees): boolean {
  const { newest, used } = crash;
  return (
    newest.good === newest.tried &&
    (used.exchangedAgain === 0 || replay.previous === "another successor")
  );
}
