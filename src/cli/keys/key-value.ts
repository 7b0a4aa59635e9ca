import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { Failure, UsageError } from "../failure.ts";
import { MAX_SECRET_BYTES } from "../secrets/secret-store.ts";
import type { KeyKind } from "./key-names.ts";
import { secondsText } from "./times.ts";

/** RFC 7518 section 3.3 demands 2048. A longer key makes longer and slower signatures. */
const DEFAULT_RSA_BITS = 2048;
const rsaBits = [2048, 3072, 4096];

/** The makers of private keys, by the algorithm that signs. */
const makers: Record<string, (bits: number) => KeyObject> = {
  ES256: () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey,
  ES384: () => generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey,
  EdDSA: () => generateKeyPairSync("ed25519").privateKey,
  RS256: (bits) =>
    generateKeyPairSync("rsa", { modulusLength: bits }).privateKey,
  PS256: (bits) =>
    generateKeyPairSync("rsa", { modulusLength: bits }).privateKey,
};

/** The algorithms that the server signs with. */
export const signingAlgorithms = Object.keys(makers);

export interface KeyChoice {
  /** The algorithm of a private key. Left out: ES256. */
  alg?: string | undefined;
  /** The length of an RSA key. */
  bits?: number | undefined;
}

/** @throws UsageError if the options do not fit the kind of key */
export function checkChoice(
  kinds: readonly KeyKind[],
  { alg, bits }: KeyChoice,
): void {
  if (alg !== undefined && !kinds.includes("private"))
    throw new UsageError(
      "--alg is for private keys. An encryption key is 32 random bytes and has no algorithm to choose.",
    );
  if (alg !== undefined && !signingAlgorithms.includes(alg))
    throw new UsageError(
      `--alg must be one of ${signingAlgorithms.join(", ")}.`,
    );
  if (bits === undefined) return;
  if (alg !== "RS256" && alg !== "PS256")
    throw new UsageError("--bits is for --alg RS256 and --alg PS256.");
  if (!rsaBits.includes(bits))
    throw new UsageError(`--bits must be one of ${rsaBits.join(", ")}.`);
}

/**
 * Makes the value of a secret with a fresh key: the base64 of 32 random bytes, or a private JWK.
 *
 * @param from the second from which the key makes tokens. Left out: it has no start time
 */
export function freshKey(
  kind: KeyKind,
  { alg = "ES256", bits = DEFAULT_RSA_BITS }: KeyChoice,
  from?: number,
): string {
  const key =
    kind === "encryption"
      ? randomBytes(32).toString("base64")
      : JSON.stringify({
          ...makers[alg]!(bits).export({ format: "jwk" }),
          alg,
        });
  const value = from === undefined ? key : `from=${secondsText(from)};${key}`;
  if (Buffer.byteLength(value) > MAX_SECRET_BYTES)
    throw new Failure(
      `The key has ${Buffer.byteLength(value)} bytes, and a secret has at most ${MAX_SECRET_BYTES}. Choose a smaller --bits.`,
    );
  return value;
}
