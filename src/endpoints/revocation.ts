import { assertionAlgorithms } from "../oauth/assertion-algorithms.ts";
import { enabledMethods } from "../oauth/authentication-methods.ts";
import { kindOf } from "../oauth/token-kind.ts";
import { authenticate, readClientForm } from "./authentication.ts";
import { type Endpoint, networkOf, now } from "./endpoint.ts";

/**
 * The revocation endpoint (RFC 7009). A token of any kind ends its whole family. A used token does so too,
 * because a logout that races a refresh must win.
 */
export const revocationEndpoint: Endpoint = {
  path: "/revoke",
  method: "POST",
  cors: true,

  metadata: (settings) => ({
    revocation_endpoint: `${settings.issuer}/revoke`,
    revocation_endpoint_auth_methods_supported: enabledMethods(settings),
    revocation_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
  }),

  async respond(c) {
    const server = await c.var.server();
    const form = await readClientForm(c, ["token", "token_type_hint"]);
    const time = now();
    const { client, takeAssertion } = await authenticate(c, server, form, time);

    // token_type_hint is not needed (section 2.1): a token's form tells its kind.
    const token = form.required("token");
    const presenter = {
      client,
      network: () => networkOf(c),
      log: c.var.log,
      takeAssertion,
    };
    await kindOf(server.tokenKinds, token).revoke(token, presenter, time);
    // RFC 7009 section 2.2: a client ignores the body. It is JSON, because some clients parse it.
    return c.json({});
  },
};
