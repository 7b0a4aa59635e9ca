import { base64url, EncryptJWT, errors, jwtDecrypt } from "jose";
import type { Seconds } from "../duration.ts";
import type { Server } from "../server.ts";
import type { TokenKey } from "../keys.ts";

/**
 * Encrypted JWTs (RFC 7516, RFC 7519): claims that go through a browser and that only this server can read.
 * Nothing of them is stored. Each JWT is encrypted with a random key of its own, which is wrapped (A256KW),
 * so that no nonce is used twice with the same key.
 */

/**
 * The kinds of JWTs, with the `typ` in their headers. Each kind has its own key. A JWT is valid for up to
 * half an hour. A change of the claims of a kind needs another `typ`, so that a JWT of another version is
 * refused and not misread.
 */
const kinds = {
  request: "baton-authorization-request+jwt",
  code: "baton-authorization-code+jwt",
} as const satisfies Partial<Record<keyof TokenKey, string>>;

type Kind = keyof typeof kinds;

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
 * @param expiresAt the time from which it cannot be decrypted
 */
export function encryptJwt(
  { settings, tokenKeys: [key] }: Pick<Server, "settings" | "tokenKeys">,
  kind: Kind,
  claims: object,
  expiresAt: Seconds,
): Promise<string> {
  return new EncryptJWT({ ...claims })
    .setIssuer(settings.issuer)
    .setExpirationTime(expiresAt)
    .setProtectedHeader({
      alg: MANAGEMENT,
      enc: ENCRYPTION,
      typ: kinds[kind],
      kid: kidOf(key),
    })
    .encrypt(key[kind]);
}

/**
 * Decrypts a JWT of `encryptJwt`.
 *
 * @returns its claims and expiry, or the reason why it is not valid
 */
export async function decryptJwt(
  { settings, tokenKeys }: Pick<Server, "settings" | "tokenKeys">,
  kind: Kind,
  jwt: string,
  now: Seconds,
): Promise<
  { claims: unknown; expires_at: Seconds } | "malformed" | "forged" | "expired"
> {
  if (jwt.length > MAX_JWT_CHARACTERS) return "malformed";
  try {
    const parts = jwt.split(".");
    if (parts.length !== PARTS || !parts.every(isCanonical)) return "malformed";
    const { payload } = await jwtDecrypt(
      jwt,
      ({ kid }) => {
        const key = tokenKeys.find((candidate) => kidOf(candidate) === kid);
        if (!key) throw new errors.JWEDecryptionFailed();
        return key[kind];
      },
      {
        keyManagementAlgorithms: [MANAGEMENT],
        contentEncryptionAlgorithms: [ENCRYPTION],
        typ: kinds[kind],
        // Two deployments may share a key. A JWT of one is not valid at the other.
        issuer: settings.issuer,
        currentDate: new Date(now * 1000),
      },
    );
    const { iss: _issuer, exp = 0, ...claims } = payload;
    return { claims, expires_at: exp };
  } catch (error) {
    if (error instanceof errors.JWTExpired) return "expired";
    const forged =
      error instanceof errors.JWEDecryptionFailed ||
      error instanceof errors.JWTClaimValidationFailed;
    if (forged) return "forged";
    // Not a JWE, or one with other algorithms: jose throws many kinds of errors for it.
    if (error instanceof errors.JOSEError || error instanceof TypeError)
      return "malformed";
    throw error;
  }
}

/** Tells whether a part has no unused bits, padding or white space. They would be a second spelling. */
function isCanonical(part: string): boolean {
  return base64url.encode(base64url.decode(part)) === part;
}

function kidOf({ id }: TokenKey): string {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, id);
  return base64url.encode(bytes);
}
