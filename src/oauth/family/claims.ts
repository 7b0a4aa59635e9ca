import type { Seconds } from "../duration.ts";
import {
  type LoginClaimChanges,
  loginClaimsOf,
  MAX_LOGIN_CLAIMS_BYTES,
  sizeOfLoginClaims,
  withLoginClaims,
} from "../login-claims.ts";
import type { ClaimsResult } from "../repositories.ts";
import { type FamilyRecord, isEnded, stateOf, type Verdict } from "./record.ts";

/**
 * Judges a change of what the login says about the user. The next access token has it. Client, subject, scope and
 * tokens stay as they are, so that a refresh at the same moment may come before it or after it.
 */
export function judgeClaims(
  record: FamilyRecord | undefined,
  changes: LoginClaimChanges,
  now: Seconds,
): Verdict<ClaimsResult> {
  if (!record || isEnded(record) || now >= record.expires_at)
    return { result: { outcome: "ended" } };
  const login = withLoginClaims(record.login, changes);
  const bytes = sizeOfLoginClaims(login);
  if (bytes > MAX_LOGIN_CLAIMS_BYTES)
    return { result: { outcome: "too_large", bytes } };
  const changed = { ...record, login };
  const result = { outcome: "changed", family: stateOf(changed) } as const;
  const isSame =
    JSON.stringify(loginClaimsOf(record.login)) ===
    JSON.stringify(loginClaimsOf(login));
  return isSame ? { result } : { result, record: changed };
}
