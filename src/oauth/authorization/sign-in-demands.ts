import { CLOCK_SKEW_SECONDS, type Seconds } from "../duration.ts";
import { fieldError } from "../errors.ts";
import type { LoginClaims } from "../login-claims.ts";
import { OPENID } from "../openid/scopes.ts";
import type { AuthorizationRequest } from "./request.ts";

/** A decision of the login for a user who has signed in. */
type SignedIn = { subject: string } & Pick<LoginClaims, "auth_time">;

/**
 * Checks a decision against what the client demands of the sign-in (OpenID Connect Core section 3.1.2.1): the user of
 * `id_token_hint`, `max_age`, and `prompt=login`. So a login that forgets one of them sends nobody to the app who must
 * sign in first.
 *
 * @param requestedAt the time of the authorization request
 * @returns the error that the client gets; undefined if the code may be made
 * @throws OAuthError `admin_body_invalid` for the field `auth_time`, for the login
 */
export function unmetDemand(
  request: AuthorizationRequest,
  requestedAt: Seconds,
  { subject, auth_time }: SignedIn,
): { error: string; error_description: string } | undefined {
  if (!request.login.scope.includes(OPENID)) return undefined;
  const { max_age, hinted_subject, prompt = "" } = request;
  // Another user must not come back as the one whom the client asked for, or two accounts could be mixed up.
  if (hinted_subject !== undefined && hinted_subject !== subject)
    return {
      error: "login_required",
      error_description:
        "A user other than the one in id_token_hint has signed in.",
    };
  if (auth_time === undefined) {
    if (max_age === undefined) return undefined;
    throw fieldError(
      "auth_time",
      "is missing. The app has sent max_age, so send the time of the sign-in",
    );
  }
  // The clock of the login may be behind this server's.
  const isOlderThan = (seconds: number) =>
    auth_time + seconds + CLOCK_SKEW_SECONDS < requestedAt;
  if (max_age !== undefined && isOlderThan(max_age))
    throw fieldError(
      "auth_time",
      `is more than max_age (${max_age} seconds) before the request. ${WHAT_TO_DO}`,
    );
  if (prompt.split(" ").includes("login") && isOlderThan(0))
    throw fieldError(
      "auth_time",
      `is before the request, and the app has sent prompt=login. ${WHAT_TO_DO}`,
    );
  return undefined;
}

const WHAT_TO_DO =
  "Let the user sign in again, or send the error login_required";
