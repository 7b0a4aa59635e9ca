import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { decodeJwt } from "jose";

/** Finds the Durable Object of a login by one of its access tokens. */

export interface HasAccessToken {
  access_token: string;
}

/** The `grant_id` of a login, which is in the `jti` of its access tokens. */
export function grantIdOf({ access_token }: HasAccessToken): string {
  const [family = ""] = String(decodeJwt(access_token).jti).split(".");
  return Uint8Array.fromBase64(family, { alphabet: "base64url" }).toHex();
}

export function familyOf(tokens: HasAccessToken) {
  return env.TOKEN_FAMILY.get(env.TOKEN_FAMILY.idFromString(grantIdOf(tokens)));
}

/** Runs a function with the storage of the login's object. */
export function withStorage<T>(
  tokens: HasAccessToken,
  use: (storage: DurableObjectStorage) => T | Promise<T>,
): Promise<T> {
  return runInDurableObject(familyOf(tokens), (_, { storage }) => use(storage));
}
