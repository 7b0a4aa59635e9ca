import * as base64url from "jose/base64url";
import type { Seconds } from "../duration.ts";
import type { SigningKey } from "../keys.ts";
import { signJwt } from "../signed-jwt.ts";

/** The event of a logout token (OpenID Connect Back-Channel Logout section 2.4). */
const LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout";

/** The lifetime of a logout token, in seconds. Section 2.4 recommends at most two minutes. */
const LOGOUT_TOKEN_SECONDS = 120;

/** The login that a logout token says has ended. */
export interface EndedLogin {
  family_id: Uint8Array;
  client_id: string;
  subject: string;
  /** The session that the login gave. Left out: it is the id of the family, as in the ID token. */
  sid?: string;
}

/**
 * Makes and signs a logout token. Each one for the same login has the same `jti`, so that a client that gets the token
 * twice can tell.
 */
export function signLogoutToken(
  signingKey: SigningKey,
  issuer: string,
  { family_id, client_id, subject, sid }: EndedLogin,
  now: Seconds,
): Promise<string> {
  const family = base64url.encode(family_id);
  const payload = {
    iss: issuer,
    sub: subject,
    aud: client_id,
    iat: now,
    exp: now + LOGOUT_TOKEN_SECONDS,
    jti: `${family}.logout`,
    events: { [LOGOUT_EVENT]: {} },
    sid: sid ?? family,
  };
  return signJwt(signingKey, "logoutToken", JSON.stringify(payload));
}
