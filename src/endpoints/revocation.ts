import { authenticationMethods } from "../oauth/clients/authentication.ts";
import { OAuthError } from "../oauth/errors.ts";
import { isLeagueToken, revokeLeagueToken } from "../league/token-kind.ts";
import { lookUpToken } from "../oauth/tokens/own-kinds.ts";
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
    const { log } = c.var;
    const server = await c.var.connect();
    const form = await readClientForm(c, ["token", "token_type_hint"]);
    const time = now();
    const client = await authenticate(c, server, form, time);

    // token_type_hint is only a hint (section 2.1), and a token says by itself what it is.
    const token = form.required("token");
    if (isLeagueToken(token)) {
      const presenter = { client, network: () => networkOf(c) };
      await revokeLeagueToken(server, token, presenter);
      return c.body(null, 200);
    }
    const known = await lookUpToken(server, token);
    // Section 2.2: the client wanted it to be no good, and it is no good.
    if (!known) return c.body(null, 200);
    if (known.kind === "client_access_token") {
      if (time >= known.expires_at) return c.body(null, 200);
      const isOwn = known.claims.client_id === client.client_id;
      throw new OAuthError(
        isOwn ? "token_not_revocable" : "token_of_another_client",
      );
    }
    const key = {
      client_id: client.client_id,
      client_issued_at: client.client_id_issued_at,
      ...(known.kind === "refresh_token" && { secret_hash: known.secret_hash }),
    };
    log.begin("family");
    const result = await server.families.revoke(known.family_id, key);
    // Section 2.1: somebody else's token is refused, and stays as it is.
    if (result.outcome === "refused") throw new OAuthError(result.reason);
    return c.body(null, 200);
  },
};
