import {
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from "node:crypto";

/**
 * Private keys of every kind, for the tests. Node makes them, because WebCrypto writes neither PKCS#1 nor
 * encrypted PEMs. `vitest.config.ts` provides them to the tests.
 */

export const PASSPHRASE = "correct horse battery staple";

const keys = {
  RS256: generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey,
  ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey,
  ES384: generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey,
  EdDSA: generateKeyPairSync("ed25519").privateKey,
};

const encryption = { cipher: "aes-256-cbc", passphrase: PASSPHRASE };

function pkcs8(key: KeyObject) {
  return key.export({ format: "pem", type: "pkcs8" }).toString();
}

function encryptedPkcs8(key: KeyObject) {
  return key.export({ format: "pem", type: "pkcs8", ...encryption }).toString();
}

const smallRsa = generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey;

function jwk(key: KeyObject, more: object = {}) {
  return JSON.stringify({ ...key.export({ format: "jwk" }), ...more });
}

export const testKeys = {
  passphrase: PASSPHRASE,
  /** `[description, PRIVATE_KEY, the algorithm that it signs with]` */
  plain: [
    ["a PKCS#8 PEM for RS256", pkcs8(keys.RS256), "RS256"],
    ["a PKCS#8 PEM for ES256", pkcs8(keys.ES256), "ES256"],
    ["a PKCS#8 PEM for ES384", pkcs8(keys.ES384), "ES384"],
    ["a PKCS#8 PEM for EdDSA", pkcs8(keys.EdDSA), "EdDSA"],
    [
      "a PKCS#1 PEM",
      keys.RS256.export({ format: "pem", type: "pkcs1" }).toString(),
      "RS256",
    ],
    [
      "a SEC 1 PEM",
      keys.ES256.export({ format: "pem", type: "sec1" }).toString(),
      "ES256",
    ],
    [
      "a PEM after its curve's parameters, as openssl ecparam -genkey writes it",
      `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${keys.ES256.export({ format: "pem", type: "sec1" }).toString()}`,
      "ES256",
    ],
    [
      "a PEM with \\n for line breaks",
      pkcs8(keys.ES256).replaceAll("\n", "\\n"),
      "ES256",
    ],
    [
      "a PEM with CRLF and space around",
      `\r\n ${pkcs8(keys.ES256).replaceAll("\n", "\r\n")} `,
      "ES256",
    ],
    ["a JWK for RS256", jwk(keys.RS256), "RS256"],
    ["a JWK for PS256", jwk(keys.RS256, { alg: "PS256" }), "PS256"],
    [
      "a JWK for ES256",
      jwk(keys.ES256, { key_ops: ["sign"], use: "sig", ext: true }),
      "ES256",
    ],
    ["a JWK for ES384", jwk(keys.ES384), "ES384"],
    ["a JWK for EdDSA", jwk(keys.EdDSA), "EdDSA"],
  ] as [string, string, string][],
  encrypted: [
    ["RS256", encryptedPkcs8(keys.RS256)],
    ["ES256", encryptedPkcs8(keys.ES256)],
    ["EdDSA", encryptedPkcs8(keys.EdDSA)],
    [
      "RS256",
      keys.RS256.export({
        format: "pem",
        type: "pkcs1",
        ...encryption,
      }).toString(),
    ],
    [
      "ES256",
      keys.ES256.export({
        format: "pem",
        type: "sec1",
        ...encryption,
      }).toString(),
    ],
  ] as [string, string][],
  /** The public key of the RS256 keys, which a league resource server has. */
  publicRsaPem: createPublicKey(keys.RS256)
    .export({ format: "pem", type: "spki" })
    .toString(),
  publicPem: generateKeyPairSync("ec", { namedCurve: "P-256" })
    .publicKey.export({ format: "pem", type: "spki" })
    .toString(),
  otherCurve: pkcs8(
    generateKeyPairSync("ec", { namedCurve: "secp521r1" }).privateKey,
  ),
  damaged: pkcs8(keys.RS256).replace(/^(.{200}).{8}/s, "$1AAAAAAAA"),
  smallRsa: pkcs8(smallRsa),
  smallRsaJwk: smallRsa.export({ format: "jwk" }) as object,
  /** `[what it is, PRIVATE_KEY]` */
  smallRsaPems: [
    ["that is a PKCS#8 PEM of 1,024 bits", pkcs8(smallRsa)],
    [
      "that is a PKCS#1 PEM of 1,024 bits",
      smallRsa.export({ format: "pem", type: "pkcs1" }).toString(),
    ],
  ] as [string, string][],
};

declare module "vitest" {
  export interface ProvidedContext {
    testKeys: typeof testKeys;
  }
}
