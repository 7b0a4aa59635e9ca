import * as base64url from "jose/base64url";
import { CLOCK_SKEW_SECONDS, type Seconds } from "../duration.ts";
import type { ExchangeAttempt, SeenAssertion } from "../repositories.ts";
import type { LivingFamily } from "./record.ts";

/*
 * Assertions of clients with `private_key_jwt` (RFC 7523). An exchange is for single use, so its assertion need not be. A
 * catch-up is not: somebody who has recorded the request of an exchange could send it again and get the newest tokens. So a
 * catch-up needs an assertion that no exchange of the family has had.
 *
 * A family keeps the assertions of its newest exchanges, and a time: every other assertion that an exchange has had was
 * made before it.
 */

/**
 * How much earlier than that of an exchange the `iat` of a late holder's assertion may be, in seconds. The processes of one
 * client run on several machines, whose clocks differ. A process whose clock is further behind is refused until its clock
 * shows that time, and then goes on: nothing has ended.
 */
const CLIENT_CLOCKS_SECONDS = 60;

/**
 * The longest time since a late holder's assertion was made, in seconds. An assertion that another login's exchange has had
 * is new to this one, so it must be of little use to somebody who has recorded it. Clocks may differ by minutes.
 */
const MAX_AGE_SECONDS = 5 * 60;

/** The most assertions of a record, so that it stays small. More exchanges within `CLIENT_CLOCKS_SECONDS` are rare. */
const MAX_SEEN = 8;

type AssertionsOfFamily = Pick<
  LivingFamily,
  "last_assertions" | "assertions_since"
>;

/** The length of a digest in bytes: no two assertions of a login have the same. */
const DIGEST_BYTES = 12;

/** Makes what a family keeps of an assertion. Its `jti` may be long. */
export async function digestAssertion({
  jti,
  iat,
}: {
  jti: string;
  iat?: Seconds;
}): Promise<SeenAssertion> {
  const bytes = new TextEncoder().encode(jti);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return {
    digest: base64url.encode(digest.subarray(0, DIGEST_BYTES)),
    ...(iat !== undefined && { iat }),
  };
}

/** Adds the assertion of an exchange to the record. A client that authenticates in another way adds nothing. */
export function noteAssertion(
  family: LivingFamily,
  { assertion }: ExchangeAttempt,
): AssertionsOfFamily {
  if (!assertion) return {};
  const { last_assertions = [], assertions_since = -Infinity } = family;
  const { digest, iat = -Infinity } = assertion;
  // A client may send one assertion with many exchanges, until it expires.
  const others = last_assertions.filter(
    (one) => one.digest !== digest || one.iat !== assertion.iat,
  );
  const all = [...others, assertion];
  const since = Math.max(
    assertions_since,
    iat - CLIENT_CLOCKS_SECONDS,
    ...all.slice(0, -MAX_SEEN).map((one) => (one.iat ?? -Infinity) + 1),
  );
  return {
    last_assertions: all
      .slice(-MAX_SEEN)
      .filter((one) => (one.iat ?? Infinity) >= since),
    ...(since > -Infinity && { assertions_since: since }),
  };
}

/** Tells whether a family remembers an assertion: that of its code, or of one of its newest exchanges. */
export function remembersAssertion(
  { last_assertions = [], redemption }: LivingFamily,
  { digest }: SeenAssertion,
): boolean {
  return (
    digest === redemption?.assertion_digest ||
    last_assertions.some((one) => one.digest === digest)
  );
}

/**
 * Tells whether an assertion that a family does not remember may have been made for this request. Nobody can say so of one
 * without `iat`.
 */
export function isNewAssertion(
  family: LivingFamily,
  { iat }: SeenAssertion,
  now: Seconds,
): boolean {
  const { last_used_at } = family;
  if (iat === undefined || iat < now - MAX_AGE_SECONDS) return false;
  // No exchange had an assertion with a time: the client has authenticated in another way until now.
  const unknown: Seconds = last_used_at - CLOCK_SKEW_SECONDS;
  return iat >= (family.assertions_since ?? unknown);
}
