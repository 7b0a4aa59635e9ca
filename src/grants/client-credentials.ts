import { isPublic } from "../oauth/client-registration.ts";
import { OAuthError } from "../oauth/errors.ts";
import { finalizeResources } from "../oauth/resource.ts";
import {
  allowedScopes,
  finalizeScopes,
  requestedScope,
  scopeSet,
} from "../oauth/scope.ts";
import { tokenResponse } from "../oauth/token-response.ts";
import type { Grant } from "./grant.ts";

/**
 * An access token for the client itself (RFC 6749 section 4.4). There is no login behind it, and so
 * no refresh token (section 4.4.3) and no family: nothing is stored, and no object is called.
 */
export const clientCredentialsGrant: Grant = {
  type: "client_credentials",
  parameters: ["scope"],

  async respond(server, { client, parameters, now, log }) {
    // Section 4.4: for confidential clients only, whatever the record says.
    if (isPublic(client)) {
      throw new OAuthError("grant_type_not_allowed", {
        subject: "client_credentials",
      });
    }
    const catalogue = await log.measure("scopes", () =>
      server.scopes.catalogue(),
    );
    const scopes = finalizeScopes(
      requestedScope(parameters.optional("scope")),
      scopeSet(client.scope),
      allowedScopes(client, catalogue),
    );
    if ("refused" in scopes) throw new OAuthError(scopes.refused);
    const resources = finalizeResources(
      parameters.all("resource"),
      [],
      client.resources,
    );
    if ("refused" in resources) throw new OAuthError(resources.refused);

    // RFC 9068 section 2.2: without a user, `sub` is the client.
    const grant = {
      client,
      subject: client.client_id,
      ...scopes,
      ...resources,
    };
    return log.measure("sign", () => tokenResponse(server, grant, now));
  },
};
