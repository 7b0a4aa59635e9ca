import { grants } from "../grants/index.ts";
import {
  authenticateClient,
  authenticationMethods,
  authenticationParameters,
} from "../oauth/client-authentication.ts";
import { OAuthError } from "../oauth/errors.ts";
import { readForm } from "../oauth/parameters.ts";
import { type Endpoint, now } from "./endpoint.ts";

/** The parameters that may be there once; `resource` is the exception (RFC 8707 section 2). */
const singular = new Set([
  "grant_type",
  ...authenticationParameters,
  ...[...grants.values()].flatMap(({ parameters }) => parameters),
]);

/** The token endpoint (RFC 6749 section 3.2). */
export const tokenEndpoint: Endpoint = {
  path: "/access_token",
  method: "POST",
  cors: true,

  metadata: (issuer) => ({
    token_endpoint: `${issuer}/access_token`,
    token_endpoint_auth_methods_supported: authenticationMethods,
    grant_types_supported: [...grants.keys()],
  }),

  async respond(c) {
    const time = now();
    const { log } = c.var;
    const server = await c.var.connect();
    const form = readForm(
      c.req.header("Content-Type"),
      await c.req.arrayBuffer(),
      singular,
    );

    const grantType = form.required("grant_type");
    const grant = grants.get(grantType);
    if (!grant) throw new OAuthError("grant_type_unknown");
    log.fields.grant_type = grant.type;

    const client = await log.measure("client", () =>
      authenticateClient(
        c.req.header("Authorization"),
        form,
        server.clients,
        time,
      ),
    );
    log.fields.client_id = client.client_id;
    if (!client.grant_types.includes(grant.type)) {
      throw new OAuthError("grant_type_not_allowed", { subject: grant.type });
    }

    const request = { client, parameters: form, now: time, log };
    return c.json(await grant.respond(server, request));
  },
};
