import { DurableObject } from "cloudflare:workers";
import type {
  ExchangeAttempt,
  ExchangeResult,
  FamilyKey,
  FamilyState,
  NewFamily,
  Redemption,
  RedemptionResult,
  RevocationResult,
} from "../oauth/repositories.ts";
import { judgeExchange } from "../oauth/family/exchange.ts";
import {
  begun,
  ended,
  type EndedFamily,
  endOf,
  forgetAt,
  type LivingFamily,
  refuseForeign,
  refuseRedemption,
  withAttempt,
} from "../oauth/family/record.ts";

const RECORD = "family";

/** How long to wait before the index is told again that the family has ended, in milliseconds. */
const TELL_AGAIN_MS = 60_000;

/**
 * One family of refresh tokens: all the tokens that descend from one authorization.
 *
 * It is the one place where an exchange is decided. `ctx.storage.kv` is synchronous: a method without
 * an `await` between reading and writing is one atomic step, and the platform holds its answer back
 * until what it wrote is durable. Methods return results: exceptions do not survive RPC well.
 *
 * While it lives it keeps one record and one alarm. When it ends, its alarm takes it out of the
 * subject's index and deletes everything; a token whose family keeps nothing is not good.
 */
export class TokenFamily extends DurableObject<Env> {
  /**
   * Makes the family: two rows written, the record and the alarm. The same call again changes
   * nothing, so it may be repeated when its answer was lost.
   */
  async create(family: NewFamily): Promise<void> {
    if (this.#read()) return;
    await this.#begin(family);
  }

  /**
   * Makes the family of an authorization code, the first time. What is left of a family stays until no
   * code can name it any more, so that there is no second first time.
   */
  async redeem(
    family: NewFamily,
    redemption: Redemption,
  ): Promise<RedemptionResult> {
    const before = this.#read();
    if (!before || ("abandoned" in before && before.abandoned)) {
      await this.#begin(family, redemption);
      return { outcome: "redeemed" };
    }
    const isOver = "ended" in before;
    if (!isOver && before.redemption?.attempt_id === redemption.attempt_id)
      return { outcome: "redeemed" };
    const reason = refuseRedemption(before, redemption);
    if (!isOver && reason === "authorization_code_reused") this.#end(before);
    return refused(reason);
  }

  /**
   * Takes a redemption back whose tokens were not made: the code is good once more. The family stays
   * until no code can make it, and takes care that the index does not go on naming it.
   */
  async abandon(attemptId: string): Promise<void> {
    const family = this.#living();
    if (!family?.redemption || family.abandoned) return;
    const { attempts = [family.redemption.attempt_id] } = family;
    if (!attempts.includes(attemptId)) return;
    const others = attempts.filter((one) => one !== attemptId);
    if (others.length > 0) return this.#write({ ...family, attempts: others });
    this.#write({ ...family, abandoned: true, expires_at: 0 });
    const { redeemable_until } = family.redemption;
    await this.ctx.storage.setAlarm(forgetAt(redeemable_until));
  }

  /**
   * Exchanges the family's newest token for the next one, or says why not. Writes one row or none.
   *
   * @param as as JSON: an object that is got by RPC comes with a method to dispose of it, and that costs
   *   the Worker more than the rest of the call
   */
  exchange(attempt: ExchangeAttempt, as?: "text"): ExchangeResult | string {
    const result = this.#settle(this.#living(), attempt);
    return as === "text" ? JSON.stringify(result) : result;
  }

  #settle(
    family: LivingFamily | undefined,
    attempt: ExchangeAttempt,
  ): ExchangeResult {
    const { result, newest, ends } = judgeExchange(family, attempt);
    if (ends) this.#end(ends);
    if (newest) {
      this.#write(newest);
      // The client's lifetimes were cut: the family may end before its alarm would look.
      if (family && newest.expires_at < family.expires_at)
        this.#wakeAt(newest.expires_at * 1000);
    }
    return result;
  }

  /** Whether the first token was exchanged, and that was not taken back: reading writes nothing. */
  async hasBegun(): Promise<boolean> {
    const family = this.#read();
    return family !== undefined && !("abandoned" in family && family.abandoned);
  }

  /**
   * Exchanges the token of another server, which is the family's first: where there is no family yet it
   * begins with this exchange, in the same step. Once begun, what is left of it stays until the token
   * would have expired, so that there is no second beginning.
   *
   * @param newFamily as it is before the exchange
   * @param redemption how it begins: `abandon` takes it back
   * @returns an ExchangeResult as JSON
   */
  adopt(
    newFamily: NewFamily,
    redemption: Redemption,
    attempt: ExchangeAttempt,
  ): string {
    const before = this.#read();
    const { attempt_id } = attempt;
    const begins = !before || ("abandoned" in before && before.abandoned);
    const family = begins
      ? { ...begun(newFamily, redemption), attempts: [attempt_id] }
      : this.#living();
    const result = this.#settle(family, attempt);
    if (result.outcome === "exchanged") {
      if (begins) this.#wakeAt(result.expires_at * 1000);
      else if (family) this.#noteAttempt(family, attempt_id);
    }
    return JSON.stringify(result);
  }

  /** Who was first may meet a fault: what another one is given meanwhile it must not take back. */
  #noteAttempt(family: LivingFamily, attemptId: string): void {
    const attempts = withAttempt(family.attempts ?? [], attemptId);
    if (attempts) this.#write({ ...family, attempts });
  }

  /**
   * Ends the family, for whoever shows that a token of it is theirs; an administrator shows nothing.
   * A family that has ended already, or never was, stays as it is.
   */
  async revoke(key?: FamilyKey): Promise<RevocationResult> {
    const family = this.#living();
    if (!family) return { outcome: "ended_before" };
    const foreign = key && refuseForeign(family, key);
    if (foreign) return refused(foreign);
    this.#end(family);
    return { outcome: family.abandoned ? "ended_before" : "revoked" };
  }

  /** What the family is right now; undefined if it has ended. One that has expired ends by its alarm. */
  async look(): Promise<FamilyState | undefined> {
    const family = this.#living();
    if (!family) return undefined;
    const { client_id, client_issued_at, subject, scope, resource } = family;
    const { secret_hash, generation } = family;
    const { created_at, last_used_at, expires_at } = family;
    return {
      client_id,
      client_issued_at,
      subject,
      scope,
      resource,
      secret_hash,
      generation,
      created_at,
      last_used_at,
      expires_at,
    };
  }

  /**
   * Ends the family when its newest token has expired, else sleeps until that expires: set once when
   * the family is made, so that a refresh does not pay for it. Of a family that has ended it tells
   * the subject's index, and then leaves nothing; where a code could still name the family, not before
   * that is over. Then the index is told once more: who made the family may have told it late.
   */
  override async alarm(): Promise<void> {
    const family = this.#read();
    if (!family) return;
    const isOver = "ended" in family;
    const endsAt = isOver ? 0 : endOf(family);
    if (Date.now() < endsAt) return this.ctx.storage.setAlarm(endsAt);
    const { subject, redeemed } = isOver ? family : ended(family);
    // Before anything is awaited: nobody may exchange a token while the family is on its way out.
    if (!isOver) this.#write(ended(family));
    const index = this.env.SUBJECT_INDEX;
    try {
      await index
        .get(index.idFromName(subject))
        .remove([this.ctx.id.toString()]);
    } catch (error) {
      const event = "subject_index.unreachable";
      console.error(JSON.stringify({ event, error: String(error) }));
      return this.ctx.storage.setAlarm(Date.now() + TELL_AGAIN_MS);
    }
    const mayForget = redeemed ? forgetAt(redeemed.redeemable_until) : 0;
    if (Date.now() < mayForget) return this.ctx.storage.setAlarm(mayForget);
    await this.ctx.storage.deleteAll();
  }

  async #begin(family: NewFamily, redemption?: Redemption): Promise<void> {
    this.#write(begun(family, redemption));
    await this.ctx.storage.setAlarm(family.expires_at * 1000);
  }

  /** From here on no token of the family is good; the alarm does the rest, and tries until it can. */
  #end(family: LivingFamily): void {
    this.#write(ended(family));
    this.#wakeAt(Date.now());
  }

  /** Part of the same step as what was written before: nothing waits for it but the answer. */
  #wakeAt(milliseconds: number): void {
    void this.ctx.storage.setAlarm(milliseconds);
  }

  #living(): LivingFamily | undefined {
    const family = this.#read();
    return family && "ended" in family ? undefined : family;
  }

  #read(): LivingFamily | EndedFamily | undefined {
    return this.ctx.storage.kv.get<LivingFamily | EndedFamily>(RECORD);
  }

  #write(record: LivingFamily | EndedFamily): void {
    this.ctx.storage.kv.put(RECORD, record);
  }
}

function refused<R>(reason: R): { outcome: "refused"; reason: R } {
  return { outcome: "refused", reason };
}
