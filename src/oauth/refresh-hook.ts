import * as v from "valibot";
import type { Seconds } from "./duration.ts";
import {
  type Claims,
  type LoginClaims,
  loginClaimsOf,
  MAX_LOGIN_CLAIMS_BYTES,
} from "./login-claims.ts";
import { parse, rule, strictObject } from "./schema.ts";

/**
 * The refresh hook: a Worker of the deployer that is asked before each refresh whether a login may go on, and with
 * which claims. `platform/refresh-hook.ts` calls it. `RefreshHook` in `rpc/types.ts` is the same contract for the
 * Worker that implements it.
 */

/** What the hook is asked: a login whose newest refresh token its client has presented. */
export interface RefreshQuestion extends LoginClaims {
  grant_id: string;
  client_id: string;
  subject: string;
  /** There is no user, and the subject is the id of the client. Left out: a user. */
  sub_type?: "client";
  /** The scopes that were granted, with spaces between them. */
  scope: string;
  /** The scopes that this refresh asks for. Left out: all that were granted. */
  requested_scope?: string;
  /** The time when the login began. */
  created_at: Seconds;
}

/** New values of the fields that are named. Null removes a field. */
export type LoginClaimChanges = {
  [Name in keyof LoginClaims]?: LoginClaims[Name] | null;
};

/** The decision of the hook. */
export type RefreshDecision =
  | { outcome: "allowed"; changes: LoginClaimChanges }
  | { outcome: "denied" }
  | {
      /** There is no decision: no answer in time, an exception, or an answer that is not one. */
      outcome: "failed";
      reason: "late" | "exception" | "malformed";
      /** For the log. Nothing of what the hook said about a person. */
      error: string;
    };

/** Asks whether a login may go on. It does not throw, and it answers within its deadline. */
export interface RefreshHook {
  decide(question: RefreshQuestion): Promise<RefreshDecision>;
}

const claims = v.custom<Claims>(
  (value) =>
    typeof value === "object" && value !== null && !Array.isArray(value),
  "must be an object",
);
const loginClaims = v.pipe(
  strictObject({
    auth_time: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(0))),
    acr: v.optional(v.string()),
    amr: v.optional(v.array(v.string())),
    sid: v.optional(v.string()),
    claims: v.optional(claims),
    id_token_claims: v.optional(claims),
    userinfo: v.optional(claims),
  }),
  rule((value) =>
    new TextEncoder().encode(JSON.stringify(value)).length >
    MAX_LOGIN_CLAIMS_BYTES
      ? `must have at most ${MAX_LOGIN_CLAIMS_BYTES} bytes`
      : undefined,
  ),
);

/** Makes the attributes of a login after changes. */
export function withLoginClaims<T extends LoginClaims>(
  login: T,
  changes: LoginClaimChanges,
): T {
  const merged = Object.entries({ ...login, ...changes });
  const kept = merged.filter(([, value]) => value !== null);
  return Object.fromEntries(kept) as unknown as T;
}

/**
 * Reads the answer of the hook.
 *
 * @param kept the claims of the login. Together with the changes they must obey the bounds
 */
export function readRefreshAnswer(
  answer: unknown,
  kept: LoginClaims,
): RefreshDecision {
  if (typeof answer !== "object" || answer === null || Array.isArray(answer))
    return malformed("is not an object");
  const { allowed, ...fields } = answer as Record<string, unknown>;
  // A clear no is obeyed, whatever stands beside it.
  if (allowed === false) return { outcome: "denied" };
  if (allowed !== true) return malformed("must be true or false", "allowed");
  const changes = Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  );
  const { issues } = parse(
    loginClaims,
    withLoginClaims(loginClaimsOf(kept), changes),
  );
  const [first] = issues ?? [];
  return first
    ? malformed(first.message, first.path[0])
    : { outcome: "allowed", changes };
}

/** @param problem a message of ours, which quotes no value */
function malformed(
  problem: string,
  field: PropertyKey = "answer",
): RefreshDecision {
  // The name of an unknown field may be anything.
  const name = /^\w{1,40}$/.test(String(field)) ? String(field) : "a field";
  return {
    outcome: "failed",
    reason: "malformed",
    error: `${name} ${problem}`,
  };
}
