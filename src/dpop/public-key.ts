import * as base64url from "jose/base64url";
import type { JWK } from "jose";
import { algorithms, type ProofAlgorithm } from "./algorithms.ts";
import { BASE64URL } from "./base64url.ts";

/** The members of private and of shared keys (RFC 7518 section 6, RFC 8037 section 2, RFC 9964). */
const privateMembers = [
  "d",
  "p",
  "q",
  "dp",
  "dq",
  "qi",
  "oth",
  "k",
  "priv",
] as const;

/** RFC 7518 section 3.3. */
const MIN_RSA_BYTES = 2048 / 8;
/** Every request may bring a key, and a longer one costs more time. */
const MAX_RSA_BYTES = 8192 / 8;
/** A usual exponent has three bytes. A long one costs much time. */
const MAX_EXPONENT_BYTES = 4;

const bytesInBase64url = new RegExp(`^${BASE64URL}$`);

interface PublicKey {
  /** The members that make the key, in the order in which its thumbprint needs them (RFC 7638 sections 3.2 and 3.3). */
  jwk: JWK;
}

/**
 * Checks the public key in the header of a proof (RFC 9449 section 4.3, steps 5 and 7).
 *
 * @param jwk the member `jwk`
 * @param alg the algorithm of the proof
 */
export function checkPublicKey(
  jwk: unknown,
  alg: ProofAlgorithm,
): PublicKey | { problem: string } {
  if (typeof jwk !== "object" || jwk === null || Array.isArray(jwk))
    return { problem: "its header has no jwk with the public key" };
  const members = jwk as Record<string, unknown>;
  const secret = privateMembers.find((name) => Object.hasOwn(members, name));
  if (secret)
    return {
      problem: `its jwk has the member ${secret} of a private key. Make a new key, because this one is not secret any more`,
    };
  const expected = algorithms[alg];
  if (members.kty !== expected.kty)
    return { problem: `its jwk needs kty ${expected.kty} for its alg` };
  if (expected.kty === "RSA") return rsaKey(members);
  const { kty, crv, bytes } = expected;
  if (members.crv !== crv)
    return { problem: `its jwk needs crv ${crv} for its alg` };
  const { x, y } = members;
  if (lengthOf(x) !== bytes || (kty === "EC" && lengthOf(y) !== bytes))
    return {
      problem: `its jwk must have the public key in base64url, ${bytes} bytes for each coordinate`,
    };
  const point = { crv, kty, x: x as string };
  return { jwk: kty === "EC" ? { ...point, y: y as string } : point };
}

function rsaKey({
  n,
  e,
}: Record<string, unknown>): PublicKey | { problem: string } {
  const modulus = decoded(n);
  const exponent = decoded(e);
  // RFC 7518 section 2, Base64urlUInt: without leading zeros, so that a key has one thumbprint.
  if (!modulus?.[0] || !exponent?.[0])
    return {
      problem: "its jwk needs n and e in base64url, without leading zeros",
    };
  if (modulus.length < MIN_RSA_BYTES || modulus.length > MAX_RSA_BYTES)
    return { problem: "the RSA key in its jwk must have 2048 to 8192 bits" };
  if (exponent.length > MAX_EXPONENT_BYTES)
    return { problem: "the RSA key in its jwk has a too large e" };
  return { jwk: { e: e as string, kty: "RSA", n: n as string } };
}

function lengthOf(text: unknown): number | undefined {
  return decoded(text)?.length;
}

/** Decodes a member. @returns undefined if it is not bytes in base64url */
function decoded(text: unknown): Uint8Array | undefined {
  return typeof text === "string" && bytesInBase64url.test(text)
    ? base64url.decode(text)
    : undefined;
}
