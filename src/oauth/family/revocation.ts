import type { FamilyKey, RevocationResult } from "../repositories.ts";
import {
  end,
  type FamilyRecord,
  isEnded,
  refuseForeign,
  refused,
  type Verdict,
} from "./record.ts";

/**
 * Judges the revocation of a family (RFC 7009).
 *
 * @param key the client's proof; left out for an administrator
 */
export function judgeRevocation(
  record: FamilyRecord | undefined,
  key?: FamilyKey,
): Verdict<RevocationResult> {
  if (!record || isEnded(record))
    return { result: { outcome: "ended_before" } };
  const foreign = key && refuseForeign(record, key);
  if (foreign) return { result: refused(foreign) };
  const isByClient = key !== undefined && key.by_hint !== true;
  const isKnown = isByClient || record.abandoned === true;
  const { subject } = record.login;
  const result = record.abandoned
    ? ({ outcome: "ended_before" } as const)
    : ({ outcome: "revoked", subject } as const);
  return { result, ...end(record, isKnown) };
}

/** Judges the end of a session at the login: the family ends if it is of that session. */
export function judgeSessionEnd(
  record: FamilyRecord | undefined,
  sid: string,
): Verdict<RevocationResult> {
  return record && !isEnded(record) && record.login.sid === sid
    ? judgeRevocation(record)
    : { result: { outcome: "ended_before" } };
}
