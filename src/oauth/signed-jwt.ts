import * as base64url from "jose/base64url";
import { decodeProtectedHeader } from "jose/decode/protected_header";
import {
  type SignedKind,
  signedTypes,
  type SigningKey,
  type VerificationKeys,
} from "./keys.ts";

/** Signed JWTs (RFC 7515, RFC 7519): claims that this server has signed with PRIVATE_KEY. */

const encoder = new TextEncoder();

/** Makes the protected header of each kind of JWT. */
export function protectedHeaders(
  alg: string,
  kid: string,
): SigningKey["headers"] {
  const header = (typ: string) =>
    base64url.encode(JSON.stringify({ alg, kid, typ }));
  return {
    accessToken: header(signedTypes.accessToken),
    idToken: header(signedTypes.idToken),
    logoutToken: header(signedTypes.logoutToken),
    request: header(signedTypes.request),
    logout: header(signedTypes.logout),
    code: header(signedTypes.code),
  };
}

/**
 * Makes a JWS in compact form (RFC 7515 section 7.1). It calls WebCrypto directly, because jose would check
 * key and header at every signature, and the server has checked them once, when the key was read.
 */
export async function signJwt(
  { key, parameters, headers }: Omit<SigningKey, "signatureCharacters">,
  kind: SignedKind,
  payload: string,
): Promise<string> {
  const input = `${headers[kind]}.${base64url.encode(payload)}`;
  const signature = await crypto.subtle.sign(
    parameters,
    key,
    encoder.encode(input),
  );
  return `${input}.${base64url.encode(new Uint8Array(signature))}`;
}

/**
 * Takes the payload out of a JWS (RFC 7515 appendix F), for where the payload stands beside it. A payload in
 * base64url is a third longer.
 */
export function detachPayload(jws: string): string {
  const [header, , signature] = jws.split(".");
  return `${header}..${signature}`;
}

/** Puts the payload back into a JWS of `detachPayload`. */
export function attachPayload(detached: string, payload: string): string {
  const [header, , signature] = detached.split(".");
  return `${header}.${base64url.encode(payload)}.${signature}`;
}

/** Loads what no refresh needs. */
const loadVerify = () => import("jose/jws/compact/verify");

/**
 * Verifies signature and kind of a JWT. The caller checks its claims, the issuer too, because the same key may
 * sign for several issuers.
 *
 * @returns the claims; undefined if no key of the server has signed a JWT of this kind
 */
export async function verifyJwt(
  keys: VerificationKeys,
  kind: SignedKind,
  jwt: string,
): Promise<unknown> {
  try {
    const { kid = "" } = decodeProtectedHeader(jwt);
    const verificationKey = keys.get(kid);
    if (!verificationKey) return undefined;
    const { key, alg } = verificationKey;
    const { compactVerify } = await loadVerify();
    const { payload, protectedHeader } = await compactVerify(jwt, key, {
      algorithms: [alg],
    });
    return protectedHeader.typ === signedTypes[kind]
      ? JSON.parse(new TextDecoder().decode(payload))
      : undefined;
  } catch {
    // Not a JWS, not signed by this server, or not JSON.
    return undefined;
  }
}
