import type { Endpoint } from "./endpoint.ts";

/** How long anyone may keep what changes only when an operator changes it. */
export const PUBLIC_FOR_FIVE_MINUTES = "public, max-age=300";

/** The public halves of the signing keys (RFC 7517 section 5, RFC 8414 section 2: `jwks_uri`). */
export const jwksEndpoint: Endpoint = {
  path: "/.well-known/jwks.json",
  method: "GET",
  cors: true,

  metadata: ({ issuer }) => ({ jwks_uri: `${issuer}/.well-known/jwks.json` }),

  async respond(c) {
    const { jwks } = await c.var.server();
    return c.json(jwks, 200, {
      "Content-Type": "application/jwk-set+json",
      "Cache-Control": PUBLIC_FOR_FIVE_MINUTES,
    });
  },
};
