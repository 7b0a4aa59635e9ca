import type { LoginAttributes } from "../../src/oauth/login-attributes.ts";
import type {
  ExchangeAttempt,
  ExchangeResult,
  NewFamily,
  Redemption,
} from "../../src/oauth/repositories.ts";

/** Arguments for the calls of a family, for the tests of its rules. All times are relative to one moment. */

export const DAY = 86_400;
export const secret_hash = new Uint8Array(32).fill(7);

/** How far the clocks of two locations may differ, in seconds. */
export const CLOCK_SKEW = 60;

/** Calls an exchange and reads its answer, as the Worker does. */
export async function exchange(
  family: { exchange(attempt: ExchangeAttempt): Promise<string> },
  attempt: ExchangeAttempt,
): Promise<ExchangeResult> {
  return JSON.parse(await family.exchange(attempt)) as ExchangeResult;
}

type Fields<T> = Partial<Omit<T, "login">> & {
  login?: Partial<LoginAttributes>;
};

/** @param t0 the time of the login, in seconds since 1970 */
export function familyBuilders(t0: number) {
  const client = { client_id: "web", client_issued_at: t0 - DAY };
  /** A request is good for half an hour, and its code for another minute. */
  const redeemable_until = t0 + 1860;
  return {
    redeemable_until,

    newFamily: ({ login, ...fields }: Fields<NewFamily> = {}): NewFamily => ({
      login: {
        ...client,
        subject: "alice",
        scope: ["read", "write"],
        resource: [],
        ...login,
      },
      secret_hash,
      created_at: t0,
      expires_at: t0 + DAY,
      ends_at: t0 + 3 * DAY,
      key_id: 1,
      ...fields,
    }),

    redemption: (fields: Partial<Redemption> = {}): Redemption => ({
      attempt_id: crypto.randomUUID(),
      code_id: "first",
      authorized_at_ms: t0 * 1000,
      redeemable_until,
      ...fields,
    }),

    attempt: (fields: Partial<ExchangeAttempt> = {}): ExchangeAttempt => {
      const { now = t0 + 60 } = fields;
      return {
        ...client,
        attempt_id: crypto.randomUUID(),
        key_id: 1,
        retry_window: "PT0S",
        refresh_token_max_age: "P1Y",
        resource_digests: {},
        generation: 1,
        secret_hash,
        requested: { scope: undefined, resource: [] },
        allowed: { scope: ["read", "write"], resource: [] },
        origin: { network: 1, user_agent: 1 },
        now,
        successor_expires_at: now + DAY,
        ...fields,
      };
    },
  };
}
