import { DurableObject } from "cloudflare:workers";
import { CODE_SECONDS } from "../oauth/jwt-lifetimes.ts";
import { CLOCK_SKEW_SECONDS } from "../oauth/duration.ts";

/** Each family of the subject is a key of the object's storage: this prefix and the family's id. */
const PREFIX = "family:";
const LOGOUT = "logout";
/**
 * The time that a logout is kept, in milliseconds: until every code from before it has expired by every
 * clock.
 */
const LOGOUT_KEPT_MS = (CODE_SECONDS + CLOCK_SKEW_SECONDS) * 1000;

/**
 * The interval at which the alarm checks whether league tokens are still accepted, in milliseconds: a week.
 */
const LEAGUE_RECHECK_MS = 7 * 24 * 60 * 60 * 1000;
/**
 * The least time that a logout is kept if league tokens were accepted at the time, in milliseconds: a year,
 * also if the key is not set for a while. A league token may live that long (`LONGEST_LIFE`).
 */
const LEAGUE_LOGOUT_KEPT_MS = 366 * 24 * 60 * 60 * 1000;

/** The subject's last "log out everywhere". Times in milliseconds since 1970. */
interface Logout {
  /** By the clock of the Worker that was asked. */
  at_ms: number;
  /** By the clock of this object. */
  forget_at_ms: number;
}

/**
 * Lists the families of one subject. The object's name is the subject. It is called when a family begins or
 * ends, and to list or end all of them; never by a refresh.
 *
 * The index has every family whose tokens were given out. It may also have a family that has ended, for a
 * moment or after a fault, so a reader must ask the families themselves.
 */
export class SubjectIndex extends DurableObject<Env> {
  /**
   * Adds a family. It may be repeated.
   *
   * @param authorizedAtMs when the user authorized the family, in milliseconds since 1970; left out: now. It
   *   is compared with the time of the logout without a tolerance for clock skew, because with one nobody
   *   could sign in again right after a logout
   * @returns false if the user was logged out everywhere since then: the family must not begin
   */
  async add(familyId: string, authorizedAtMs = Infinity): Promise<boolean> {
    if (this.#isLoggedOut(authorizedAtMs)) return false;
    this.ctx.storage.kv.put(PREFIX + familyId, true);
    return true;
  }

  /** Tells whether the user was logged out everywhere since a time, in milliseconds. It writes nothing. */
  async isLoggedOut(authorizedAtMs: number): Promise<boolean> {
    return this.#isLoggedOut(authorizedAtMs);
  }

  /** Refuses from now on to add a family that was authorized at `atMs` or before, in milliseconds since 1970. */
  async logOut(atMs: number): Promise<void> {
    const before = this.#logout() ?? { at_ms: 0, forget_at_ms: 0 };
    const at_ms = Math.max(atMs, before.at_ms);
    const forget_at_ms = Math.max(
      Date.now() + this.#logoutKeptMs(),
      before.forget_at_ms,
    );
    this.ctx.storage.kv.put<Logout>(LOGOUT, { at_ms, forget_at_ms });
    await this.ctx.storage.setAlarm(forget_at_ms);
  }

  /** Removes families. It may be repeated. Without families and a logout the object deletes everything. */
  async remove(familyIds: string[]): Promise<void> {
    for (const familyId of familyIds)
      this.ctx.storage.kv.delete(PREFIX + familyId);
    if (!this.#logout()) await this.#deleteAllIfEmpty();
  }

  /** Lists a page of families, in a fixed order. `after` is the last family of the page before. */
  async list(limit: number, after?: string): Promise<string[]> {
    const page = this.ctx.storage.kv.list({
      prefix: PREFIX,
      limit,
      ...(after !== undefined && { startAfter: PREFIX + after }),
    });
    return [...page].map(([key]) => key.slice(PREFIX.length));
  }

  /** Forgets the logout when no code or league token from before it can be good any more. */
  override async alarm(): Promise<void> {
    const { forget_at_ms } = this.#logout() ?? { forget_at_ms: 0 };
    if (Date.now() < forget_at_ms)
      return this.ctx.storage.setAlarm(forget_at_ms);
    // While league tokens are accepted, one from before the logout may be presented.
    if (this.env.LEAGUE_ENCRYPTION_KEY)
      return this.ctx.storage.setAlarm(Date.now() + LEAGUE_RECHECK_MS);
    this.ctx.storage.kv.delete(LOGOUT);
    await this.#deleteAllIfEmpty();
  }

  #isLoggedOut(authorizedAtMs: number): boolean {
    const logout = this.#logout();
    return logout !== undefined && authorizedAtMs <= logout.at_ms;
  }

  #logoutKeptMs(): number {
    return this.env.LEAGUE_ENCRYPTION_KEY
      ? LEAGUE_LOGOUT_KEPT_MS
      : LOGOUT_KEPT_MS;
  }

  async #deleteAllIfEmpty(): Promise<void> {
    const [left] = this.ctx.storage.kv.list({ prefix: PREFIX, limit: 1 });
    if (!left) await this.ctx.storage.deleteAll();
  }

  #logout(): Logout | undefined {
    return this.ctx.storage.kv.get<Logout>(LOGOUT);
  }
}
