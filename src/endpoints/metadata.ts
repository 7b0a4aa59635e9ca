import { type Endpoint, hasNeededScope } from "./endpoint.ts";
import { PUBLIC_FOR_FIVE_MINUTES } from "./jwks.ts";
import { idTokenMetadata } from "./openid-metadata.ts";

/**
 * The paths of the document. RFC 8414 sections 3.1 and 5 allow the one of OpenID Connect Discovery, where the JWT
 * filters of gateways and many libraries look and nowhere else.
 */
const paths = [
  "/.well-known/oauth-authorization-server",
  "/.well-known/openid-configuration",
];

/**
 * Publishes the server metadata (RFC 8414 section 3). Each endpoint adds its own members, so that the
 * document lists what is turned on and nothing else.
 */
export function metadataEndpoints(endpoints: readonly Endpoint[]): Endpoint[] {
  return paths.map((path) => ({
    path,
    method: "GET",
    cors: true,

    async respond(c) {
      const { settings, scopes, jwks } = await c.var.server();
      const catalogue = await scopes.catalogue();
      const on = endpoints.filter(
        (endpoint) =>
          (endpoint.isOn?.(settings) ?? true) &&
          hasNeededScope(endpoint, catalogue),
      );
      const metadata = {
        issuer: settings.issuer,
        scopes_supported: Object.keys(catalogue),
        // RFC 8414 section 2 requires this member, also without an authorization endpoint.
        response_types_supported: [],
        // A subject is the same for every client (OpenID Connect Core section 8). Spring Security's client does not
        // start without this member, because it reads the document of OpenID Connect Discovery.
        subject_types_supported: ["public"],
        ...idTokenMetadata(catalogue, jwks),
        ...Object.assign(
          {},
          ...on.map((endpoint) => endpoint.metadata?.(settings, catalogue)),
        ),
      };
      return c.json(metadata, 200, {
        "Cache-Control": PUBLIC_FOR_FIVE_MINUTES,
      });
    },
  }));
}
