import { base64url } from "jose";
import type { Refused } from "../errors.ts";
import type { Parameters } from "../parameters.ts";

/** Proof Key for Code Exchange (RFC 7636), S256 only: RFC 9700 section 2.1.1 wants no other. */
export const codeChallengeMethods = ["S256"] as const;

/** Section 4.2: the base64url of a SHA-256. */
const challengePattern = /^[A-Za-z0-9_-]{43}$/;
/** Section 4.1: 43*128unreserved. */
const verifierPattern = /^[A-Za-z0-9._~-]{43,128}$/;

/** The code challenge of an authorization request, which every client has to send. */
export function readCodeChallenge(
  parameters: Parameters,
): { code_challenge: string } | Refused {
  const code_challenge = parameters.required("code_challenge");
  // Section 4.3: left out it is "plain".
  if (parameters.optional("code_challenge_method") !== codeChallengeMethods[0])
    return { refused: "code_challenge_method_unsupported" };
  return challengePattern.test(code_challenge)
    ? { code_challenge }
    : { refused: "code_challenge_malformed" };
}

/** Whether whoever redeems a code is who has asked for it (section 4.6). */
export async function verifyCodeVerifier(
  verifier: string,
  challenge: string,
): Promise<boolean> {
  if (!verifierPattern.test(verifier)) return false;
  const bytes = new TextEncoder().encode(verifier);
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  // The challenge has gone through the browser: there is nothing to keep by constant time.
  return base64url.encode(new Uint8Array(digest)) === challenge;
}
