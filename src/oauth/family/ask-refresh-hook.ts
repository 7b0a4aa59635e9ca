import { OAuthError } from "../errors.ts";
import { isForHook } from "./exchange.ts";
import { seenOf } from "./hook-changes.ts";
import { loginClaimsOf } from "../login-claims.ts";
import type { RefreshHook, RefreshQuestion } from "../refresh-hook.ts";
import type { ExchangeAttempt, FamilyState } from "../repositories.ts";
import type { RequestLog } from "../request-log.ts";
import { retryAfter } from "../retry-after.ts";
import type { Server } from "../server.ts";

/**
 * Asks the refresh hook about the login of an attempt that is about to be made.
 *
 * It is asked only if the exchange would make a successor now, or if its holder is late: else a client that always sends
 * a used token would go on without the hook. What it changes for a late holder waits for the next successor. A used token,
 * another client's, or a request for too much goes on to the exchange, which refuses it. So does a retry inside its
 * window: the hook was asked when the successor was made, and a lost answer must not end a login or change it.
 *
 * The exchange comes after this, so a refusal consumes nothing, and only the attempt that makes the successor changes
 * the claims.
 *
 * @returns the attempt, with what the hook changes
 * @throws OAuthError `login_denied_by_hook`, and the login has ended; `refresh_hook_failed` where the configuration
 *   wants a decision and the hook has made no decision
 */
export async function askRefreshHook(
  { families, settings }: Server,
  hook: RefreshHook,
  familyId: Uint8Array,
  attempt: ExchangeAttempt,
  log: RequestLog,
): Promise<ExchangeAttempt> {
  log.begin("family");
  const family = await families.look(familyId);
  if (!family || !isForHook(family, attempt)) return attempt;

  log.begin("hook");
  const grant_id = families.grantIdOf(familyId);
  const decision = await hook.decide(questionAbout(family, attempt, grant_id));
  if (decision.outcome === "allowed") {
    const { changes } = decision;
    if (Object.keys(changes).length === 0) return attempt;
    const claims_seen = seenOf(family.login, changes);
    return { ...attempt, claim_changes: changes, claims_seen };
  }
  if (decision.outcome === "failed") {
    const { reason, error } = decision;
    log.addEvent("refresh_hook.failed", { reason, error });
    if (!settings.refresh_hook?.fail_closed) return attempt;
    const headers = { "Retry-After": retryAfter() };
    throw new OAuthError("refresh_hook_failed", { headers });
  }
  log.begin("family");
  const { outcome } = await families.revoke(familyId);
  const { subject } = family.login;
  if (outcome === "revoked")
    log.addEvent("login.denied_by_hook", { subject, grant_id });
  throw new OAuthError("login_denied_by_hook");
}

function questionAbout(
  { login, created_at }: FamilyState,
  { requested }: ExchangeAttempt,
  grant_id: string,
): RefreshQuestion {
  const { client_id, subject, sub_type, scope } = login;
  return {
    grant_id,
    client_id,
    subject,
    ...(sub_type && { sub_type }),
    scope: scope.join(" "),
    ...(typeof requested.scope === "object" && {
      requested_scope: requested.scope.join(" "),
    }),
    created_at,
    ...loginClaimsOf(login),
  };
}
