import { OAuthError, type Reason } from "./errors.ts";
import { logEvent } from "./events.ts";
import { Periods } from "./periods.ts";

/** The period of the limits, in seconds. The platform offers 10 and 60. */
export const PERIOD_SECONDS = 60;
/**
 * The most wrong guesses of one network per period. An operator's shell loop with a mistake in it, which tries
 * once per second, stays below. An attacker gets 63 million guesses per year: too few for a secret of 8 random
 * letters, of which there are 200 billion. GUESSES_PER_NETWORK in wrangler.toml has the same limit; a test
 * compares them.
 */
export const MAX_PER_NETWORK = 120;
/**
 * The most wrong guesses of one IPv6 site (/48) per period: those of eight networks. A site has 65,536 networks
 * (RFC 6177), so the limit per network alone would not hold an attacker who has one. GUESSES_PER_SITE in
 * wrangler.toml has the same limit.
 */
export const MAX_PER_SITE = 8 * MAX_PER_NETWORK;
/** The most characters of a client id (`client-metadata.ts`). */
const MAX_ID_CHARACTERS = 255;
/** The time that a shared count may take, in milliseconds. Then this isolate's own count must do. */
const SHARED_WAIT_MS = 1_000;

/**
 * What may be guessed. `isCostly`: an attempt costs much CPU time or a request to another server, and there is no secret
 * that is short enough to guess. So the attempts under way are limited too, and a right one is always accepted.
 */
const kinds = {
  client_secret: { reason: "client_secrets_limited", isCostly: false },
  admin_token: { reason: "admin_tokens_limited", isCostly: false },
  league_token: { reason: "league_tokens_limited", isCostly: true },
  // A document that cannot be read counts as a wrong guess, so that nobody has this server knock on many doors.
  metadata_document: { reason: "metadata_documents_limited", isCostly: true },
  registration_token: {
    reason: "registration_tokens_limited",
    isCostly: false,
  },
} as const satisfies Record<string, { reason: Reason; isCostly: boolean }>;

/** Who makes an attempt, and at what. */
export interface Guesser {
  kind: keyof typeof kinds;
  /**
   * The client id that is presented, whether or not such a client exists. A list if the attempt makes several
   * guesses: the id of each. All must be below the limit, and a wrong attempt counts as that many wrong guesses.
   */
  client_id?: string | readonly string[];
  /** The network that the request came from (`networkOf`). Empty: nobody knows it, so nothing is limited. */
  network: string;
}

/** A count over many isolates. It may be a little late, and it may fail. */
export interface SharedCount {
  /** Counts one wrong guess. `success` is false if the caller is over the limit. */
  limit(options: { key: string }): Promise<{ success: boolean }>;
}

/** The shared counts of a server. */
export interface SharedCounts {
  perNetwork: SharedCount;
  perSite: SharedCount;
}

/** A guesser, as one of the limits counts it. */
interface Caller {
  key: string;
  max: number;
  shared: SharedCount;
}

/** The attempts of one caller in the current period. */
interface Count {
  wrong: number;
  /** Costly attempts under way: each may be wrong. */
  pending: number;
  /** An attempt was refused in this period, and the log has the event. */
  isReported?: true;
}

/**
 * Limits how many wrong guesses a network may make. Only wrong ones count, so that a client with the right
 * secret may send any number of requests, and is not slowed down by guesses from other networks (but from the same
 * IPv6 site, by very many). This isolate's own count holds even if the shared count is late, fails or is missing.
 */
export class GuessLimit {
  readonly #shared: SharedCounts;
  readonly #counts = new Periods<Count>(PERIOD_SECONDS);

  constructor(shared: SharedCounts) {
    this.#shared = shared;
  }

  /**
   * Makes an attempt, unless its network has made too many wrong ones.
   *
   * @param isWrong tells by the result whether the guess was wrong. An attempt that throws does not count.
   * @throws OAuthError `client_secrets_limited`, `admin_tokens_limited`, `league_tokens_limited`,
   *   `metadata_documents_limited` or `registration_tokens_limited`
   */
  async limit<T>(
    guesser: Guesser,
    attempt: () => Promise<T>,
    isWrong: (result: T) => boolean,
  ): Promise<T> {
    if (guesser.network === "") return attempt();
    const { isCostly } = kinds[guesser.kind];
    const callers = this.#callersOf(guesser);
    this.#refuseOverLimit(callers, guesser.kind);
    const pending = isCostly
      ? callers.map(({ key }) => this.#countOf(key))
      : [];
    for (const count of pending) count.pending += 1;
    const result = await attempt().finally(() => {
      for (const count of pending) count.pending -= 1;
    });
    // Attempts at the same time may have used up the limit meanwhile. Then a right guess is refused like a wrong
    // one, or a thousand guesses at once would all be answered.
    if (!isCostly) this.#refuseOverLimit(callers, guesser.kind);
    if (isWrong(result))
      await Promise.all(callers.map((caller) => this.#addWrong(caller)));
    return result;
  }

  /** Asks a shared count for nobody, to see whether it answers. @throws Error if it does not */
  async ask(count: keyof SharedCounts): Promise<void> {
    await within(SHARED_WAIT_MS, this.#shared[count].limit({ key: "doctor" }));
  }

  /**
   * Lists the callers that a guesser counts as, for each of its guesses: its network, and the site of an IPv6
   * network. A caller that makes two guesses is in the list twice.
   */
  #callersOf({ client_id = "", ...guesser }: Guesser): Caller[] {
    return [client_id].flat().flatMap((id) => this.#callersAt(id, guesser));
  }

  #callersAt(client_id: string, { kind, network }: Guesser): Caller[] {
    const { perNetwork, perSite } = this.#shared;
    // A client id may be as long as a body. No client has one that is longer than this.
    const client = client_id.slice(0, MAX_ID_CHARACTERS);
    const callerIn = (place: string, max: number, shared: SharedCount) => ({
      key: `${kind} ${place} ${client}`,
      max,
      shared,
    });
    const own = callerIn(network, MAX_PER_NETWORK, perNetwork);
    if (!network.includes(":")) return [own];
    return [own, callerIn(siteOf(network), MAX_PER_SITE, perSite)];
  }

  #refuseOverLimit(callers: readonly Caller[], kind: Guesser["kind"]): void {
    const now = Date.now();
    for (const { key, max } of callers) {
      const count = this.#counts.current(key);
      if (!count) continue;
      const guesses = callers.filter((caller) => caller.key === key).length;
      const left = max - guesses;
      if (count.wrong > left) throw tooMany(kind, count, count.endsAt - now);
      // The shortest Retry-After, because the pending attempts may all be right.
      if (count.wrong + count.pending > left) throw tooMany(kind, count, 0);
    }
  }

  async #addWrong({ key, max, shared }: Caller): Promise<void> {
    const count = this.#countOf(key);
    count.wrong += 1;
    try {
      const { success } = await within(SHARED_WAIT_MS, shared.limit({ key }));
      if (!success) count.wrong = max;
    } catch (error) {
      // Without the shared count this isolate's own count limits the caller.
      logEvent("guess_limit.unreachable", { error: String(error) });
    }
  }

  #countOf(key: string): Count {
    return (
      this.#counts.current(key) ??
      this.#counts.begin(key, { wrong: 0, pending: 0 })
    );
  }
}

/** Returns the site (/48) of an IPv6 network, which has 65,536 of them. Another network is its own site. */
export function siteOf(network: string): string {
  return network.split(":", 3).join(":");
}

/** Waits for an answer, but no longer than a number of milliseconds. */
export async function within<T>(ms: number, answer: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    const error = new Error(`no answer within ${ms} ms`);
    timer = setTimeout(reject, ms, error);
  });
  return Promise.race([answer, silence]).finally(() => clearTimeout(timer));
}

/**
 * Makes the refusal: 429 with `Retry-After`. It is neither `invalid_client` nor `invalid_grant`, because secret
 * and token may be good, and the client would drop them. The first of a period has the event for the log: one for
 * each refusal would let the guesser write it.
 */
function tooMany(
  kind: Guesser["kind"],
  count: Count,
  milliseconds: number,
): OAuthError {
  const retry_after = Math.max(1, Math.ceil(milliseconds / 1000));
  const isFirst = !count.isReported;
  count.isReported = true;
  return new OAuthError(kinds[kind].reason, {
    headers: { "Retry-After": String(retry_after) },
    ...(isFirst && { limit: { limit: kind, retry_after } }),
  });
}
