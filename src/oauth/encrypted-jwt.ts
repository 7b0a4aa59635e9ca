import {
  base64url,
  compactDecrypt,
  CompactEncrypt,
  errors,
  type JWTPayload,
} from "jose";
import { CLOCK_SKEW_SECONDS, type Seconds } from "./duration.ts";
import type { SignedKind, TokenKey } from "./keys.ts";
import type { Server } from "./server.ts";
import {
  attachPayload,
  detachPayload,
  signJwt,
  verifyJwt,
} from "./signed-jwt.ts";
import {
  CODE_SECONDS,
  LOGOUT_SECONDS,
  REQUEST_SECONDS,
} from "./jwt-lifetimes.ts";

/**
 * Encrypted JWTs (RFC 7516, RFC 7519): claims that go through a browser and that only this server can read.
 * Nothing of them is stored. Each JWT is encrypted with a random key of its own, which is wrapped (A256KW),
 * so that no nonce is used twice with the same key.
 *
 * Each is signed inside the encryption, because its claims make a login: PRIVATE_KEY and ENCRYPTION_KEY are
 * both needed to make one. Its content is a JWS without its payload, a line break, and the payload, because a
 * whole JWS would be a third longer, and the JWT travels in a URL.
 */

/**
 * The kinds of JWTs. Each has its own key, a `typ` in its header, another one in the header of the JWS inside
 * (`signedTypes`), and a lifetime in seconds. A claim that another version would misread needs another
 * `typ`, so that a JWT of that version is refused.
 */
const kinds = {
  request: { typ: "baton-encrypted-request+jwt", seconds: REQUEST_SECONDS },
  code: { typ: "baton-encrypted-code+jwt", seconds: CODE_SECONDS },
  logout: { typ: "baton-encrypted-logout+jwt", seconds: LOGOUT_SECONDS },
} as const satisfies Partial<
  Record<keyof TokenKey & SignedKind, { typ: string; seconds: number }>
>;

type Kind = keyof typeof kinds;

/** The parts of the server that make and read the JWTs. */
type Parts = Pick<
  Server,
  | "settings"
  | "signingKeys"
  | "tokenKeys"
  | "tokenKeySchedule"
  | "verificationKeys"
>;

const MANAGEMENT = "A256KW";
const ENCRYPTION = "A256GCM";

/** The number of parts of a JWE (RFC 7516 section 3.1). */
const PARTS = 5;

/** The size limit of a request body. This server makes no longer JWT. */
export const MAX_JWT_CHARACTERS = 16 * 1024;

/**
 * Makes an encrypted JWT.
 *
 * @param claims its content, which must survive JSON
 */
export async function encryptJwt(
  server: Parts,
  kind: Kind,
  claims: object,
  now: Seconds,
): Promise<string> {
  const payload = payloadOf(server, kind, claims, now);
  const jws = await signJwt(server.signingKeys.use(now), kind, payload);
  const key = server.tokenKeySchedule.use(now);
  const plaintext = `${detachPayload(jws)}\n${payload}`;
  return new CompactEncrypt(new TextEncoder().encode(plaintext))
    .setProtectedHeader(headerOf(key, kind))
    .encrypt(await wrapKeyOf(key, kind));
}

/**
 * The characters of a JWE that do not depend on its content: the key (40 bytes), the nonce (12) and the tag
 * (16) in base64url, and four dots.
 */
const FIXED_CHARACTERS = 54 + 16 + 22 + 4;

/**
 * Returns the length of the JWT that `encryptJwt` makes of the same arguments, now or later. Keys may start to sign in
 * between, so it is that by the longest signature.
 */
export function encryptedJwtCharacters(
  server: Parts,
  kind: Kind,
  claims: object,
  now: Seconds,
): number {
  const bytesOf = (text: string) => new TextEncoder().encode(text).length;
  const signatures = server.signingKeys
    .makingFrom(now)
    .map(({ headers, signatureCharacters }) => {
      return headers[kind].length + signatureCharacters + "..\n".length;
    });
  const signature = Math.max(...signatures);
  const payload = bytesOf(payloadOf(server, kind, claims, now));
  const { maker } = server.tokenKeySchedule.makingAt(now);
  const header = bytesOf(JSON.stringify(headerOf(maker, kind)));
  return (
    FIXED_CHARACTERS + inBase64url(header) + inBase64url(signature + payload)
  );
}

/** Returns the length of bytes in base64url without padding. */
function inBase64url(bytes: number): number {
  return Math.ceil((bytes * 4) / 3);
}

/** Returns the key that wraps the keys of a kind. */
function wrapKeyOf(key: TokenKey, kind: Kind): CryptoKey | Promise<CryptoKey> {
  return kind === "logout" ? key.logout() : key[kind];
}

function headerOf(key: TokenKey, kind: Kind) {
  const { typ } = kinds[kind];
  return { alg: MANAGEMENT, enc: ENCRYPTION, typ, kid: key.kid };
}

function payloadOf(
  { settings }: Parts,
  kind: Kind,
  claims: object,
  now: Seconds,
): string {
  const exp = now + kinds[kind].seconds;
  return JSON.stringify({ ...claims, iss: settings.issuer, exp });
}

/**
 * Decrypts a JWT of `encryptJwt`, and verifies its signature.
 *
 * @returns its claims and expiry, or the reason why it is not valid
 */
export async function decryptJwt(
  server: Parts,
  kind: Kind,
  jwt: string,
  now: Seconds,
): Promise<
  { claims: unknown; expires_at: Seconds } | "malformed" | "forged" | "expired"
> {
  const plaintext = await decrypt(server, kind, jwt);
  if (typeof plaintext !== "object") return plaintext;
  const payload = await verifySigned(server, kind, plaintext.text);
  const { iss, exp, ...claims } = (payload ?? {}) as JWTPayload;
  // Two deployments may share their keys. A JWT of one is not valid at the other.
  if (iss !== server.settings.issuer || typeof exp !== "number")
    return "forged";
  if (exp > now + kinds[kind].seconds + CLOCK_SKEW_SECONDS) return "forged";
  return now < exp ? { claims, expires_at: exp } : "expired";
}

/** Decrypts a JWE of a kind. @returns its content, or the reason why it is not one of this server */
async function decrypt(
  { tokenKeys }: Parts,
  kind: Kind,
  jwe: string,
): Promise<{ text: string } | "malformed" | "forged"> {
  if (jwe.length > MAX_JWT_CHARACTERS) return "malformed";
  try {
    const parts = jwe.split(".");
    if (parts.length !== PARTS || !parts.every(isCanonical)) return "malformed";
    const { plaintext, protectedHeader } = await compactDecrypt(
      jwe,
      ({ kid }) => {
        const key = tokenKeys.find((candidate) => candidate.kid === kid);
        if (!key) throw new errors.JWEDecryptionFailed();
        return wrapKeyOf(key, kind);
      },
      {
        keyManagementAlgorithms: [MANAGEMENT],
        contentEncryptionAlgorithms: [ENCRYPTION],
      },
    );
    return protectedHeader.typ === kinds[kind].typ
      ? { text: new TextDecoder().decode(plaintext) }
      : "forged";
  } catch (error) {
    if (error instanceof errors.JWEDecryptionFailed) return "forged";
    // Not a JWE, or one with other algorithms: jose throws many kinds of errors for it.
    if (error instanceof errors.JOSEError || error instanceof TypeError)
      return "malformed";
    throw error;
  }
}

/** Verifies the content of a JWE. @returns its claims; undefined if this server has not signed them */
function verifySigned(
  { verificationKeys }: Parts,
  kind: Kind,
  content: string,
): Promise<unknown> {
  const [detached = "", payload = ""] = content.split("\n");
  return verifyJwt(verificationKeys, kind, attachPayload(detached, payload));
}

/** Tells whether a part has no unused bits, padding or white space. They would be a second spelling. */
function isCanonical(part: string): boolean {
  return base64url.encode(base64url.decode(part)) === part;
}
