import type { Seconds } from "../duration.ts";
import type { LoginAttributes } from "../login-attributes.ts";
import { MAX_SUBJECT_BYTES } from "../subject.ts";
import {
  decryptJwt,
  encryptedJwtCharacters,
  encryptJwt,
} from "../encrypted-jwt.ts";
import type { AuthorizationRequest } from "./request.ts";
import type { Server } from "../server.ts";

/**
 * The content of an authorization code: everything that was authorized. It is signed and encrypted, so that
 * nothing is stored before the code is redeemed, and so that one leaked key makes no code. A code is for
 * single use, because it names one family, which begins only once.
 */
export interface AuthorizationCode {
  /** Unique per code. */
  code_id: string;
  login: LoginAttributes;
  redirect_uri: string;
  /** Left out: the authorization request had none, because the client need not use PKCE. */
  code_challenge?: string;
  /** For the ID token, as the authorization request had it. */
  nonce?: string;
  /** The time when the user authorized it, in milliseconds since 1970. */
  authorized_at_ms: number;
  /** The id of the family that the code makes, in base64url. */
  family_id: string;
  /** From this time on, no code for that family is valid. */
  redeemable_until: Seconds;
}

/** Makes an authorization code. */
export function issueCode(
  server: Server,
  code: AuthorizationCode,
  now: Seconds,
): Promise<string> {
  return encryptJwt(server, "code", code, now);
}

/** The subject that is longest in JSON, where a quotation mark is two characters. */
const LONGEST_SUBJECT = '"'.repeat(MAX_SUBJECT_BYTES);

/** Returns the length of the longest code that a request can lead to, whoever signs in. */
export function longestCode(
  server: Server,
  request: AuthorizationRequest,
  now: Seconds,
): number {
  const { login, redirect_uri, code_challenge, nonce, family_id } = request;
  const code: AuthorizationCode = {
    code_id: crypto.randomUUID(),
    login: { ...login, subject: LONGEST_SUBJECT },
    redirect_uri,
    ...(code_challenge !== undefined && { code_challenge }),
    ...(nonce !== undefined && { nonce }),
    authorized_at_ms: now * 1000,
    family_id,
    redeemable_until: now,
  };
  return encryptedJwtCharacters(server, "code", code, now);
}

/** Decrypts and verifies a code. @returns the content, or the reason why the code is not valid */
export async function readCode(
  server: Server,
  code: string,
  now: Seconds,
): Promise<
  AuthorizationCode | `authorization_code_${"malformed" | "forged" | "expired"}`
> {
  const decrypted = await decryptJwt(server, "code", code, now);
  return typeof decrypted === "string"
    ? `authorization_code_${decrypted}`
    : (decrypted.claims as AuthorizationCode);
}
