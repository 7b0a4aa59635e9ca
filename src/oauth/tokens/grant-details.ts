import type { Confirmation } from "../confirmation.ts";
import type { Seconds } from "../duration.ts";
import { OAuthError } from "../errors.ts";
import { type LoginClaims, loginClaimsOf } from "../login-claims.ts";
import type { FamilyState } from "../repositories.ts";
import type { Server } from "../server.ts";
import { type InactiveReason, whyLoginInactive } from "./inspection.ts";

/** A grant as an administrator sees it, in JSON. */
export interface GrantDetails extends LoginClaims {
  grant_id: string;
  client_id: string;
  scope: string;
  created_at: Seconds;
  last_used_at: Seconds;
  expires_at: Seconds;
  subject: string;
  sub_type?: "client";
  /** The audiences that were granted. Empty: each refresh may choose one of the client's. */
  resource: string[];
  /** The time when the grant ends, however often it is used. */
  ends_at: Seconds;
  /** The number of its newest refresh token. The first has 1. */
  generation: number;
  /** The keys that its refresh tokens are bound to. Left out: none. */
  cnf?: Confirmation;
  /** Left out: it is active. */
  inactive_because?: InactiveReason;
}

/** Describes a grant, with what the login has said about the user. */
export async function describeGrant(
  server: Server,
  grant_id: string,
  family: FamilyState,
  now: Seconds,
): Promise<GrantDetails> {
  const { login, created_at, last_used_at, expires_at } = family;
  const { client_id, subject, sub_type, scope, resource, cnf } = login;
  const { ends_at, generation } = family;
  const inactive_because = await whyLoginInactive(server, family, now);
  return {
    grant_id,
    client_id,
    scope: scope.join(" "),
    created_at,
    last_used_at,
    expires_at,
    subject,
    ...(sub_type && { sub_type }),
    resource,
    ends_at,
    generation,
    ...(cnf && { cnf }),
    ...loginClaimsOf(login),
    ...(inactive_because && { inactive_because }),
  };
}

/** Makes the refusal of a grant that never was, or has ended. */
export function noSuchGrant(): OAuthError {
  const subject = "such grant, or it has ended";
  return new OAuthError("admin_target_unknown", { subject });
}
