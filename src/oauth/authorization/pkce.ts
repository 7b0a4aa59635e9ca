import * as base64url from "jose/base64url";
import { type Client, isPublic } from "../entities.ts";
import type { Refused } from "../errors.ts";
import type { Parameters } from "../parameters.ts";

/** Proof Key for Code Exchange (RFC 7636). Only S256, as RFC 9700 section 2.1.1 recommends. */
export const codeChallengeMethods = ["S256"] as const;

/** RFC 7636 section 4.2: the base64url of a SHA-256 digest. */
const challengePattern = /^[A-Za-z0-9_-]{43}$/;
/** RFC 7636 section 4.1: 43*128unreserved. */
const verifierPattern = /^[A-Za-z0-9._~-]{43,128}$/;

/**
 * Tells whether a client must use PKCE. An operator may waive it for a confidential client (RFC 9700 section
 * 2.1.1). A public client needs it whatever its record says, because nothing else protects its codes.
 */
export function requiresPkce(client: Client): boolean {
  return isPublic(client) || client.require_pkce !== false;
}

/**
 * Reads the code challenge of an authorization request. A client without PKCE sends neither of the parameters.
 *
 * @throws OAuthError `parameter_missing` of a client without PKCE, if the other parameter is there
 */
export function readCodeChallenge(
  parameters: Parameters,
  client: Client,
): { code_challenge?: string } | Refused {
  const method = parameters.optional("code_challenge_method");
  const isLeftOut =
    method === undefined && parameters.optional("code_challenge") === undefined;
  const mustUse = requiresPkce(client);
  if (isLeftOut && !mustUse) return {};
  if (mustUse && parameters.optional("code_challenge") === undefined)
    return { refused: "code_challenge_missing" };
  const code_challenge = parameters.required("code_challenge");
  // RFC 7636 section 4.3: if it is left out, the method is "plain".
  if (method !== codeChallengeMethods[0])
    return { refused: "code_challenge_method_unsupported" };
  return challengePattern.test(code_challenge)
    ? { code_challenge }
    : { refused: "code_challenge_malformed" };
}

/** Tells whether a code verifier matches the code challenge (RFC 7636 section 4.6). */
export async function verifyCodeVerifier(
  verifier: string,
  challenge: string,
): Promise<boolean> {
  if (!verifierPattern.test(verifier)) return false;
  const bytes = new TextEncoder().encode(verifier);
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  // No constant time, because the challenge has gone through the browser and is not a secret.
  return base64url.encode(new Uint8Array(digest)) === challenge;
}
