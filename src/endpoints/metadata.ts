import type { Endpoint } from "./endpoint.ts";
import { PUBLIC_FOR_FIVE_MINUTES } from "./jwks.ts";

/**
 * The server's metadata (RFC 8414 section 3), made of what the endpoints say of themselves, so that
 * it lists what is on and nothing else.
 */
export function metadataEndpoint(endpoints: readonly Endpoint[]): Endpoint {
  return {
    path: "/.well-known/oauth-authorization-server",
    method: "GET",
    cors: true,

    async respond(c) {
      const { settings, scopes } = await c.var.server();
      const on = endpoints.filter(({ isOn }) => isOn?.(settings) ?? true);
      const metadata = {
        issuer: settings.issuer,
        scopes_supported: Object.keys(await scopes.catalogue()),
        // Required by RFC 8414 section 2, also while there is no authorization endpoint.
        response_types_supported: [],
        ...Object.assign(
          {},
          ...on.map((endpoint) => endpoint.metadata?.(settings)),
        ),
      };
      return c.json(metadata, 200, {
        "Cache-Control": PUBLIC_FOR_FIVE_MINUTES,
      });
    },
  };
}
