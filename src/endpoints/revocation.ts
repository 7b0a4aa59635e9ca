import { authenticationMethods } from "../oauth/authentication-methods.ts";
import { kindOf } from "../oauth/token-kind.ts";
import { authenticate, readClientForm } from "./authentication.ts";
import { type Endpoint, networkOf, now } from "./endpoint.ts";

/**
 * Token revocation (RFC 7009): a token of either kind ends its whole family, an old one as well as
 * the newest, for a logout that races a refresh has to win.
 */
export const revocationEndpoint: Endpoint = {
  path: "/revoke",
  method: "POST",
  cors: true,

  metadata: ({ issuer }) => ({
    revocation_endpoint: `${issuer}/revoke`,
    revocation_endpoint_auth_methods_supported: authenticationMethods,
  }),

  async respond(c) {
    const server = await c.var.server();
    const form = await readClientForm(c, ["token", "token_type_hint"]);
    const time = now();
    const client = await authenticate(c, server, form, time);

    // token_type_hint is only a hint (section 2.1): the form of a token says what it is.
    const token = form.required("token");
    const presenter = { client, network: () => networkOf(c), log: c.var.log };
    await kindOf(server.tokenKinds, token).revoke(token, presenter, time);
    return c.body(null, 200);
  },
};
