import {
  calculateJwkThumbprint,
  compactVerify,
  importJWK,
  type JWK,
} from "jose";
import type { JwkSet, SigningKey, VerificationKeys } from "../oauth/keys.ts";
import { protectedHeaders, signJwt } from "../oauth/signed-jwt.ts";
import { KeyError } from "./key-text.ts";
import { readPrivateKey } from "./private-key.ts";

/** The public members of a JWK, by `kty` (RFC 7518 section 6, RFC 8037 section 2). */
const publicMembers = {
  EC: ["kty", "crv", "x", "y"],
  OKP: ["kty", "crv", "x"],
  RSA: ["kty", "n", "e"],
} satisfies Record<string, (keyof JWK)[]>;

/**
 * The signing algorithms, by `alg` (RFC 7518 section 3.1, RFC 8037 section 3.1): the keys that an algorithm
 * is for, and the parameters with which WebCrypto signs.
 */
const algorithms: Record<
  string,
  {
    kty: keyof typeof publicMembers;
    crv?: string;
    parameters: SubtleCryptoSignAlgorithm;
  }
> = {
  ES256: {
    kty: "EC",
    crv: "P-256",
    parameters: { name: "ECDSA", hash: "SHA-256" },
  },
  ES384: {
    kty: "EC",
    crv: "P-384",
    parameters: { name: "ECDSA", hash: "SHA-384" },
  },
  EdDSA: { kty: "OKP", crv: "Ed25519", parameters: { name: "Ed25519" } },
  RS256: { kty: "RSA", parameters: { name: "RSASSA-PKCS1-v1_5" } },
  // RFC 7518 section 3.5: the salt is as long as the hash.
  PS256: { kty: "RSA", parameters: { name: "RSA-PSS", saltLength: 32 } },
};

/** RFC 7518 section 3.3: "A key of size 2048 bits or larger MUST be used". */
const MIN_RSA_BITS = 2048;

/** The keys of PRIVATE_KEY, ready for use. */
export interface SigningKeys {
  /** Signs JWTs: the first key of PRIVATE_KEY. */
  signingKey: SigningKey;
  /** The public halves of all keys (RFC 7517 section 5). */
  jwks: JwkSet;
  /** Verify the JWTs that this server has signed, by `kid`. */
  verificationKeys: VerificationKeys;
}

/**
 * Reads PRIVATE_KEY: a PEM, a private JWK, or a JWK set. The first key of a set signs; the public halves of
 * all keys are published.
 *
 * @param passphrase decrypts an encrypted PEM
 * @throws KeyError
 */
export async function readSigningKeys(
  text: string,
  passphrase?: string,
): Promise<SigningKeys> {
  const keys = await readPrivateKey(text, passphrase);
  const named = await Promise.all(keys.map(nameKey));
  const [first] = named;
  if (!first)
    throw new KeyError(
      "is a JWK set without a key, and must have at least one",
    );
  if (new Set(named.map(({ kid }) => kid)).size < named.length) {
    throw new KeyError("has two keys with the same kid");
  }
  const published = await Promise.all(named.map(importPublicKey));
  return {
    signingKey: await importSigningKey(first, published[0]!.key),
    jwks: { keys: published.map(({ jwk }) => jwk) },
    verificationKeys: new Map(
      published.map(({ key, jwk }) => [jwk.kid, { alg: jwk.alg, key }]),
    ),
  };
}

interface NamedKey {
  alg: string;
  kid: string;
  jwk: JWK;
}

/** Fills in what a JWK may leave out: `alg` by the kind of key, `kid` by its thumbprint (RFC 7638). */
async function nameKey(jwk: JWK, index: number): Promise<NamedKey> {
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
  const [alg] =
    candidates.find(([name]) => jwk.alg === undefined || jwk.alg === name) ??
    [];
  if (alg === undefined) {
    const names = Object.keys(algorithms).join(", ");
    throw new KeyError(
      `${where} is not for a supported algorithm: it must be for one of ${names}`,
    );
  }
  try {
    return { alg, kid: jwk.kid ?? (await calculateJwkThumbprint(jwk)), jwk };
  } catch {
    throw new KeyError(`${where} lacks a part of its public half`);
  }
}

async function importPublicKey({ alg, kid, jwk }: NamedKey) {
  const members = Object.fromEntries(
    publicMembers[algorithms[alg]!.kty].map((name) => [name, jwk[name]]),
  ) as JWK;
  const key = await importKey(members, alg, kid);
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

async function importSigningKey(
  { alg, kid, jwk }: NamedKey,
  publicKey: CryptoKey,
): Promise<SigningKey> {
  if (jwk.d === undefined)
    throw new KeyError("has no private half in its first key, which signs");
  const {
    kid: _kid,
    alg: _alg,
    use: _use,
    key_ops: _ops,
    ext: _ext,
    ...members
  } = jwk;
  const key = await importKey(members, alg, kid);
  const { parameters } = algorithms[alg]!;
  const signer = { key, parameters, headers: protectedHeaders(alg, kid) };
  const signed = await signJwt(signer, "accessToken", "{}");
  // With halves that do not belong together nobody could verify what the key signs.
  const belongTogether = await compactVerify(signed, publicKey).then(
    () => true,
    () => false,
  );
  if (!belongTogether)
    throw new KeyError(
      "has a first key whose private and public half do not belong together",
    );
  const [, , signature = ""] = signed.split(".");
  return { ...signer, signatureCharacters: signature.length };
}

async function importKey(
  jwk: JWK,
  alg: string,
  kid: string,
): Promise<CryptoKey> {
  try {
    return (await importJWK(jwk, alg)) as CryptoKey;
  } catch {
    throw new KeyError(`has a key, ${kid}, that is malformed`);
  }
}
