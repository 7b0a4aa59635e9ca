import type { JWK } from "jose";
import * as base64url from "jose/base64url";
import type { SigningKey } from "../oauth/keys.ts";
import { protectedHeaders } from "../oauth/signed-jwt.ts";
import { KeyError } from "./key-text.ts";

/** The public members of a JWK, by `kty` (RFC 7518 section 6, RFC 8037 section 2). */
const publicMembers = {
  EC: ["kty", "crv", "x", "y"],
  OKP: ["kty", "crv", "x"],
  RSA: ["kty", "n", "e"],
} satisfies Record<string, (keyof JWK)[]>;

/**
 * The signing algorithms, by `alg` (RFC 7518 section 3.1, RFC 8037 section 3.1): the keys that an algorithm
 * is for, and the parameters with which WebCrypto imports them, signs and verifies.
 */
const algorithms: Record<
  string,
  {
    kty: keyof typeof publicMembers;
    crv?: string;
    parameters: SubtleCryptoSignAlgorithm & SubtleCryptoImportKeyAlgorithm;
  }
> = {
  ES256: {
    kty: "EC",
    crv: "P-256",
    parameters: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
  },
  ES384: {
    kty: "EC",
    crv: "P-384",
    parameters: { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" },
  },
  EdDSA: { kty: "OKP", crv: "Ed25519", parameters: { name: "Ed25519" } },
  RS256: {
    kty: "RSA",
    parameters: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
  },
  // RFC 7518 section 3.5: the salt is as long as the hash.
  PS256: {
    kty: "RSA",
    parameters: { name: "RSA-PSS", hash: "SHA-256", saltLength: 32 },
  },
};

const encoder = new TextEncoder();

/** RFC 7518 section 3.3: "A key of size 2048 bits or larger MUST be used". */
const MIN_RSA_BITS = 2048;

/** A key with its algorithm and its id. */
export interface NamedKey {
  alg: string;
  kid: string;
  jwk: JWK;
}

/** Fills in what a JWK may leave out: `alg` by the kind of key, `kid` by its thumbprint (RFC 7638). */
export async function nameKey(jwk: JWK, index: number): Promise<NamedKey> {
  const where = `key ${index + 1}`;
  if (jwk.use !== undefined && jwk.use !== "sig")
    throw new KeyError(
      `${where} is not for signing: use must be sig, or left out`,
    );
  if (jwk.kid !== undefined && typeof jwk.kid !== "string") {
    throw new KeyError(`${where} has a kid that is not a string`);
  }
  const candidates = Object.entries(algorithms).filter(
    ([, { kty, crv }]) =>
      kty === jwk.kty && (crv === undefined || crv === jwk.crv),
  );
  const [alg, { kty } = {}] =
    candidates.find(([name]) => jwk.alg === undefined || jwk.alg === name) ??
    [];
  if (alg === undefined || kty === undefined) {
    const names = Object.keys(algorithms).join(", ");
    throw new KeyError(
      `${where} is not for a supported algorithm: it must be for one of ${names}`,
    );
  }
  const kid = jwk.kid ?? (await thumbprint(jwk, publicMembers[kty]));
  if (kid === undefined)
    throw new KeyError(`${where} lacks a part of its public half`);
  return { alg, kid, jwk };
}

/** Returns a key's thumbprint (RFC 7638); undefined if it lacks one of its public members. */
async function thumbprint(
  jwk: JWK,
  members: readonly (keyof JWK)[],
): Promise<string | undefined> {
  if (!members.every((name) => isText(jwk[name]))) return undefined;
  // Section 3: the members in the order of their names, without white space.
  const text = JSON.stringify(jwk, members.toSorted());
  const digest = await crypto.subtle.digest("SHA-256", encoder.encode(text));
  return base64url.encode(new Uint8Array(digest));
}

/** Tells whether a value is a string of ASCII and not empty, as every member of a key is. */
function isText(value: unknown): boolean {
  return typeof value === "string" && /^[\0-\x7f]+$/.test(value);
}

/** Returns the public half of a key, without anything else. */
export function publicHalf({ alg, jwk }: NamedKey): JWK {
  return Object.fromEntries(
    publicMembers[algorithms[alg]!.kty].map((name) => [name, jwk[name]]),
  );
}

/** Imports the public half of a key. @throws KeyError */
export async function importPublicKey(named: NamedKey) {
  const { alg, kid } = named;
  const members = publicHalf(named);
  const key = await importKey(members, alg, kid, "verify");
  const algorithm = key.algorithm as { modulusLength?: number };
  if (
    algorithm.modulusLength !== undefined &&
    algorithm.modulusLength < MIN_RSA_BITS
  ) {
    throw new KeyError(
      `has an RSA key, ${kid}, of less than ${MIN_RSA_BITS} bits`,
    );
  }
  return { key, jwk: { ...members, kid, alg, use: "sig" } };
}

/** Imports the private half of a key, and tries whether the public half verifies what it signs. @throws KeyError */
export async function importSigningKey(
  { alg, kid, jwk }: NamedKey,
  publicKey: CryptoKey,
): Promise<SigningKey> {
  if (!isText(jwk.d))
    throw new KeyError("has no private half in its first key, which signs");
  const {
    kid: _kid,
    alg: _alg,
    use: _use,
    key_ops: _ops,
    ext: _ext,
    ...members
  } = jwk;
  const key = await importKey(members, alg, kid, "sign");
  const { parameters } = algorithms[alg]!;
  const signature = await signToTry(parameters, key, publicKey);
  // With halves that do not belong together nobody could verify what the key signs.
  if (signature === undefined)
    throw new KeyError(
      "has a first key whose private and public half do not belong together",
    );
  return {
    key,
    parameters,
    headers: protectedHeaders(alg, kid),
    signatureCharacters: base64url.encode(signature).length,
  };
}

/** Signs a text to try a key. @returns undefined if the key cannot sign, or the public key does not verify it */
async function signToTry(
  parameters: SubtleCryptoSignAlgorithm,
  key: CryptoKey,
  publicKey: CryptoKey,
): Promise<Uint8Array | undefined> {
  const text = encoder.encode("{}");
  try {
    const signature = await crypto.subtle.sign(parameters, key, text);
    return (await crypto.subtle.verify(parameters, publicKey, signature, text))
      ? new Uint8Array(signature)
      : undefined;
  } catch {
    // For example an RSA key with the primes of another one.
    return undefined;
  }
}

async function importKey(
  jwk: JWK,
  alg: string,
  kid: string,
  usage: "sign" | "verify",
): Promise<CryptoKey> {
  const { parameters } = algorithms[alg]!;
  try {
    return await crypto.subtle.importKey(
      "jwk",
      jwk as JsonWebKey,
      parameters,
      usage === "verify",
      [usage],
    );
  } catch {
    throw new KeyError(`has a key, ${kid}, that is malformed`);
  }
}
