import { DurableObject } from "cloudflare:workers";
import { judgeClaims } from "../oauth/family/claims.ts";
import { judgeExchange } from "../oauth/family/exchange.ts";
import { logEvent } from "../oauth/events.ts";
import {
  type EndedFamily,
  endsByItselfAt,
  type FamilyRecord,
  forgettableAt,
  isAbandoned,
  isEnded,
  endedRecord,
  stateOf,
  type Verdict,
} from "../oauth/family/record.ts";
import {
  judgeAbandonment,
  judgeAdoption,
  judgeCreation,
  judgeRedemption,
} from "../oauth/family/redemption.ts";
import type { LoginClaimChanges } from "../oauth/login-claims.ts";
import { afterFailure } from "../oauth/family/pending-logout.ts";
import {
  judgeRevocation,
  judgeSessionEnd,
} from "../oauth/family/revocation.ts";
import type { ClientIdentity } from "../oauth/login-attributes.ts";
import type { EndedLogin } from "../oauth/openid/logout-token.ts";
import type {
  ClaimsResult,
  ExchangeAttempt,
  FamilyKey,
  FamilyState,
  NewFamily,
  Redemption,
  RedemptionResult,
  RevocationResult,
} from "../oauth/repositories.ts";

const RECORD = "family";

/**
 * Tells the client of a login that the login has ended.
 *
 * @returns `told`; `not_asked`: the client is gone, or has no address for it; or the problem. `isFinal`: the client has
 *   refused it, so it is not told again
 */
export type TellClient = (
  env: Env,
  login: EndedLogin & ClientIdentity,
) => Promise<"told" | "not_asked" | { problem: string; isFinal?: boolean }>;

/** The delay before the subject index is called again after a fault, in milliseconds. */
const INDEX_RETRY_MS = 60_000;

/**
 * The latest alarm, in milliseconds since 1970: the year 2150. The platform refuses alarms after 2189. An
 * alarm that goes off too early is set again.
 */
const LATEST_ALARM_MS = 5_680_281_600_000;

/**
 * Keeps one family: all the refresh tokens that descend from one authorization.
 *
 * This object is the one place that decides an exchange. The rules are in `oauth/family/`; this class reads
 * the record, asks for the verdict, writes the record and sets the alarm. `ctx.storage.kv` is synchronous, so
 * a method without an `await` between reading and writing is one atomic step. The platform holds the answer
 * back until the write is durable. Methods return results, because exceptions do not survive RPC well.
 *
 * A family that has not ended keeps one record and one alarm. When it has ended, the alarm tells the client of the
 * logout, removes the family from the subject index and deletes everything. A token whose family keeps nothing is not
 * valid.
 */
export class TokenFamily extends DurableObject<Env> {
  /** The entry has one that works, because it needs a server. A caller cannot reach what is static. */
  static tellClient: TellClient = async () => ({
    problem: "the entry of the Worker has no tellClient",
  });

  /** Begins the family. It may be repeated. */
  async create(family: NewFamily): Promise<void> {
    this.#apply(judgeCreation(this.#read(), family));
  }

  /** Begins the family of an authorization code. It may be repeated with the same attempt. */
  async redeem(
    family: NewFamily,
    redemption: Redemption,
  ): Promise<RedemptionResult> {
    return this.#apply(
      judgeRedemption(this.#read(), family, redemption, Date.now()),
    );
  }

  /** Takes back the beginning of a family whose tokens were not given out. It may be repeated. */
  async abandon(family: NewFamily, redemption: Redemption): Promise<void> {
    this.#apply(judgeAbandonment(this.#read(), family, redemption));
  }

  /**
   * Exchanges the family's newest token for its successor, or refuses. It may be repeated with the same
   * attempt. Writes at most one row.
   *
   * @returns an ExchangeResult as JSON, because RPC adds a disposer to an object, which costs the Worker more
   *   than the rest of the call
   */
  exchange(attempt: ExchangeAttempt): string {
    return JSON.stringify(this.#apply(judgeExchange(this.#read(), attempt)));
  }

  /**
   * Begins the family of a league token and exchanges that token, in one atomic step. It may be repeated with
   * the same attempt.
   *
   * @param redemption identifies the beginning, so that `abandon` can take it back
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

  /** Tells whether the family has begun, and its beginning was not taken back. It writes nothing. */
  async hasBegun(): Promise<boolean> {
    const record = this.#read();
    return record !== undefined && !isAbandoned(record);
  }

  /** Ends the family. It may be repeated. */
  async revoke(key?: FamilyKey): Promise<RevocationResult> {
    return this.#apply(judgeRevocation(this.#read(), key));
  }

  /** Changes what the login says about the user. It may be repeated. Writes at most one row. */
  async changeClaims(
    changes: LoginClaimChanges,
    now: number,
  ): Promise<ClaimsResult> {
    return this.#apply(judgeClaims(this.#read(), changes, now));
  }

  /** Ends the family if its login has this `sid`. It may be repeated. */
  async revokeSession(sid: string): Promise<RevocationResult> {
    return this.#apply(judgeSessionEnd(this.#read(), sid));
  }

  /**
   * Reads the family; undefined if it has ended. A family that has expired is still there until its alarm.
   */
  async look(): Promise<FamilyState | undefined> {
    const family = this.#read();
    if (!family || isEnded(family)) return undefined;
    return stateOf(family);
  }

  /**
   * Ends the family if its newest token has expired, else sets itself again. The alarm is first set when the
   * family begins and not by a refresh, because setting it costs a row.
   *
   * A family that has ended is removed from the subject index, while its client is told of the logout, and then deletes
   * everything. If its client could not be told, the remains of the record stay until it was, or no attempt is left. If a code could
   * still begin this family, they stay until no code can. Then the index is called
   * again, because the Worker that made the family may have added it late.
   */
  override async alarm(): Promise<void> {
    const family = this.#read();
    if (!family) return;
    const endsAt = isEnded(family) ? 0 : endsByItselfAt(family);
    if (Date.now() < endsAt * 1000) return this.#setAlarm(endsAt);
    const ended = isEnded(family) ? family : endedRecord(family);
    // Written before the first await, so that no exchange can happen while the family is removed.
    if (!isEnded(family)) this.#write(ended);
    // Side by side, because a client may take long to answer.
    const [isUnlisted, left] = await Promise.all([
      this.#leaveIndex(ended),
      this.#tellClient(ended),
    ]);
    const forgettable = left.redeemed ? forgettableAt(left.redeemed) : 0;
    const next = left.logout?.due ?? forgettable;
    const isDone = isUnlisted && !left.logout && Date.now() >= next * 1000;
    if (isDone) return this.ctx.storage.deleteAll();
    // A record that is deleted is not written before, because that would cost a row.
    if (left.logout !== ended.logout) this.#write(left);
    return isUnlisted
      ? this.#setAlarm(next)
      : this.ctx.storage.setAlarm(Date.now() + INDEX_RETRY_MS);
  }

  /** Removes the family from the subject index. @returns false if the index could not be reached */
  async #leaveIndex({ subject }: EndedFamily): Promise<boolean> {
    const index = this.env.SUBJECT_INDEX;
    try {
      await index
        .get(index.idFromName(subject))
        .remove([this.ctx.id.toString()]);
      return true;
    } catch (error) {
      logEvent("subject_index.unreachable", { error: String(error) });
      return false;
    }
  }

  /**
   * Tells the client of a logout, if an attempt is due. If the object stops before the result is kept, the client is told
   * twice.
   *
   * @returns the record with what is left to do
   */
  async #tellClient(ended: EndedFamily): Promise<EndedFamily> {
    const { logout, ...told } = ended;
    if (!logout || Date.now() < logout.due * 1000) return ended;
    const { client_id, client_issued_at, sid, failed } = logout;
    const grant_id = this.ctx.id.toString();
    const login = {
      client_id,
      client_issued_at,
      subject: ended.subject,
      ...(sid !== undefined && { sid }),
      family_id: Uint8Array.fromHex(grant_id),
    };
    const { tellClient } = this.constructor as typeof TokenFamily;
    const outcome = await tellClient(this.env, login).catch(
      // An alarm that throws would in the end not be repeated.
      (error: unknown) => ({ problem: String(error), isFinal: false }),
    );
    const attempts = failed + 1;
    const about = { client_id, grant_id, attempts };
    if (outcome === "told") logEvent("backchannel_logout.sent", about);
    if (typeof outcome === "string") return told;
    const { problem: error, isFinal } = outcome;
    const now = Math.floor(Date.now() / 1000);
    const next = isFinal ? undefined : afterFailure(logout, now);
    const retry_after = next && next.due - now;
    logEvent("backchannel_logout.failed", { ...about, error, retry_after });
    return { ...told, ...(next && { logout: next }) };
  }

  /**
   * Writes the record and sets the alarm of a verdict, in the same atomic step in which the record was read.
   */
  #apply<Result>({ result, record, alarm }: Verdict<Result>): Result {
    if (record) this.#write(record);
    // Not awaited, so that the step stays atomic; the platform holds the answer back until the alarm is set.
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
