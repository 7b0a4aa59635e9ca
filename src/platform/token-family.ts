import { DurableObject } from "cloudflare:workers";
import { judgeExchange } from "../oauth/family/exchange.ts";
import {
  endsByItselfAt,
  type FamilyRecord,
  forgettableAt,
  isAbandoned,
  isEnded,
  endedRecord,
  type Verdict,
} from "../oauth/family/record.ts";
import {
  judgeAbandonment,
  judgeAdoption,
  judgeCreation,
  judgeRedemption,
} from "../oauth/family/redemption.ts";
import { judgeRevocation } from "../oauth/family/revocation.ts";
import type {
  ExchangeAttempt,
  FamilyKey,
  FamilyState,
  NewFamily,
  Redemption,
  RedemptionResult,
  RevocationResult,
} from "../oauth/repositories.ts";

const RECORD = "family";

/** How long to wait before the index is told again that the family has ended, in milliseconds. */
const TELL_AGAIN_MS = 60_000;

/**
 * The latest alarm, in milliseconds since 1970: the year 2150. The platform refuses alarms after 2189; one
 * that goes off too early is set again.
 */
const LATEST_ALARM_MS = 5_680_281_600_000;

/**
 * One family of refresh tokens: all the tokens that descend from one authorization.
 *
 * It is the one place where an exchange is decided. The rules are in `oauth/family/`; this class reads the
 * record, asks for the verdict, writes the record and sets the alarm. `ctx.storage.kv` is synchronous: a
 * method without an `await` between reading and writing is one atomic step, and the platform holds its
 * answer back until what it wrote is durable. Methods return results, because exceptions do not survive RPC
 * well.
 *
 * While a family lives it keeps one record and one alarm. When it has ended, its alarm takes it out of the
 * subject's index and deletes everything; a token whose family keeps nothing is not valid.
 */
export class TokenFamily extends DurableObject<Env> {
  /** Begins the family. It may be repeated when its answer was lost. */
  async create(family: NewFamily): Promise<void> {
    this.#apply(judgeCreation(this.#read(), family));
  }

  /** Begins the family of an authorization code. It may be repeated with the same attempt. */
  async redeem(
    family: NewFamily,
    redemption: Redemption,
  ): Promise<RedemptionResult> {
    return this.#apply(judgeRedemption(this.#read(), family, redemption));
  }

  /** Takes back the beginning of a family whose tokens were not made. */
  async abandon(attemptId: string): Promise<void> {
    this.#apply(judgeAbandonment(this.#read(), attemptId));
  }

  /**
   * Exchanges the family's newest token for the next one, or says why not. Writes one row or none.
   *
   * @returns an ExchangeResult as JSON: an object that is got by RPC comes with a method to dispose of it,
   *   and that costs the Worker more than the rest of the call
   */
  exchange(attempt: ExchangeAttempt): string {
    return JSON.stringify(this.#apply(judgeExchange(this.#read(), attempt)));
  }

  /**
   * Begins the family of an old server's token and exchanges that token, in the same step.
   *
   * @param redemption how the family begins: `abandon` takes it back
   * @returns an ExchangeResult as JSON
   */
  adopt(
    family: NewFamily,
    redemption: Redemption,
    attempt: ExchangeAttempt,
  ): string {
    const verdict = judgeAdoption(this.#read(), family, redemption, attempt);
    return JSON.stringify(this.#apply(verdict));
  }

  /** Tells whether the family has begun, and that was not taken back. It writes nothing. */
  async hasBegun(): Promise<boolean> {
    const record = this.#read();
    return record !== undefined && !isAbandoned(record);
  }

  /** Ends the family. It may be repeated. */
  async revoke(key?: FamilyKey): Promise<RevocationResult> {
    return this.#apply(judgeRevocation(this.#read(), key));
  }

  /** The family as it is right now; undefined if it has ended. An expired family ends by its alarm. */
  async look(): Promise<FamilyState | undefined> {
    const family = this.#read();
    if (!family || isEnded(family)) return undefined;
    const { login, secret_hash, generation } = family;
    const { created_at, last_used_at, expires_at } = family;
    return {
      login,
      secret_hash,
      generation,
      created_at,
      last_used_at,
      expires_at,
    };
  }

  /**
   * Ends the family when its newest token has expired; until then it sleeps again. It is set once when the
   * family is made, so that a refresh does not pay for it.
   *
   * A family that has ended is taken out of the subject's index, and then leaves nothing. Where a code could
   * still name the family, what is left stays until no code can, and the index is told again then, because
   * the Worker that made the family may have told it late.
   */
  override async alarm(): Promise<void> {
    const family = this.#read();
    if (!family) return;
    const endsAt = isEnded(family) ? 0 : endsByItselfAt(family);
    if (Date.now() < endsAt * 1000) return this.#setAlarm(endsAt);
    const ended = isEnded(family) ? family : endedRecord(family);
    // Before anything is awaited: nobody may exchange a token while the family is on its way out.
    if (!isEnded(family)) this.#write(ended);
    const index = this.env.SUBJECT_INDEX;
    try {
      await index
        .get(index.idFromName(ended.subject))
        .remove([this.ctx.id.toString()]);
    } catch (error) {
      const event = "subject_index.unreachable";
      console.error(JSON.stringify({ event, error: String(error) }));
      return this.ctx.storage.setAlarm(Date.now() + TELL_AGAIN_MS);
    }
    const { redeemed } = ended;
    const forgettable = redeemed ? forgettableAt(redeemed) : 0;
    if (Date.now() < forgettable * 1000) return this.#setAlarm(forgettable);
    await this.ctx.storage.deleteAll();
  }

  /** Writes what a verdict wants written, in the step in which the record was read. */
  #apply<Result>({ result, record, alarm }: Verdict<Result>): Result {
    if (record) this.#write(record);
    // Nothing waits for the alarm but the answer: it is part of the same step.
    if (alarm === "now") void this.ctx.storage.setAlarm(Date.now());
    else if (alarm !== undefined) void this.#setAlarm(alarm);
    return result;
  }

  #setAlarm(seconds: number): Promise<void> {
    return this.ctx.storage.setAlarm(Math.min(seconds * 1000, LATEST_ALARM_MS));
  }

  #read(): FamilyRecord | undefined {
    return this.ctx.storage.kv.get<FamilyRecord>(RECORD);
  }

  #write(record: FamilyRecord): void {
    this.ctx.storage.kv.put(RECORD, record);
  }
}
