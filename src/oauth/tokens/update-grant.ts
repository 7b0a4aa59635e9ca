import * as v from "valibot";
import type { Seconds } from "../duration.ts";
import { fieldError } from "../errors.ts";
import {
  largestLoginClaim,
  type LoginClaimChanges,
  loginClaimNames,
} from "../login-claims.ts";
import {
  boundLoginClaims,
  loginClaimChanges,
  refuseFutureSignIn,
  sizeProblem,
} from "../openid/login-claims-schema.ts";
import type { RequestLog } from "../request-log.ts";
import { maxCharacters, strictObject } from "../schema.ts";
import type { Server } from "../server.ts";
import {
  describeGrant,
  type GrantDetails,
  noSuchGrant,
} from "./grant-details.ts";

/** The schema of the id of a grant. */
export const grantId = v.pipe(v.string(), maxCharacters(64));

/** The schema of a change of a grant, by its id. */
export const grantUpdate = v.pipe(
  strictObject({ grant_id: grantId, ...loginClaimChanges }),
  boundLoginClaims(),
);

/**
 * Changes what the login says about the user of a grant. The next refresh, the UserInfo endpoint and introspection
 * have it.
 *
 * @throws OAuthError `admin_target_unknown` for a grant that has ended; `admin_body_invalid` for a sign-in in the
 *   future, or if all fields together are too large after the change
 */
export async function updateGrant(
  server: Server,
  grant_id: string,
  changes: LoginClaimChanges,
  now: Seconds,
  log: RequestLog,
): Promise<GrantDetails> {
  refuseFutureSignIn(changes, now);
  const familyId = server.families.parseGrantId(grant_id);
  if (!familyId) throw noSuchGrant();
  const result = await server.families.changeClaims(familyId, changes, now);
  if (result.outcome === "ended") throw noSuchGrant();
  if (result.outcome === "too_large")
    throw fieldError(
      largestLoginClaim(changes),
      `with what the grant has already, ${sizeProblem(result.bytes)}`,
    );
  const { family } = result;
  const { client_id, subject } = family.login;
  log.fields.client_id = client_id;
  // Values are about a person, so the event has none. A repeated call changes nothing, and is an event nevertheless,
  // because the answer of the first may have been lost.
  const named = loginClaimNames.filter((name) => changes[name] !== undefined);
  if (named.length > 0)
    log.addEvent("grant.changed", {
      subject,
      grant_id,
      changes: named.map((field) => ({ field })),
    });
  return describeGrant(server, grant_id, family, now);
}
