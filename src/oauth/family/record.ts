import { CLOCK_SKEW_SECONDS, type Seconds } from "../duration.ts";
import { equalBytes } from "../constant-time.ts";
import { isSameClient } from "../login-attributes.ts";
import type { FamilyKey, NewFamily, Redemption } from "../repositories.ts";

/**
 * The record of a family, and the vocabulary of the verdicts on it. A verdict is a function of record,
 * attempt and time: it says what to answer and what to write. `platform/token-family.ts` does it, in the
 * same atomic step.
 */

/** The one value that a family keeps while it lives. Its size does not depend on its history. */
export interface LivingFamily extends NewFamily {
  /** The version of this shape. */
  version: 1;
  /** The generation of the newest token, the only one that can be exchanged; 1 is the first. */
  generation: number;
  /** When the newest token was made. */
  last_used_at: Seconds;
  /** What the newest token was asked for with: a retry must be the same request. */
  last_request?: string;
  /** The attempt that made the newest token: the same attempt may ask again. */
  last_attempt?: string;
  /** The key that made the newest token, so that a retry gets the same string. */
  key_id: number;
  /** Families of an authorization code or of an old server's token only: how the family began. */
  redemption?: Redemption;
  /**
   * Families of an old server's token only: ids of the attempts that share the first exchange. Removing the
   * last id takes the family back. At most `MAX_ATTEMPTS` ids are kept; beyond that the family can't be
   * taken back.
   */
  attempts?: string[];
  /** The redemption was taken back: nobody has a token, and the code may still make the family. */
  abandoned?: true;
}

/**
 * What is kept of a family that has ended, until the subject's index knows it and until no code can make
 * the family again.
 */
export interface EndedFamily {
  version: 1;
  ended: true;
  subject: string;
  /** Only where a code, or an old server's token, has made the family. */
  redeemed?: Pick<Redemption, "code_id" | "redeemable_until">;
}

export type FamilyRecord = LivingFamily | EndedFamily;

/** What an attempt comes to. Whatever is left out stays as it is. */
export interface Verdict<Result> {
  result: Result;
  /** The record to write. */
  record?: FamilyRecord;
  /** When the alarm has to go off. */
  alarm?: Seconds | "now";
}

/** The part of a verdict that changes something. */
type Change = Omit<Verdict<unknown>, "result">;

export function isEnded(record: FamilyRecord): record is EndedFamily {
  return "ended" in record;
}

/** Tells whether the beginning of a family was taken back, so that it may begin again. */
export function isAbandoned(record: FamilyRecord): boolean {
  return !isEnded(record) && record.abandoned === true;
}

/** A family before its first exchange. */
export function newborn(
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

/** The change by which a family begins: two rows, the record and its alarm. */
export function begin(family: NewFamily, redemption?: Redemption): Change {
  return { record: newborn(family, redemption), alarm: family.expires_at };
}

/** What is left of a family when it ends. */
export function remains({ login, redemption }: LivingFamily): EndedFamily {
  const { subject } = login;
  const record = { version: 1, ended: true, subject } as const;
  if (!redemption) return record;
  const { code_id, redeemable_until } = redemption;
  return { ...record, redeemed: { code_id, redeemable_until } };
}

/** The change by which a family ends: from here on none of its tokens can be exchanged. */
export function end(family: LivingFamily): Change {
  return { record: remains(family), alarm: "now" };
}

/** When no code can name a family any more, by the clock of any location. */
export function forgettableAt({
  redeemable_until,
}: Pick<Redemption, "redeemable_until">): Seconds {
  return redeemable_until + CLOCK_SKEW_SECONDS;
}

/** When a family ends by itself: one that was taken back, when no code can make it any more. */
export function endsByItselfAt({
  abandoned,
  redemption,
  expires_at,
}: LivingFamily): Seconds {
  return abandoned && redemption ? forgettableAt(redemption) : expires_at;
}

/** Finds out whether a token is not of this family, or not of this client: then it may change nothing. */
export function refuseForeign(family: LivingFamily, key: FamilyKey) {
  const { secret_hash } = key;
  if (secret_hash && !equalBytes(secret_hash, family.secret_hash))
    return "refresh_token_forged" as const;
  return isSameClient(key, family.login)
    ? undefined
    : ("refresh_token_of_another_client" as const);
}

export function refused<R>(reason: R): { outcome: "refused"; reason: R } {
  return { outcome: "refused", reason };
}
