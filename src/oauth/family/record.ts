import { CLOCK_SKEW_SECONDS, type Seconds } from "../duration.ts";
import { equalBytes } from "../constant-time.ts";
import { isSameClient } from "../login-attributes.ts";
import { logoutToTell, type PendingLogout } from "./pending-logout.ts";
import type {
  FamilyKey,
  FamilyState,
  NewFamily,
  Origin,
  Redemption,
  SeenAssertion,
} from "../repositories.ts";

/*
 * The record of a family, and what all verdicts on it share. A verdict is a function of record, attempt and
 * time. It has the result, and the record and alarm to set. `platform/token-family.ts` reads the record,
 * asks for the verdict and writes the change in one atomic step.
 */

/** The record of a family that has not ended. Its size does not depend on how often the family rotates. */
export interface LivingFamily extends NewFamily {
  /** The version of this shape. */
  version: 1;
  /** The generation of the newest token, the only one that can be exchanged. The first is 1. */
  generation: number;
  /** The time when the newest token was made. */
  last_used_at: Seconds;
  /** The id of the attempt that made the newest token. The same attempt may be repeated. */
  last_attempt?: string;
  /** The origin of the request that made the newest token: the log tells whether a retry has another. */
  last_origin?: Origin;
  /** The id of the key that made the newest token, so that a retry gets the same string. */
  key_id: number;
  /**
   * The generation of the first token that is bound to `login.cnf`. Those before are bearer tokens. Left out: every token
   * is bound, if `login.cnf` is there.
   */
  bound_since?: number;
  /**
   * Only of a client with `private_key_jwt`: the assertions of its newest exchanges, at most eight (`assertions.ts`). No
   * late holder gets a token with one of them.
   */
  last_assertions?: SeenAssertion[];
  /** Every assertion of an earlier exchange that is not in `last_assertions` has an `iat` before this time, or none. */
  assertions_since?: Seconds;
  /** The newest token says why it expires (`refresh-token-layout.ts`), so that a retry gets the same string. */
  says_why_expired?: true;
  /** Only if a code or a league token made the family: the redemption that made it. */
  redemption?: Redemption;
  /**
   * Only if a code made the family: the time of the redemption in milliseconds since 1970, by the clock of the
   * family's object. It is measured in milliseconds because a code is repeated within seconds.
   */
  redeemed_at_ms?: number;
  /**
   * Only if a league token made the family: the ids of the attempts that share the first exchange. Removing
   * the last id takes the redemption back. At most `MAX_ATTEMPTS` ids are kept. Beyond that the redemption
   * cannot be taken back.
   */
  attempts?: string[];
  /** The redemption was taken back: nobody has a token, and the code may make the family again. */
  abandoned?: true;
  /**
   * Ids of the attempts that were taken back, at most `MAX_ATTEMPTS`. The call of such an attempt may still
   * arrive late, after its client was answered with 503. Then it must not begin or end anything.
   */
  withdrawn?: string[];
}

/**
 * The record of a family that has ended. It is kept until the subject index knows of the end, until the client
 * was told of the logout, and until no code and no league token can make the family again.
 */
export interface EndedFamily {
  version: 1;
  ended: true;
  subject: string;
  /** Only if a code or a league token made the family. */
  redeemed?: Pick<Redemption, "code_id" | "redeemable_until">;
  /** Only if the client must still be told. */
  logout?: PendingLogout;
}

export type FamilyRecord = LivingFamily | EndedFamily;

/** The outcome of an attempt. A field that is left out changes nothing. */
export interface Verdict<Result> {
  result: Result;
  /** The record to write. */
  record?: FamilyRecord;
  /** The time to which the alarm must be set. */
  alarm?: Seconds | "now";
}

/** The part of a verdict that is stored. */
type Change = Omit<Verdict<unknown>, "result">;

export function isEnded(record: FamilyRecord): record is EndedFamily {
  return "ended" in record;
}

/** Tells whether the redemption that made a family was taken back, so that the family may begin again. */
export function isAbandoned(record: FamilyRecord): boolean {
  return !isEnded(record) && record.abandoned === true;
}

/** Makes the record of a family before its first exchange. */
export function newRecord(
  family: NewFamily,
  redemption?: Redemption,
): LivingFamily {
  return {
    ...family,
    version: 1,
    generation: 1,
    last_used_at: family.created_at,
    ...(redemption && { redemption }),
  };
}

/** Makes the change that begins a family. It writes two rows: the record and the alarm. */
export function begin(family: NewFamily, redemption?: Redemption): Change {
  return { record: newRecord(family, redemption), alarm: family.expires_at };
}

/**
 * Returns when the user authorized a family. A code is authorized before it is redeemed. When the user of a
 * league token signed in is unknown, so its family is older than any other.
 */
export function authorizedAt({
  redemption,
  created_at,
}: LivingFamily): Seconds {
  return redemption
    ? Math.floor(redemption.authorized_at_ms / 1000)
    : created_at;
}

/** Describes a family that has not ended. */
export function stateOf(family: LivingFamily): FamilyState {
  const { login, secret_hash, generation, bound_since } = family;
  const { last_assertions, assertions_since } = family;
  const { created_at, last_used_at, expires_at, ends_at } = family;
  return {
    login,
    secret_hash,
    generation,
    authorized_at: authorizedAt(family),
    created_at,
    last_used_at,
    expires_at,
    ends_at,
    ...(bound_since !== undefined && { bound_since }),
    ...(last_assertions && { last_assertions }),
    ...(assertions_since !== undefined && { assertions_since }),
  };
}

/** Makes the record of a family that has ended. */
export function endedRecord({ login, redemption }: LivingFamily): EndedFamily {
  const { subject } = login;
  const record = { version: 1, ended: true, subject } as const;
  if (!redemption) return record;
  const { code_id, redeemable_until } = redemption;
  return { ...record, redeemed: { code_id, redeemable_until } };
}

/**
 * Makes the change that ends a family. After it, none of the family's tokens can be exchanged. The alarm then tells the
 * client of the logout, if the login is one of OpenID Connect.
 *
 * @param isKnown the client need not be told, because it has ended the family itself
 */
export function end(family: LivingFamily, isKnown = false): Change {
  const logout = isKnown ? undefined : logoutToTell(family.login);
  const record = { ...endedRecord(family), ...(logout && { logout }) };
  return { record, alarm: "now" };
}

/** Returns the time from which no code can name a family, by the clock of any location. */
export function forgettableAt({
  redeemable_until,
}: Pick<Redemption, "redeemable_until">): Seconds {
  return redeemable_until + CLOCK_SKEW_SECONDS;
}

/**
 * Returns when a family ends by itself: when its newest token expires, or, if its redemption was taken back,
 * when no code can make it again.
 */
export function endsByItselfAt({
  abandoned,
  redemption,
  expires_at,
}: LivingFamily): Seconds {
  return abandoned && redemption ? forgettableAt(redemption) : expires_at;
}

/**
 * Returns why a token is not of this family or not of this client; undefined if it is. Such a token changes
 * nothing.
 */
export function refuseForeign(family: LivingFamily, key: FamilyKey) {
  const { secret_hash } = key;
  if (secret_hash && !equalBytes(secret_hash, family.secret_hash))
    return "refresh_token_forged" as const;
  return isSameClient(key, family.login)
    ? undefined
    : ("refresh_token_of_another_client" as const);
}

/** Makes the result of a refusal. */
export function refused<R>(reason: R): { outcome: "refused"; reason: R } {
  return { outcome: "refused", reason };
}
