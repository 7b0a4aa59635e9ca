import { DurableObject } from "cloudflare:workers";
import { CODE_SECONDS } from "../oauth/authorization-code.ts";
import { CLOCKS_DIFFER } from "./clocks.ts";

/** The families of one subject, each a key of the object's storage. */
const PREFIX = "family:";
/** When the subject was last logged out everywhere, in milliseconds; kept as long as it matters. */
const LOGGED_OUT_AT = "logged_out_at";
/** Then every code from before has expired, in milliseconds. */
const FORGET_LOGOUT_MS = (CODE_SECONDS + CLOCKS_DIFFER) * 1000;

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
   * @param authorizedAt when its user authorized it, in milliseconds; left out: right now
   * @returns false if the user was logged out everywhere since: then it may not live
   */
  async add(familyId: string, authorizedAt = Infinity): Promise<boolean> {
    if (authorizedAt <= this.#loggedOutAt()) return false;
    this.ctx.storage.kv.put(PREFIX + familyId, true);
    return true;
  }

  /** From here on no family can be added that was authorized before. */
  async logOut(at: number): Promise<void> {
    this.ctx.storage.kv.put(LOGGED_OUT_AT, Math.max(at, this.#loggedOutAt()));
    await this.ctx.storage.setAlarm(Date.now() + FORGET_LOGOUT_MS);
  }

  /** Removing families that are not there changes nothing. With the last one everything is gone. */
  async remove(familyIds: string[]): Promise<void> {
    for (const familyId of familyIds)
      this.ctx.storage.kv.delete(PREFIX + familyId);
    if (this.#loggedOutAt() === 0) await this.#leaveNothing();
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
    this.ctx.storage.kv.delete(LOGGED_OUT_AT);
    await this.#leaveNothing();
  }

  async #leaveNothing(): Promise<void> {
    const [left] = this.ctx.storage.kv.list({ prefix: PREFIX, limit: 1 });
    if (!left) await this.ctx.storage.deleteAll();
  }

  #loggedOutAt(): number {
    return this.ctx.storage.kv.get<number>(LOGGED_OUT_AT) ?? 0;
  }
}
