import { OAuthError } from "../oauth/errors.ts";

/**
 * The most forged tokens that a caller may present per period. The rate limit LEAGUE_FORGERIES in
 * wrangler.toml has the same limit and period; a test compares them.
 */
export const MAX_FORGED = 120;
export const PERIOD_SECONDS = 60;
/** The most callers that an isolate counts. */
const MAX_CALLERS = 1_000;

/** The platform's rate limit binding. It counts over all isolates of a location. */
export interface RateLimit {
  limit(options: { key: string }): Promise<{ success: boolean }>;
}

/** The tokens of one caller in the current period. */
interface CallerCount {
  /** Tokens that are being decrypted: each may be forged. */
  pending: number;
  forged: number;
  /** The end of the period, in milliseconds since 1970. */
  endsAt: number;
}

/**
 * Limits how many forged tokens a caller may present. Only forged ones count, so that a back end may present
 * any number of good ones. The platform's rate limit counts over all isolates of a location, but only after a
 * token was found to be forged. So this class also bounds how many tokens of a caller are decrypted at the
 * same time.
 */
export class ForgeryLimit {
  readonly #platformLimit: RateLimit;
  readonly #counts = new Map<string, CallerCount>();

  constructor(platformLimit: RateLimit) {
    this.#platformLimit = platformLimit;
  }

  /**
   * Decrypts a token, unless the caller has presented too many forged ones.
   *
   * @param decrypt returns undefined for a forged token
   * @throws OAuthError `league_tokens_limited`
   */
  async limit<T>(
    caller: string,
    decrypt: () => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const count = this.#countOf(caller);
    if (count.forged >= MAX_FORGED) throw tooMany(count.endsAt - Date.now());
    // The shortest Retry-After, because the pending tokens may all be good.
    if (count.forged + count.pending >= MAX_FORGED) throw tooMany(0);
    count.pending += 1;
    const result = await decrypt().finally(() => (count.pending -= 1));
    if (result === undefined) await this.#addForged(caller, count);
    return result;
  }

  async #addForged(caller: string, count: CallerCount): Promise<void> {
    count.forged += 1;
    try {
      const { success } = await this.#platformLimit.limit({ key: caller });
      if (!success) count.forged = MAX_FORGED;
    } catch (error) {
      // Without the platform's limit this isolate's own count limits the caller.
      const event = "league_forgeries.unreachable";
      console.error(JSON.stringify({ event, error: String(error) }));
    }
  }

  #countOf(caller: string): CallerCount {
    const known = this.#counts.get(caller);
    const now = Date.now();
    if (known && now < known.endsAt) return known;
    const fresh = {
      pending: 0,
      forged: 0,
      endsAt: now + PERIOD_SECONDS * 1000,
    };
    this.#counts.delete(caller);
    this.#counts.set(caller, fresh);
    const [oldest] = this.#counts.keys();
    if (this.#counts.size > MAX_CALLERS && oldest !== undefined)
      this.#counts.delete(oldest);
    return fresh;
  }
}

/**
 * Makes the refusal: 429 with `Retry-After`. It is not `invalid_grant`, because the token may be good and the
 * client would drop it.
 */
function tooMany(milliseconds: number): OAuthError {
  const seconds = Math.max(1, Math.ceil(milliseconds / 1000));
  return new OAuthError("league_tokens_limited", {
    headers: { "Retry-After": String(seconds) },
  });
}
