import { base64url } from "jose";
import { equalBytes } from "../constant-time.ts";
import type { Seconds } from "../duration.ts";
import type { ClientSecret } from "../entities.ts";

const encoder = new TextEncoder();

/** Lets secret scanners find it. */
const PREFIX = "baton_cs_";

/**
 * A new client secret of 256 random bits, and what is kept of it. That is why a plain SHA-256 is
 * enough: there is nothing to guess, and a slow hash would only slow down every refresh.
 */
export async function makeSecret(
  now: Seconds,
): Promise<{ secret: string; record: ClientSecret }> {
  const secret =
    PREFIX + base64url.encode(crypto.getRandomValues(new Uint8Array(32)));
  return { secret, record: await secretRecord(secret, now) };
}

/**
 * What is kept of a secret, also of one that was made elsewhere. However easy that one is to guess,
 * it gets no slow hash: whoever knows a client id could have the server work at it, before anybody
 * is authenticated.
 */
export async function secretRecord(
  secret: string,
  now: Seconds,
): Promise<ClientSecret> {
  return { hash: base64url.encode(await digest(secret)), created_at: now };
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
    const same = equalBytes(actual, base64url.decode(hash));
    const inForce = expires_at === undefined || now < expires_at;
    matches ||= same && inForce;
  }
  return matches;
}

async function digest(secret: string): Promise<Uint8Array> {
  return new Uint8Array(
    await crypto.subtle.digest("SHA-256", encoder.encode(secret)),
  );
}
