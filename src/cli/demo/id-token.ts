import { createHash } from "node:crypto";
import { jwtVerify, type JWTVerifyGetKey } from "jose";
import type { Reporter } from "./reporter.ts";
import type { OpenIdTokens } from "./client.ts";

/** What an app knows before it verifies an ID token. */
export interface Expected {
  issuer: string;
  keys: JWTVerifyGetKey;
  client_id: string;
  /** Left out: the ID token must not have one, as after a refresh (OpenID Connect Core section 12.2). */
  nonce?: string;
}

/**
 * Verifies an ID token as an app does (OpenID Connect Core section 3.1.3.7), and reports each check.
 *
 * @returns what it says
 */
export async function verifyIdToken(
  { id_token, access_token }: OpenIdTokens,
  { issuer, keys, client_id, nonce }: Expected,
  reporter: Reporter,
): Promise<Record<string, unknown>> {
  const audience = client_id;
  const options = { issuer, audience, requiredClaims: ["exp", "iat", "sub"] };
  const { payload } = await jwtVerify(id_token, keys, options);
  reporter.check(
    `signature, iss, exp and aud (${client_id}) of the ID token are correct`,
    true,
  );
  const isExpected = payload["nonce"] === nonce;
  if (nonce === undefined)
    reporter.check("it has no nonce, because no browser asked", isExpected);
  else reporter.check("nonce is the value that the app sent", isExpected);
  // The keys of a new server are ES256, so the hash is SHA-256 (section 3.1.3.6).
  const hash = createHash("sha256").update(access_token).digest();
  const half = hash.subarray(0, hash.length / 2).toString("base64url");
  reporter.check(
    "at_hash binds it to the access token",
    payload["at_hash"] === half,
  );
  return payload;
}
