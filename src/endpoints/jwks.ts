import { type Endpoint, now } from "./endpoint.ts";

/** The Cache-Control of a document that changes only when an operator changes it: 300 seconds. */
export const PUBLIC_FOR_FIVE_MINUTES = "public, max-age=300";

/**
 * Publishes the public halves of the signing keys (RFC 7517 section 5; `jwks_uri` of RFC 8414 section 2). The key that
 * signs now is the first.
 */
export const jwksEndpoint: Endpoint = {
  path: "/.well-known/jwks.json",
  method: "GET",
  cors: true,

  metadata: ({ issuer }) => ({ jwks_uri: `${issuer}/.well-known/jwks.json` }),

  async respond(c) {
    const { jwks, signingKeys } = await c.var.server();
    const { kid: signing } = signingKeys.makingAt(now());
    const signs = (jwk: { kid?: unknown }) => Number(jwk.kid === signing);
    const keys = jwks.keys.toSorted((one, other) => signs(other) - signs(one));
    return c.json({ keys }, 200, {
      "Content-Type": "application/jwk-set+json",
      "Cache-Control": PUBLIC_FOR_FIVE_MINUTES,
    });
  },
};
