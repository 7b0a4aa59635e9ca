import { assertionAlgorithms } from "../oauth/assertion-algorithms.ts";
import {
  enabledMethods,
  isConfidential,
} from "../oauth/authentication-methods.ts";
import { isPublic } from "../oauth/entities.ts";
import { OAuthError } from "../oauth/errors.ts";
import { kindOf } from "../oauth/token-kind.ts";
import { authenticate, readClientForm } from "./authentication.ts";
import { type Endpoint, networkOf, now } from "./endpoint.ts";

/**
 * The introspection endpoint (RFC 7662), for confidential clients. A client may introspect its own tokens, a
 * resource server every access token with its audience. The family is asked, so that a login that has ended
 * shows at once. Any other token is not active, whatever is wrong with it (section 2.2).
 */
export const introspectionEndpoint: Endpoint = {
  path: "/introspect",
  method: "POST",
  cors: false,

  metadata: (settings) => ({
    introspection_endpoint: `${settings.issuer}/introspect`,
    introspection_endpoint_auth_methods_supported:
      enabledMethods(settings).filter(isConfidential),
    introspection_endpoint_auth_signing_alg_values_supported:
      assertionAlgorithms,
  }),

  async respond(c) {
    const server = await c.var.server();
    const form = await readClientForm(c, ["token", "token_type_hint"]);
    const time = now();
    const { client, takeAssertion } = await authenticate(c, server, form, time);
    // Section 2.1: the endpoint must require authorization, or anybody could try tokens here.
    if (isPublic(client)) {
      throw new OAuthError("client_authentication_method_wrong");
    }
    const token = form.required("token");
    const presenter = { client, network: () => networkOf(c), log: c.var.log };
    const kind = kindOf(server.tokenKinds, token);
    const claims = await kind.introspect(token, presenter, time);
    if (!claims) return c.json({ active: false });
    // After everything that may fail, so that a fault uses no assertion up. A token that is not active tells nothing.
    await takeAssertion();
    return c.json({ active: true, ...claims });
  },
};
