import { isConfirmed } from "../confirmation.ts";
import { after, MAX_RETRY_WINDOW, type Seconds } from "../duration.ts";
import type {
  CaughtUp,
  ExchangeAttempt,
  Retry,
  Reuse,
  Stolen,
} from "../repositories.ts";
import { isNewAssertion, remembersAssertion } from "./assertions.ts";
import { boundKeys } from "./possession.ts";
import type { LivingFamily } from "./record.ts";

/*
 * Used tokens that come back. All times are measured from the newest exchange, because the record keeps no other. The
 * presented token was replaced then or earlier.
 */

/**
 * `attempt`: the same attempt is repeated. `window`: the retry window is open and the successor has not been used.
 * `catch_up`: the holder is late. `recorded`: the request is one that somebody has recorded, or may be. `late`:
 * anything else.
 */
export type ReuseKind = "attempt" | "window" | "catch_up" | "recorded" | "late";

/**
 * Classifies a used token. Once a family is bound to keys, only a request that proves them can be its holder's: that
 * holds for its bearer tokens too, because a thief may have bound it. In any other family the token is the proof.
 */
export function classifyReuse(
  family: LivingFamily,
  attempt: ExchangeAttempt,
): ReuseKind {
  const { generation, attempt_id, proven, retry_window, catch_up } = attempt;
  const isSuccessorUnused = family.generation - generation === 1;
  if (isSuccessorUnused && attempt_id === family.last_attempt) return "attempt";
  const keys = boundKeys(family);
  if (keys && !isConfirmed(keys, proven)) return "late";
  const { last_used_at } = family;
  const { assertion, now } = attempt;
  const windowEnd = Math.min(
    after(retry_window, last_used_at),
    after(MAX_RETRY_WINDOW, last_used_at),
  );
  if (isSuccessorUnused && isOpen(windowEnd, family, attempt)) return "window";
  if (!keys && assertion && remembersAssertion(family, assertion))
    return "recorded";
  const bound = keys ? catch_up?.bound : catch_up?.unbound;
  const mayBeLate =
    bound !== undefined && isOpen(after(bound, last_used_at), family, attempt);
  if (!mayBeLate) return "late";
  if (keys || !assertion) return "catch_up";
  return isNewAssertion(family, assertion, now) ? "catch_up" : "recorded";
}

/** Tells whether a time after the newest exchange has not passed yet. */
function isOpen(
  closesAt: Seconds,
  { last_used_at }: LivingFamily,
  { now }: ExchangeAttempt,
): boolean {
  // A time of zero length stays closed, even if the clock of this request is behind that of the exchange.
  return closesAt > last_used_at && now < closesAt;
}

/** Describes for the log how a used token came back. */
export function describeReuse(
  family: LivingFamily,
  { generation, now, proven }: ExchangeAttempt,
): Reuse {
  const keys = boundKeys(family);
  const isOfOther = keys !== undefined && !isConfirmed(keys, proven);
  // If the successor was never used, the client may not have received it. If it was used, two parties have
  // tokens of this family. So they have if the successor is bound to a key that this request has not proven.
  const isLateRetry = family.generation - generation === 1 && !isOfOther;
  return {
    generation,
    newest_generation: family.generation,
    seconds_since_exchange: now - family.last_used_at,
    looks_like: isLateRetry ? "late_retry" : "theft",
  };
}

/** Describes for the log a retry inside the window: an operator sees whether it comes from somebody else. */
export function describeRetry(
  family: LivingFamily,
  { generation, now, origin }: ExchangeAttempt,
): Retry {
  const { network, user_agent } = family.last_origin ?? {};
  return {
    generation,
    seconds_since_exchange: now - family.last_used_at,
    network_differs: origin.network !== network,
    user_agent_differs: origin.user_agent !== user_agent,
  };
}

/** Describes for the log a holder that was late. */
export function describeCatchUp(
  family: LivingFamily,
  attempt: ExchangeAttempt,
): CaughtUp {
  const newest_generation = family.generation;
  return { ...describeRetry(family, attempt), newest_generation };
}

/** Describes for the log a used token whose request somebody may have recorded. */
export function describeRecording(
  { generation: newest_generation }: LivingFamily,
  { generation }: ExchangeAttempt,
): Stolen {
  return { generation, newest_generation, proof: "recorded" };
}
