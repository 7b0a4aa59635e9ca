import { DurableObject } from "cloudflare:workers";
import { CODE_SECONDS } from "../oauth/authorization/code.ts";
import { CLOCK_SKEW_SECONDS } from "../oauth/duration.ts";

/** The families of one subject, each a key of the object's storage. */
const PREFIX = "family:";
const LOGOUT = "logout";
/** After that time every code from before a logout has expired, in milliseconds. */
const LOGOUT_MATTERS_MS = (CODE_SECONDS + CLOCK_SKEW_SECONDS) * 1000;

/** How often it is asked whether tokens of an old server are still taken. */
const ASK_AGAIN_MS = 7 * 24 * 60 * 60 * 1000;
/** A logout at a time when they were taken matters for a year at least, also if they are not for a while. */
const LEAGUE_LOGOUT_MATTERS_MS = 366 * 24 * 60 * 60 * 1000;

/** When the subject was last logged out everywhere, by the clock of where that was asked for. */
interface Logout {
  at_ms: number;
  /** From then on it can't matter any more, by the clock here. */
  forget_at_ms: number;
}

/**
 * Which families a subject has: one object a subject, found by its name. It is touched when a family
 * is made or ends, and to list them or to end them all; never by a refresh.
 *
 * It may name a family that has ended, for a moment or after a fault, and never lacks one whose
 * tokens were given out: whoever reads it asks the families themselves.
 */
export class SubjectIndex extends DurableObject<Env> {
  /**
   * Adding a family that is there already changes nothing.
   *
   * @param authorizedAtMs when its user authorized it, in milliseconds; left out: right now. It is
   *   compared with the time of a logout as it is: clocks of two locations differ by little, and with
   *   room to spare nobody could sign in again just after
   * @returns false if the user was logged out everywhere since: then it may not live
   */
  async add(familyId: string, authorizedAtMs = Infinity): Promise<boolean> {
    if (this.#isLoggedOut(authorizedAtMs)) return false;
    this.ctx.storage.kv.put(PREFIX + familyId, true);
    return true;
  }

  /** Whether the user was logged out everywhere since; asking writes nothing. */
  async isLoggedOut(authorizedAtMs: number): Promise<boolean> {
    return this.#isLoggedOut(authorizedAtMs);
  }

  /** From here on no family can be added that was authorized before. */
  async logOut(atMs: number): Promise<void> {
    const before = this.#logout() ?? { at_ms: 0, forget_at_ms: 0 };
    const at_ms = Math.max(atMs, before.at_ms);
    const forget_at_ms = Math.max(
      Date.now() + this.#matters(),
      before.forget_at_ms,
    );
    this.ctx.storage.kv.put<Logout>(LOGOUT, { at_ms, forget_at_ms });
    await this.ctx.storage.setAlarm(forget_at_ms);
  }

  /** Removing families that are not there changes nothing. With the last one everything is gone. */
  async remove(familyIds: string[]): Promise<void> {
    for (const familyId of familyIds)
      this.ctx.storage.kv.delete(PREFIX + familyId);
    if (!this.#logout()) await this.#leaveNothing();
  }

  /** Some families, in an order that does not change; `after` is the last one of the page before. */
  async list(limit: number, after?: string): Promise<string[]> {
    const page = this.ctx.storage.kv.list({
      prefix: PREFIX,
      limit,
      ...(after !== undefined && { startAfter: PREFIX + after }),
    });
    return [...page].map(([key]) => key.slice(PREFIX.length));
  }

  /** Forgets a logout that can no longer matter. */
  override async alarm(): Promise<void> {
    const { forget_at_ms } = this.#logout() ?? { forget_at_ms: 0 };
    if (Date.now() < forget_at_ms)
      return this.ctx.storage.setAlarm(forget_at_ms);
    // A token of the old server, from before, may turn up for as long as they are taken.
    if (this.env.LEAGUE_ENCRYPTION_KEY)
      return this.ctx.storage.setAlarm(Date.now() + ASK_AGAIN_MS);
    this.ctx.storage.kv.delete(LOGOUT);
    await this.#leaveNothing();
  }

  #isLoggedOut(authorizedAtMs: number): boolean {
    const logout = this.#logout();
    return logout !== undefined && authorizedAtMs <= logout.at_ms;
  }

  #matters(): number {
    return this.env.LEAGUE_ENCRYPTION_KEY
      ? LEAGUE_LOGOUT_MATTERS_MS
      : LOGOUT_MATTERS_MS;
  }

  async #leaveNothing(): Promise<void> {
    const [left] = this.ctx.storage.kv.list({ prefix: PREFIX, limit: 1 });
    if (!left) await this.ctx.storage.deleteAll();
  }

  #logout(): Logout | undefined {
    return this.ctx.storage.kv.get<Logout>(LOGOUT);
  }
}
