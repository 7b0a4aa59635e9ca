import { certificateMetadata } from "./certificate-metadata.ts";
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
      const { settings, catalogues, jwks } = await c.var.server();
      const { scopes: catalogue, resources } = await catalogues.find();
      const open = Object.keys(resources).filter(
        (uri) => resources[uri]?.self_registered_clients,
      );
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
        // RFC 9728 section 4. Other resources are the business of the clients that have them.
        ...(open.length > 0 && { protected_resources: open }),
        ...Object.assign(
          {},
          ...on.map((endpoint) => endpoint.metadata?.(settings, catalogue)),
        ),
      };
      const all = { ...metadata, ...certificateMetadata(settings, metadata) };
      return c.json(all, 200, {
        "Cache-Control": PUBLIC_FOR_FIVE_MINUTES,
      });
    },
  }));
}
