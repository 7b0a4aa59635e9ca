import type { Seconds } from "./duration.ts";
import type { LoginClaimChanges, LoginClaims } from "./login-claims.ts";

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
