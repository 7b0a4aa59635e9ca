import { after, CLOCK_SKEW_SECONDS, type Seconds } from "../duration.ts";
import type {
  ExchangeAttempt,
  FamilyKey,
  NewFamily,
  Redemption,
  Reuse,
} from "../repositories.ts";

/** What a family keeps, and what can be said of it without a clock or a storage. */

/** The one value that a family keeps while it lives. Its size does not depend on its history. */
export interface LivingFamily extends NewFamily {
  /** The version of this shape. */
  version: 1;
  /** Of the one token that is good; 1 is the first. */
  generation: number;
  /** When the newest token was made. */
  last_used_at: Seconds;
  /** What the newest token was asked for with: a retry has to be the same request. */
  last_request?: string;
  /** Which attempt made the newest token: that one may ask again. */
  last_attempt?: string;
  /** Which key made the newest token, so that a retry gets the same string. */
  key_id: number;
  /** What made the family, if it was an authorization code. */
  redemption?: Redemption;
  /**
   * Of a token of another server: who had a part in its first exchange and has not taken it back. Some at
   * the most, and then nobody can.
   */
  attempts?: string[];
  /** The redemption was taken back: nobody has a token, and a code may still make the family. */
  abandoned?: true;
}

/**
 * What is kept of a family that has ended: until the subject's index knows of it, and until no code
 * can make the family once more.
 */
export interface EndedFamily {
  version: 1;
  ended: true;
  subject: string;
  /** Only where a code has made it. */
  redeemed?: Pick<Redemption, "code_id" | "redeemable_until">;
}

/** A family before its first exchange. */
export function begun(
  family: NewFamily,
  redemption: Redemption | undefined,
): LivingFamily {
  return {
    ...family,
    version: 1,
    generation: 1,
    last_used_at: family.created_at,
    ...(redemption && { redemption }),
  };
}

/** What a family becomes when it ends. */
export function ended({ subject, redemption }: LivingFamily): EndedFamily {
  const record = { version: 1, ended: true, subject } as const;
  if (!redemption) return record;
  const { code_id, redeemable_until } = redemption;
  return { ...record, redeemed: { code_id, redeemable_until } };
}

/** The platform takes no alarm for later; by then it is set anew. In milliseconds: the year 2150. */
const LAST_ALARM_MS = 5_680_281_600_000;

/** When no code can name a family any more, whoever's clock it goes by; in milliseconds. */
export function forgetAt(redeemableUntil: number): number {
  return Math.min((redeemableUntil + CLOCK_SKEW_SECONDS) * 1000, LAST_ALARM_MS);
}

/** How many attempts a family keeps count of. */
const MOST_ATTEMPTS = 8;
/** In the place of all that are not kept count of: it is never taken back. */
const OTHERS = "";

/** The attempts with one more; undefined where that changes nothing. */
export function withAttempt(
  attempts: readonly string[],
  attemptId: string,
): string[] | undefined {
  if (attempts.includes(attemptId)) return undefined;
  const one = attempts.length < MOST_ATTEMPTS ? attemptId : OTHERS;
  return attempts.includes(one) ? undefined : [...attempts, one];
}

/** When a family ends by itself, in milliseconds: one that was taken back when no code can make it. */
export function endOf({
  abandoned,
  redemption,
  expires_at,
}: LivingFamily): number {
  return abandoned && redemption
    ? forgetAt(redemption.redeemable_until)
    : expires_at * 1000;
}

/** Why a code can't make a family any more that was made before: whose code came first has it. */
export function refuseRedemption(
  family: LivingFamily | EndedFamily,
  { code_id }: Redemption,
) {
  const { code_id: first } =
    ("ended" in family ? family.redeemed : family.redemption) ?? {};
  return code_id === first
    ? ("authorization_code_reused" as const)
    : ("authorization_request_reused" as const);
}

/** Why a token is not of this family, or not of this client's: then it may not change anything. */
export function refuseForeign(
  family: LivingFamily,
  { client_id, client_issued_at, secret_hash }: FamilyKey,
) {
  if (
    secret_hash &&
    !crypto.subtle.timingSafeEqual(secret_hash, family.secret_hash)
  ) {
    return "refresh_token_forged" as const;
  }
  const same =
    client_id === family.client_id &&
    client_issued_at === family.client_issued_at;
  if (!same) return "refresh_token_of_another_client" as const;
  return undefined;
}

/**
 * Whether a used token may have its successor again: as the very same attempt, whose answer was lost
 * on its way to the edge; or inside the client's window, while nobody has used the successor.
 */
export function isRetry(
  family: LivingFamily,
  { generation, attempt_id, retry_window, now }: ExchangeAttempt,
): "attempt" | "window" | "late" {
  if (family.generation - generation > 1) return "late";
  if (attempt_id === family.last_attempt) return "attempt";
  const closes = after(retry_window, family.last_used_at);
  // A window of no length is none, also where the clocks of two locations differ by a second.
  const open = closes > family.last_used_at && now < closes;
  return open ? "window" : "late";
}

/** How a used token came back, for the log. */
export function describeReuse(
  family: LivingFamily,
  { generation, now }: ExchangeAttempt,
): Reuse {
  return {
    generation,
    newest_generation: family.generation,
    seconds_since_exchange: now - family.last_used_at,
    // Nobody has used the successor: the client may never have got it. Otherwise somebody goes on with
    // it, and somebody else came back with this one.
    looks_like: family.generation - generation === 1 ? "late_retry" : "theft",
  };
}

/** The request as far as a retry has to be the same: scopes and resources are sets. */
export function requestOf({ scope, resource }: ExchangeAttempt): string {
  const scopes = Array.isArray(scope) ? asSet(scope) : (scope ?? null);
  return JSON.stringify([scopes, asSet(resource)]);
}

function asSet(values: readonly string[]): string[] {
  return [...new Set(values)].toSorted((one, other) => (one < other ? -1 : 1));
}
