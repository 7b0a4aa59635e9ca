import { calculateJwkThumbprint, importJWK, SignJWT } from "jose";
import { keyOf } from "./test-keys.ts";
import { ISSUER } from "./two-workers.ts";

/** What a client with a key of its own sends. */

/** The public key of a test client, as a JWK. */
export function publicKeyOf(clientId: string) {
  const { kty, crv, x, y } = keyOf(clientId);
  return { kty, crv, x, y };
}

export function thumbprintOf(clientId: string): Promise<string> {
  return calculateJwkThumbprint(publicKeyOf(clientId));
}

async function sign(clientId: string, header: object, claims: object) {
  return new SignJWT({ jti: crypto.randomUUID(), ...claims })
    .setProtectedHeader({ alg: "ES256", ...header })
    .sign(await importJWK(keyOf(clientId), "ES256"));
}

/**
 * Makes a DPoP proof for the token endpoint (RFC 9449 section 4.2).
 *
 * @param now the time of the server, in milliseconds
 */
export function proofOf(clientId: string, now = Date.now()): Promise<string> {
  return sign(
    clientId,
    { typ: "dpop+jwt", jwk: publicKeyOf(clientId) },
    {
      htm: "POST",
      htu: `${ISSUER}/access_token`,
      iat: Math.floor(now / 1000),
    },
  );
}

/**
 * Makes the parameters by which a client authenticates with its key (RFC 7523 section 2.2).
 *
 * @param now the time of the server, in milliseconds
 */
export async function assertionOf(
  clientId: string,
  now: number,
): Promise<Record<string, string>> {
  const iat = Math.floor(now / 1000);
  const claims = { iss: clientId, sub: clientId, aud: ISSUER };
  return {
    client_assertion_type:
      "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    client_assertion: await sign(
      clientId,
      { typ: "client-authentication+jwt" },
      { ...claims, iat, exp: iat + 60 },
    ),
  };
}
