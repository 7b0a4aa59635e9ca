import {
  base64url,
  createLocalJWKSet,
  type JSONWebKeySet,
  jwtVerify,
} from "jose";
import { ISSUER, server, type TestClient, type Tokens } from "./server.ts";

/** What the tests of OpenID Connect share. */

/** A response of the token endpoint to a client with `openid`. */
export interface OpenIdTokens extends Tokens {
  id_token: string;
}

/** Verifies the ID token of a response with every option of jose. @returns its claims */
export async function verifyIdToken(
  { id_token }: OpenIdTokens,
  { client_id }: Pick<TestClient, "client_id">,
  { alg = "ES256", subject = "alice", from = server } = {},
) {
  const keys = await (
    await from.http("/.well-known/jwks.json")
  ).json<JSONWebKeySet>();
  const { payload } = await jwtVerify(id_token, createLocalJWKSet(keys), {
    issuer: ISSUER,
    audience: client_id,
    algorithms: [alg],
    typ: "JWT",
    subject,
    maxTokenAge: "1 minute",
    requiredClaims: [
      "iss",
      "sub",
      "aud",
      "exp",
      "iat",
      "at_hash",
      "sid",
      "jti",
    ],
  });
  return payload;
}

/** The hash of an access token by OpenID Connect Core section 3.1.3.6: the left half of its digest. */
export async function atHash(
  accessToken: string,
  hash: "SHA-256" | "SHA-384" | "SHA-512",
): Promise<string> {
  const ascii = Uint8Array.from(accessToken, (character) =>
    character.charCodeAt(0),
  );
  const digest = new Uint8Array(await crypto.subtle.digest(hash, ascii));
  return base64url.encode(digest.slice(0, digest.length / 2));
}
