import type { Context } from "hono";
import type { GuessLimit } from "../oauth/guess-limit.ts";
import { type AppEnv, networkOf } from "./endpoint.ts";

/**
 * Tells whether a request has the admin token (RFC 6750 section 2.1). Wrong tokens are limited per network.
 *
 * @throws OAuthError `admin_tokens_limited`
 */
export async function hasAdminToken(
  c: Context<AppEnv>,
  adminToken: string,
  guesses: GuessLimit,
): Promise<boolean> {
  const presented = c.req
    .header("Authorization")
    ?.match(/^bearer +(.+)$/i)?.[1];
  if (presented === undefined) return false;
  return guesses.limit(
    { kind: "admin_token", network: networkOf(c) },
    () => isSameToken(presented, adminToken),
    (isSame) => !isSame,
  );
}

/** Compares in constant time. Digests are compared, because they have the same length for every token. */
async function isSameToken(
  presented: string,
  expected: string,
): Promise<boolean> {
  const digest = (text: string) =>
    crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return crypto.subtle.timingSafeEqual(
    await digest(presented),
    await digest(expected),
  );
}
