import * as base64url from "jose/base64url";
import { equalBytes } from "../constant-time.ts";
import type { Seconds } from "../duration.ts";
import type { ClientSecret } from "../entities.ts";
import { fieldError } from "../errors.ts";
import { weakSecretProblem } from "../secret-floor.ts";

const encoder = new TextEncoder();

/** A fixed prefix, so that secret scanners find a client secret. */
const PREFIX = "baton_cs_";

/**
 * Makes a client secret of 256 random bits, and its record. A plain SHA-256 is enough, because such a secret
 * cannot be guessed, and a slow hash would slow down every refresh.
 */
export async function makeSecret(
  now: Seconds,
): Promise<{ secret: string; record: ClientSecret }> {
  const secret =
    PREFIX + base64url.encode(crypto.getRandomValues(new Uint8Array(32)));
  return { secret, record: await secretRecord(secret, now) };
}

/**
 * Makes the record of a secret: its hash and an id. A secret that was made elsewhere may be easy to guess, but gets no
 * slow hash either: the server would compute it before authentication, for anybody who knows a client id.
 */
export async function secretRecord(
  secret: string,
  now: Seconds,
): Promise<ClientSecret> {
  const id = base64url.encode(crypto.getRandomValues(new Uint8Array(8)));
  return { hash: base64url.encode(await digest(secret)), id, created_at: now };
}

/**
 * Makes the record of a secret that an operator gives to a client.
 *
 * @param allowWeak true: the secret may be easy to guess
 * @throws OAuthError `admin_body_invalid` if it is easy to guess
 */
export async function givenSecretRecord(
  secret: string,
  now: Seconds,
  allowWeak: boolean,
): Promise<ClientSecret> {
  const weakness = allowWeak ? undefined : weakSecretProblem(secret);
  if (weakness !== undefined)
    throw fieldError(
      "client_secret",
      `${weakness}, because it could be guessed. Let the server make one, or send allow_weak_secret true`,
    );
  return secretRecord(secret, now);
}

/** Compared if a client is unknown or has no secret, so that the cost is the same. It never matches. */
const dummySecret: ClientSecret = {
  hash: "A".repeat(43),
  created_at: 0,
  expires_at: 0,
};

/** Tells whether a secret is one of a client's secrets in force. Each comparison takes constant time. */
export async function matchesSecret(
  presented: string,
  secrets: readonly ClientSecret[],
  now: Seconds,
): Promise<boolean> {
  const actual = await digest(presented);
  let matches = false;
  for (const { hash, expires_at } of secrets.length > 0
    ? secrets
    : [dummySecret]) {
    const isEqual = equalBytes(actual, base64url.decode(hash));
    const isInForce = expires_at === undefined || now < expires_at;
    matches ||= isEqual && isInForce;
  }
  return matches;
}

async function digest(secret: string): Promise<Uint8Array> {
  return new Uint8Array(
    await crypto.subtle.digest("SHA-256", encoder.encode(secret)),
  );
}
