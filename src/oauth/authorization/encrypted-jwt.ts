import {
  base64url,
  compactDecrypt,
  CompactEncrypt,
  errors,
  type JWTPayload,
} from "jose";
import type { Seconds } from "../duration.ts";
import type { SignedKind, TokenKey } from "../keys.ts";
import type { Server } from "../server.ts";
import {
  attachPayload,
  detachPayload,
  signJwt,
  verifyJwt,
} from "../signed-jwt.ts";

/**
 * Encrypted JWTs (RFC 7516, RFC 7519): claims that go through a browser and that only this server can read.
 * Nothing of them is stored. Each JWT is encrypted with a random key of its own, which is wrapped (A256KW),
 * so that no nonce is used twice with the same key.
 */

/**
 * The kinds of JWTs. Each has its own key, and a `typ` in its header. A JWT is valid for up to half an hour. A
 * change of the claims of a kind needs another `typ`, so that a JWT of another version is refused and not
 * misread.
 *
 * A kind with `signedAs` is signed inside the encryption, because its claims make a login: PRIVATE_KEY and
 * ENCRYPTION_KEY are both needed to make one. Its content is a JWS without its payload, a line break, and the
 * payload, because a whole JWS would be a third longer, and a code travels in a URL. A request is not signed. It
 * asks for no more than `/authorize` gives to everybody, and a user must still sign in.
 */
const kinds = {
  request: { typ: "baton-authorization-request+jwt" },
  code: { typ: "baton-encrypted-code+jwt", signedAs: "code" },
} as const satisfies Partial<
  Record<keyof TokenKey, { typ: string; signedAs?: SignedKind }>
>;

type Kind = keyof typeof kinds;

/** The parts of the server that make and read the JWTs. */
type Parts = Pick<
  Server,
  "settings" | "signingKey" | "tokenKeys" | "verificationKeys"
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
 * @param expiresAt the time from which it is not valid
 */
export async function encryptJwt(
  server: Parts,
  kind: Kind,
  claims: object,
  expiresAt: Seconds,
): Promise<string> {
  const { signingKey, tokenKeys } = server;
  const { signedAs } = kindOf(kind);
  const payload = payloadOf(server, claims, expiresAt);
  const plaintext = signedAs
    ? `${detachPayload(await signJwt(signingKey, signedAs, payload))}\n${payload}`
    : payload;
  return new CompactEncrypt(new TextEncoder().encode(plaintext))
    .setProtectedHeader(headerOf(server, kind))
    .encrypt(tokenKeys[0][kind]);
}

/** The lengths of the parts of a JWE that do not depend on its content, in bytes: key, nonce and tag. */
const FIXED_PARTS = [40, 12, 16];

/** Returns the length of the JWT that `encryptJwt` makes of the same arguments. */
export function encryptedJwtCharacters(
  server: Parts,
  kind: Kind,
  claims: object,
  expiresAt: Seconds,
): number {
  const bytesOf = (text: string) => new TextEncoder().encode(text).length;
  const { headers, signatureCharacters } = server.signingKey;
  const { signedAs } = kindOf(kind);
  const signature = signedAs
    ? headers[signedAs].length + "..".length + signatureCharacters + "\n".length
    : 0;
  const parts = [
    bytesOf(JSON.stringify(headerOf(server, kind))),
    ...FIXED_PARTS,
    signature + bytesOf(payloadOf(server, claims, expiresAt)),
  ];
  const separators = parts.length - 1;
  return parts.reduce((sum, bytes) => sum + inBase64url(bytes), separators);
}

/** Returns the length of bytes in base64url without padding. */
function inBase64url(bytes: number): number {
  return Math.ceil((bytes * 4) / 3);
}

function headerOf({ tokenKeys: [key] }: Parts, kind: Kind) {
  const { typ } = kinds[kind];
  return { alg: MANAGEMENT, enc: ENCRYPTION, typ, kid: kidOf(key) };
}

function payloadOf({ settings }: Parts, claims: object, exp: Seconds): string {
  return JSON.stringify({ ...claims, iss: settings.issuer, exp });
}

/**
 * Decrypts a JWT of `encryptJwt`, and verifies the signature if its kind has one.
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
  const { signedAs } = kindOf(kind);
  const payload = signedAs
    ? await verifySigned(server, signedAs, plaintext.text)
    : parseJson(plaintext.text);
  const { iss, exp, ...claims } = (payload ?? {}) as JWTPayload;
  // Two deployments may share their keys. A JWT of one is not valid at the other.
  if (iss !== server.settings.issuer || typeof exp !== "number")
    return "forged";
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
        const key = tokenKeys.find((candidate) => kidOf(candidate) === kid);
        if (!key) throw new errors.JWEDecryptionFailed();
        return key[kind];
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

/** Verifies the content of a signed kind. @returns its claims; undefined if this server has not signed them */
function verifySigned(
  { verificationKeys }: Parts,
  kind: SignedKind,
  content: string,
): Promise<unknown> {
  const [detached = "", payload = ""] = content.split("\n");
  return verifyJwt(verificationKeys, kind, attachPayload(detached, payload));
}

/** Parses JSON; undefined if it is not JSON. Then somebody else has encrypted it with the key. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Returns the `typ` of a kind and, if the kind is signed, the kind of the JWT inside. */
function kindOf(kind: Kind): { typ: string; signedAs?: SignedKind } {
  return kinds[kind];
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
