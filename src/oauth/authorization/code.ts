import type { Seconds } from "../duration.ts";
import type { LoginAttributes } from "../login-attributes.ts";
import { decryptJwt, encryptJwt } from "./encrypted-jwt.ts";
import type { Server } from "../server.ts";

/**
 * The authorization code: everything that was authorized, sealed, so that nothing has to be stored
 * before it is redeemed. It is single use because it leads to one Durable Object, which it makes a
 * family of.
 */

/** RFC 6749 section 4.1.2 recommends ten minutes at the most; a browser needs seconds. */
export const CODE_SECONDS = 60;

export interface AuthorizationCode {
  /** Which code it is: unique. */
  code_id: string;
  login: LoginAttributes;
  redirect_uri: string;
  redirect_uri_named: boolean;
  code_challenge: string;
  /** When the user authorized it, in milliseconds since 1970. */
  authorized_at_ms: number;
  /** The family that it becomes, in base64url. */
  family_id: string;
  /** From then on no code for that family can be good any more. */
  redeemable_until: Seconds;
}

export function issueCode(
  server: Server,
  code: AuthorizationCode,
  now: Seconds,
): Promise<string> {
  return encryptJwt(server, "code", code, now + CODE_SECONDS);
}

const reasons = {
  malformed: "authorization_code_malformed",
  forged: "authorization_code_forged",
  expired: "authorization_code_expired",
} as const;

/** A code that this server made and that has not expired; otherwise why it is none. */
export async function readCode(
  server: Server,
  code: string,
  now: Seconds,
): Promise<AuthorizationCode | (typeof reasons)[keyof typeof reasons]> {
  const decrypted = await decryptJwt(server, "code", code, now);
  return typeof decrypted === "string"
    ? reasons[decrypted]
    : (decrypted.claims as AuthorizationCode);
}
