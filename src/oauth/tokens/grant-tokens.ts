import type { Confirmation } from "../confirmation.ts";
import type { Seconds } from "../duration.ts";
import type { Client } from "../entities.ts";
import { throwIfRefused, OAuthError } from "../errors.ts";
import { identityOf, type LoginAttributes } from "../login-attributes.ts";
import type { LoginClaims } from "../login-claims.ts";
import { rememberResources } from "../resource-memory.ts";
import {
  allowedFor,
  finalizeScopeAndResource,
  grantableFor,
  type RequestedScopeAndResource,
} from "../scope-and-resource.ts";
import type { RequestLog } from "../request-log.ts";
import type { Server } from "../server.ts";
import { startFamily } from "./start-family.ts";
import { clientForToken } from "./token-target.ts";
import { type TokenResponse, tokenResponse } from "./token-response.ts";

/** The user of a new login, and what the caller says of them. */
export type SignedInUser = Pick<LoginAttributes, "subject"> & LoginClaims;

/**
 * Starts a login for a user whom the caller has authenticated, and makes the first pair of tokens.
 *
 * @param client the current record, from no cache
 * @param boundTo the keys that the tokens are bound to: the client will prove them. Undefined: none
 * @param log its line gets the login's id
 * @throws OAuthError `grant_type_not_allowed`, `client_logins_ended`, or a reason of scope or resource
 */
export async function grantTokens(
  server: Server,
  client: Client,
  user: SignedInUser,
  requested: RequestedScopeAndResource,
  now: Seconds,
  boundTo?: Confirmation,
  log?: RequestLog,
): Promise<TokenResponse> {
  if (!client.grant_types.includes("refresh_token")) {
    throw new OAuthError("grant_type_not_allowed", {
      subject: "refresh_token",
    });
  }

  const catalogues = await server.catalogues.read();
  const allowed = allowedFor(client, catalogues);
  const granted = throwIfRefused(
    finalizeScopeAndResource(
      requested,
      grantableFor(client, requested, allowed),
      allowed,
    ),
  );
  const login = {
    ...identityOf(client),
    ...user,
    ...granted,
    ...(await rememberResources(client, granted.resource)),
  };
  const issuing = await clientForToken(
    server,
    { client, login, granted, catalogues },
    now,
  );
  const newest = await startFamily(server, issuing, login, now, boundTo);
  if (log) {
    const { family_id } = newest.refreshToken;
    log.fields.grant_id = server.families.grantIdOf(family_id);
  }
  return tokenResponse(
    server,
    { client, login, granted, newest, catalogues, bound_to: boundTo },
    now,
  );
}
