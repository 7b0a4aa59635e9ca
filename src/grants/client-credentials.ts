import { type Catalogues, isPublic } from "../oauth/entities.ts";
import { throwIfRefused, OAuthError } from "../oauth/errors.ts";
import { identityOf } from "../oauth/login-attributes.ts";
import {
  allowedFor,
  finalizeScopeAndResource,
  registeredFor,
  requestedScopeAndResource,
} from "../oauth/scope-and-resource.ts";
import { tokenResponse } from "../oauth/tokens/token-response.ts";
import type { GrantType } from "./grant-type.ts";

/**
 * Issues an access token for the client itself (RFC 6749 section 4.4). There is no login, so there is no
 * refresh token (section 4.4.3) and no family: nothing is stored, and no Durable Object is called.
 */
export const clientCredentialsGrant: GrantType<
  "client_credentials",
  { catalogues: Promise<Catalogues> }
> = {
  type: "client_credentials",
  parameters: ["scope"],

  readAhead: ({ catalogues }) => ({ catalogues: catalogues.find() }),

  async respond(
    server,
    { client, parameters, now, log, bound_to, takeAssertion },
    started,
  ) {
    // Section 4.4: "MUST only be used by confidential clients", whatever the client's record says.
    if (isPublic(client)) {
      throw new OAuthError("grant_type_not_allowed", {
        subject: "client_credentials",
      });
    }
    log.begin("scopes");
    const catalogues = await started.catalogues;
    const granted = throwIfRefused(
      finalizeScopeAndResource(
        requestedScopeAndResource(parameters),
        registeredFor(client),
        allowedFor(client, catalogues),
      ),
    );

    // RFC 9068 section 2.2: without a user, `sub` is the client.
    const subject = client.client_id;
    const sub_type = "client" as const;
    const login = { ...identityOf(client), subject, sub_type, ...granted };
    await takeAssertion();
    log.begin("sign");
    return tokenResponse(
      server,
      { client, login, granted, catalogues, bound_to },
      now,
    );
  },
};
