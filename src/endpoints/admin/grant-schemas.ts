import * as v from "valibot";
import { timestamp } from "../../oauth/client-metadata.ts";
import type { Seconds } from "../../oauth/duration.ts";
import type { FamilyState } from "../../oauth/repositories.ts";
import type { Server } from "../../oauth/server.ts";
import { loginClaimNames } from "../../oauth/login-claims.ts";
import { loginClaims } from "../../oauth/openid/login-claims-schema.ts";
import { includesRole, type Role } from "../../oauth/roles.ts";
import {
  describeGrant,
  type GrantDetails,
} from "../../oauth/tokens/grant-details.ts";
import {
  type InactiveReason,
  inactiveReasons,
} from "../../oauth/tokens/inspection.ts";
import { count, named } from "./api.ts";

/** The JSON of grants in the responses of `/admin/grants`, `/admin/subjects` and `/admin/introspect`. */

/** Makes the schema of the keys that tokens are bound to. */
export function boundKeys(tokensAre: string, otherwise: string) {
  return v.optional(
    v.pipe(
      v.object({
        jkt: v.optional(v.string()),
        "x5t#S256": v.optional(v.string()),
      }),
      v.description(
        `The keys that the ${tokensAre} bound to: the thumbprints of the key of DPoP proofs and of the client certificate. Left out: ${otherwise}.`,
      ),
    ),
  );
}

/** A grant in a list. */
export const grant = named(
  "Grant",
  v.object({
    grant_id: v.string(),
    client_id: v.string(),
    scope: v.string(),
    created_at: timestamp,
    last_used_at: timestamp,
    expires_at: timestamp,
  }),
);

/** Makes the JSON of a grant in a list. */
export function grantJson({
  grant_id,
  login,
  created_at,
  last_used_at,
  expires_at,
}: FamilyState & { grant_id: string }): v.InferOutput<typeof grant> {
  const { client_id } = login;
  const scope = login.scope.join(" ");
  return { grant_id, client_id, scope, created_at, last_used_at, expires_at };
}

/** Left out, or a reason, with the meaning of each. */
export const inactiveBecause = v.optional(
  v.pipe(
    v.picklist(Object.keys(inactiveReasons) as InactiveReason[]),
    v.description(
      `Left out: it is active. ${Object.entries(inactiveReasons)
        .map(([reason, meaning]) => `${reason}: ${meaning}.`)
        .join(" ")}`,
    ),
  ),
);

export const subjectType = v.optional(
  v.pipe(
    v.literal("client"),
    v.description(
      "client: there is no user, and the subject is the client. Left out: a user.",
    ),
  ),
);

/** A grant that is shown alone. */
export const grantDetails = named(
  "GrantDetails",
  v.object({
    ...grant.entries,
    subject: v.string(),
    sub_type: subjectType,
    resource: v.pipe(
      v.array(v.string()),
      v.description(
        "The audiences that were granted. Empty: each refresh may choose one of the client's.",
      ),
    ),
    ends_at: v.pipe(
      timestamp,
      v.description(
        "When the grant ends, however often it is used. In seconds since 1970.",
      ),
    ),
    generation: count(
      "The number of its newest refresh token. The first has 1.",
    ),
    cnf: boundKeys("refresh tokens are", "the grant is not bound"),
    ...loginClaims,
    hidden: v.optional(
      v.pipe(
        v.array(v.picklist(loginClaimNames)),
        v.description(
          "The fields about the user and the sign-in that the grant has, and that only the role admin may see.",
        ),
      ),
    ),
    inactive_because: inactiveBecause,
  }),
);

/** Makes the JSON of a grant that is shown alone, for an administrator with a role. */
export async function grantDetailsJson(
  server: Server,
  role: Role | undefined,
  grant_id: string,
  family: FamilyState,
  now: Seconds,
): Promise<v.InferOutput<typeof grantDetails>> {
  return visibleTo(role, await describeGrant(server, grant_id, family, now));
}

/**
 * Leaves out what the login says about the user and the sign-in, and names it, unless the administrator may set it. It
 * is about a person, and `read` and `operator` do not need it.
 */
function visibleTo(role: Role | undefined, details: GrantDetails) {
  if (includesRole(role, "login")) return details;
  const hidden = loginClaimNames.filter((name) => details[name] !== undefined);
  const visible = { ...details };
  for (const name of hidden) delete visible[name];
  return { ...visible, ...(hidden.length > 0 && { hidden }) };
}
