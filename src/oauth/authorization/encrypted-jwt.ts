import { base64url, EncryptJWT, errors, jwtDecrypt } from "jose";
import type { Seconds } from "../duration.ts";
import type { Server } from "../server.ts";
import type { TokenKey } from "../keys.ts";

/**
 * What goes through a browser and is nobody's business but this server's: claims in an encrypted JWT
 * (RFC 7516, RFC 7519). Nothing of it is stored. Each is encrypted with a key of its own, which is
 * wrapped (A256KW), so that no nonce is ever used twice, however many are made.
 */

/**
 * What it is: each kind has its own keys, and says in its header what it is. Sealed ones are about for
 * half an hour: whoever changes what a kind holds gives it another name here, so that what a version
 * before has jwt is refused and not misread.
 */
const kinds = {
  request: "baton-authorization-request+jwt",
  code: "baton-authorization-code+jwt",
} as const satisfies Partial<Record<keyof TokenKey, string>>;

type Kind = keyof typeof kinds;

const MANAGEMENT = "A256KW";
const ENCRYPTION = "A256GCM";

/** RFC 7516 section 3.1. */
const PARTS = 5;

/** As much as a form may hold: longer ones are none of ours. */
export const MAX_JWT_CHARACTERS = 16 * 1024;

/**
 * @param claims what it says; has to survive JSON
 * @param expiresAt from then on it can't be decrypted any more
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
      kid: nameOf(key),
    })
    .encrypt(key[kind]);
}

/** What `seal` was given, for something that this server has jwt; otherwise why it is not. */
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
        const key = tokenKeys.find((key) => nameOf(key) === kid);
        if (!key) throw new errors.JWEDecryptionFailed();
        return key[kind];
      },
      {
        keyManagementAlgorithms: [MANAGEMENT],
        contentEncryptionAlgorithms: [ENCRYPTION],
        typ: kinds[kind],
        // Two deployments may share a key: what one of them has jwt is nothing to the other.
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
    // Not a JWE, or one of another make: jose says so in many ways.
    if (error instanceof errors.JOSEError || error instanceof TypeError)
      return "malformed";
    throw error;
  }
}

/** Unused bits, padding and white space would be a second spelling of the same thing. */
function isCanonical(part: string): boolean {
  return base64url.encode(base64url.decode(part)) === part;
}

function nameOf({ id }: TokenKey): string {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, id);
  return base64url.encode(bytes);
}
