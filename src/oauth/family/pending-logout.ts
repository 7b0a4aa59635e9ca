import type { Seconds } from "../duration.ts";
import type { ClientIdentity, LoginAttributes } from "../login-attributes.ts";
import { OPENID } from "../openid/scopes.ts";

/** The logout that a client must still be told of (OpenID Connect Back-Channel Logout). */
export interface PendingLogout extends ClientIdentity {
  /** The session that the login gave. Left out: it gave none. */
  sid?: string;
  /** The number of attempts to tell the client that have failed. */
  failed: number;
  /** The time of the next attempt. */
  due: Seconds;
}

/** The delays after the attempts that failed, in seconds. After the last one the client is not told any more. */
const RETRY_DELAYS = [60, 5 * 60, 30 * 60, 2 * 60 * 60, 12 * 60 * 60];

/** Makes the logout that the client of a login is told of. Undefined: it is not a login of OpenID Connect. */
export function logoutToTell({
  client_id,
  client_issued_at,
  scope,
  sub_type,
  sid,
}: LoginAttributes): PendingLogout | undefined {
  if (!scope.includes(OPENID) || sub_type === "client") return undefined;
  return {
    client_id,
    client_issued_at,
    ...(sid !== undefined && { sid }),
    failed: 0,
    due: 0,
  };
}

/** Returns the logout after an attempt that failed. Undefined: there is no further attempt. */
export function afterFailure(
  logout: PendingLogout,
  now: Seconds,
): PendingLogout | undefined {
  const delay = RETRY_DELAYS[logout.failed];
  return delay === undefined
    ? undefined
    : { ...logout, failed: logout.failed + 1, due: now + delay };
}
