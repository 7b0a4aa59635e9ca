import type { Confirmation } from "../confirmation.ts";
import type { Seconds } from "../duration.ts";
import { type Client, isPublic } from "../entities.ts";
import { OAuthError } from "../errors.ts";
import {
  accessTokenExpiry,
  familyEnd,
  type Lifetimes,
  lifetimesOf,
  refreshTokenExpiry,
  tokenExpiry,
} from "../lifetimes.ts";
import type { LoginAttributes } from "../login-attributes.ts";
import { hasRefreshToken } from "../offline-access.ts";
import type { NewFamily, Redemption } from "../repositories.ts";
import type { Server } from "../server.ts";
import { isBeforeFloor } from "../token-floor.ts";
import { FAMILY_SECRET_BYTES } from "../refresh-token-layout.ts";
import { hashFamilySecret } from "./refresh-token.ts";
import type { NewestToken } from "./token-response.ts";

/** The content of an authorization code that its redemption needs. */
export interface RedeemedCode extends Omit<Redemption, "attempt_id"> {
  family_id: Uint8Array;
}

/**
 * Starts a family of refresh tokens.
 *
 * @param login the login attributes, which the caller has checked
 * @param boundTo the keys that the tokens are bound to: the client has proven them, or will. Undefined: none
 * @param code the authorization code; left out: an administrator has authorized the login
 * @returns the claims of the family's first token, which the caller makes
 * @throws OAuthError `client_logins_ended`, `authorization_code_repeated`, `authorization_code_reused`,
 *   `authorization_code_revoked`, `authorization_code_forged`, `authorization_request_reused`
 */
export async function startFamily(
  server: Server,
  client: Client,
  login: LoginAttributes,
  now: Seconds,
  boundTo: Confirmation | undefined,
  code?: RedeemedCode,
): Promise<NewestToken> {
  const authorizedAt = code ? Math.floor(code.authorized_at_ms / 1000) : now;
  if (isBeforeFloor(client, authorizedAt))
    throw new OAuthError("client_logins_ended");
  const family_secret = crypto.getRandomValues(
    new Uint8Array(FAMILY_SECRET_BYTES),
  );
  const key_id = server.tokenKeySchedule.use(now).id;
  const { settings } = server;
  const mayRefresh = hasRefreshToken(settings, client, login.scope);
  const lifetime = familyLifetime(
    lifetimesOf(client, settings),
    mayRefresh,
    now,
  );
  const family = {
    login: withBinding(login, client, boundTo),
    secret_hash: await hashFamilySecret(family_secret),
    created_at: now,
    ...lifetime,
    key_id,
  };
  const family_id = await createOrRedeem(server, family, code);
  const { expires_at, ends_at } = lifetime;
  const refreshToken = {
    family_id,
    generation: 1,
    ...tokenExpiry(expires_at, ends_at),
    family_secret,
  };
  return { refreshToken, ends_at, key_id, is_withheld: !mayRefresh };
}

/**
 * Returns a login as its family keeps it. The refresh tokens of a public client are bound to its keys. Those of any other
 * client are bound to the client, which authenticates, so it may change its keys (RFC 9449 section 5).
 */
function withBinding(
  { cnf: _named, ...login }: LoginAttributes,
  client: Client,
  boundTo: Confirmation | undefined,
): LoginAttributes {
  return boundTo && isPublic(client) ? { ...login, cnf: boundTo } : login;
}

/**
 * Returns when the first token expires and the family ends. A login that cannot be refreshed lasts as long as
 * its access token.
 */
function familyLifetime(
  lifetimes: Lifetimes,
  mayRefresh: boolean,
  now: Seconds,
): { expires_at: Seconds; ends_at: Seconds } {
  const ends_at = familyEnd(lifetimes, now);
  return mayRefresh
    ? { expires_at: refreshTokenExpiry(lifetimes, now, ends_at), ends_at }
    : { expires_at: accessTokenExpiry(lifetimes, now, ends_at), ends_at };
}

/** Stores the family. @returns its id */
async function createOrRedeem(
  { families }: Server,
  family: NewFamily,
  code: RedeemedCode | undefined,
): Promise<Uint8Array> {
  if (!code) return families.create(family);
  const { family_id, ...redemption } = code;
  const attempt_id = crypto.randomUUID();
  const result = await families.redeem(family_id, family, {
    attempt_id,
    ...redemption,
  });
  if (result.outcome === "refused") throw new OAuthError(result.reason);
  return family_id;
}
