import * as v from "valibot";
import { CLOCK_SKEW_SECONDS, type Seconds } from "./duration.ts";
import {
  type LoginClaimChanges,
  type LoginClaims,
  sizeOfLoginClaims,
  withLoginClaims,
} from "./login-claims.ts";
import { loginClaimChanges, sizeProblem } from "./login-claims-schema.ts";
import { parse, strictObject } from "./schema.ts";

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

/**
 * Reads the answer of the hook.
 *
 * @param kept the claims of the login. Together with the changes they must obey the bounds
 */
export function readRefreshAnswer(
  answer: unknown,
  kept: LoginClaims,
  now: Seconds,
): RefreshDecision {
  // A clear no is obeyed, whatever stands beside it.
  if (isRecord(answer) && answer["allowed"] === false)
    return { outcome: "denied" };
  const { data, issues } = parse(
    strictObject({ allowed: v.literal(true), ...loginClaimChanges }),
    answer,
  );
  if (issues) {
    const [{ path, message } = { path: [], message: "is malformed" }] = issues;
    return malformed(message, path[0]);
  }
  const { allowed: _allowed, ...changes } = data;
  const { auth_time } = changes;
  if (typeof auth_time === "number" && auth_time > now + CLOCK_SKEW_SECONDS)
    return malformed("is in the future", "auth_time");
  const isChanged = Object.keys(changes).length > 0;
  const problem =
    isChanged && sizeProblem(sizeOfLoginClaims(withLoginClaims(kept, changes)));
  return problem ? malformed(problem) : { outcome: "allowed", changes };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
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
