import { errors, type JWTPayload, jwtVerify } from "jose";
import { checkClaims } from "./claims.ts";
import { KeysUnavailable, KeySet } from "./keys.ts";
import type { CheckToken, ResourceOptions } from "./options.ts";

/** The algorithms with which Baton can sign (RFC 7518 section 3.1, RFC 8037 section 3.1). None has a shared key. */
const signatureAlgorithms = ["ES256", "ES384", "EdDSA", "RS256", "PS256"];

/** Makes a check by the signature (RFC 9068 section 4). The token is good until it expires, also if its login has ended. */
export function bySignature(options: ResourceOptions): CheckToken {
  const { issuer, algorithms = signatureAlgorithms } = options;
  const keys = new KeySet(options);
  const expected = {
    issuer,
    typ: "at+jwt",
    algorithms: [...algorithms],
    requiredClaims: ["sub", "aud", "exp", "iat", "client_id"],
  };
  return async (token) => {
    let claims: JWTPayload;
    try {
      ({ payload: claims } = await jwtVerify(token, keys.find, expected));
    } catch (error) {
      if (error instanceof KeysUnavailable)
        return { unavailable: "The keys of the issuer cannot be fetched." };
      return { invalid: problemOf(error) };
    }
    return checkClaims(token, claims, options);
  };
}

function problemOf(error: unknown): string {
  return error instanceof errors.JWTExpired
    ? "The token has expired. Get a new one."
    : "The token is not an access token of the issuer that the metadata names. Get one there.";
}
