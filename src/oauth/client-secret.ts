import { base64url } from "jose";
import type { Seconds } from "./duration.ts";
import type { ClientSecret } from "./entities.ts";

/** Lets secret scanners find it. */
const PREFIX = "baton_cs_";

/**
 * A new client secret: 256 random bits. That is why a plain SHA-256 is enough to keep it: there is
 * nothing to guess, and a slow hash would only slow down every refresh.
 */
export function generateClientSecret(): string {
  return PREFIX + base64url.encode(crypto.getRandomValues(new Uint8Array(32)));
}

export async function hashClientSecret(secret: string): Promise<string> {
  return base64url.encode(await digest(secret));
}

/** Compared when there is nothing to compare with, so that an unknown client costs the same. */
const nobodysSecret: ClientSecret = {
  hash: "A".repeat(43),
  created_at: 0,
  expires_at: 0,
};

/** Whether a presented secret is one of those in force; in constant time for each of them. */
export async function matchesSecret(
  presented: string,
  secrets: readonly ClientSecret[],
  now: Seconds,
): Promise<boolean> {
  const actual = await digest(presented);
  let matches = false;
  for (const { hash, expires_at } of secrets.length > 0
    ? secrets
    : [nobodysSecret]) {
    const same = crypto.subtle.timingSafeEqual(actual, base64url.decode(hash));
    const inForce = expires_at === undefined || now < expires_at;
    matches ||= same && inForce;
  }
  return matches;
}

async function digest(secret: string): Promise<Uint8Array> {
  return new Uint8Array(
    await crypto.subtle.digest("SHA-256", new TextEncoder().encode(secret)),
  );
}
