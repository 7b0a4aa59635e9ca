import type { LoginAttributes } from "../login-attributes.ts";
import {
  type LoginClaimChanges,
  type LoginClaimName,
  type LoginClaims,
  loginClaimNames,
  MAX_LOGIN_CLAIMS_BYTES,
  sizeOfLoginClaims,
  withLoginClaims,
} from "../login-claims.ts";
import type { ExchangeAttempt, UnappliedChanges } from "../repositories.ts";

/**
 * The changes of a login by the refresh hook. Between the hook's look and the exchange, the login or an administrator
 * may have changed the same login, and does not know of the hook. So a later change wins over the hook's.
 */

/** Takes those fields of a login that the hook changes, as the hook saw them. */
export function seenOf(
  login: LoginClaims,
  changes: LoginClaimChanges,
): LoginClaims {
  return pick(login, namesIn(changes)) as LoginClaims;
}

/**
 * Applies the changes of the hook to a login as it is now. A field that is not as the hook saw it keeps its value. If
 * the whole would be too large, no field changes.
 */
export function applyHookChanges(
  login: LoginAttributes,
  { claim_changes, claims_seen }: ExchangeAttempt,
): { login: LoginAttributes; unapplied?: UnappliedChanges } {
  if (!claim_changes) return { login };
  const fields = namesIn(claim_changes);
  // A Worker of an older version does not say what the hook saw.
  const overtaken = fields.filter(
    (name) => claims_seen && !isSame(login[name], claims_seen[name]),
  );
  const left = fields.filter((name) => !overtaken.includes(name));
  const changed = withLoginClaims(login, pick(claim_changes, left));
  if (sizeOfLoginClaims(changed) > MAX_LOGIN_CLAIMS_BYTES)
    return { login, unapplied: { reason: "too_large", fields } };
  return overtaken.length > 0
    ? { login: changed, unapplied: { reason: "overtaken", fields: overtaken } }
    : { login: changed };
}

function namesIn(changes: LoginClaimChanges): LoginClaimName[] {
  return loginClaimNames.filter((name) => changes[name] !== undefined);
}

function pick(
  from: LoginClaimChanges,
  names: readonly LoginClaimName[],
): LoginClaimChanges {
  const entries = names.flatMap((name) => {
    const value = from[name];
    return value === undefined ? [] : [[name, value]];
  });
  return Object.fromEntries(entries) as LoginClaimChanges;
}

/** Compares two values of a field. Both come from the record, so their members have one order. */
function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
