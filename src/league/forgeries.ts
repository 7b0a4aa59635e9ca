import { OAuthError } from "../oauth/errors.ts";

/**
 * How many forged tokens a caller may try within the period. The rate limit LEAGUE_FORGERIES in wrangler.toml
 * has the same limit and period; a test compares them.
 */
export const MAX_FORGED = 120;
export const PERIOD_SECONDS = 60;
/** How many callers an isolate keeps count of. */
const MAX_CALLERS = 1_000;

/** Counts for all isolates of a location; a binding of the platform. */
export interface RateLimit {
  limit(options: { key: string }): Promise<{ success: boolean }>;
}

interface Tries {
  /** Under way: each may turn out to be forged. */
  pending: number;
  forged: number;
  /** In milliseconds: then it is forgotten. */
  ends: number;
}

/**
 * Keeps those out who try many forged tokens. Only forged ones count: a back end may bring any number of
 * good ones. The platform's rate limit counts over all isolates of a location, but answers late: what is
 * under way at once is bounded here.
 */
export class Forgeries {
  readonly #limit: RateLimit;
  readonly #tries = new Map<string, Tries>();

  constructor(limit: RateLimit) {
    this.#limit = limit;
  }

  /**
   * Does a piece of work that costs something, unless the caller has tried too many.
   *
   * @param work undefined where the token was forged
   * @throws OAuthError `league_tokens_limited`
   */
  async try<T>(
    caller: string,
    work: () => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const tries = this.#triesOf(caller);
    if (tries.forged >= MAX_FORGED) throw limited(tries.ends - Date.now());
    // Not for long: they may all be good.
    if (tries.forged + tries.pending >= MAX_FORGED) throw limited(1);
    tries.pending += 1;
    const result = await work().finally(() => (tries.pending -= 1));
    if (result === undefined) await this.#count(caller, tries);
    return result;
  }

  async #count(caller: string, tries: Tries): Promise<void> {
    tries.forged += 1;
    try {
      const { success } = await this.#limit.limit({ key: caller });
      if (!success) tries.forged = MAX_FORGED;
    } catch (error) {
      // Then this isolate's own count has to do; the answer is the same.
      const event = "league_forgeries.unreachable";
      console.error(JSON.stringify({ event, error: String(error) }));
    }
  }

  #triesOf(caller: string): Tries {
    const known = this.#tries.get(caller);
    const now = Date.now();
    if (known && now < known.ends) return known;
    const fresh = { pending: 0, forged: 0, ends: now + PERIOD_SECONDS * 1000 };
    this.#tries.delete(caller);
    this.#tries.set(caller, fresh);
    const [oldest] = this.#tries.keys();
    if (this.#tries.size > MAX_CALLERS && oldest !== undefined)
      this.#tries.delete(oldest);
    return fresh;
  }
}

/** Not `invalid_grant`: the token may be good, and a client that believed otherwise would drop it. */
function limited(milliseconds: number): OAuthError {
  const seconds = Math.max(1, Math.ceil(milliseconds / 1000));
  return new OAuthError("league_tokens_limited", {
    headers: { "Retry-After": String(seconds) },
  });
}
