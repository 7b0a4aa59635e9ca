import { type ClientWithSecret, living } from "./client-registration.ts";
import { makeSecret } from "./client-secret.ts";
import { after, type Seconds } from "./duration.ts";
import { isPublic } from "./entities.ts";
import { OAuthError } from "./errors.ts";
import type { Server } from "./server.ts";

/** More than one secret is in force only while one replaces another. */
const MOST_SECRETS = 5;

/**
 * Gives a client a new secret; the ones it had end after a while.
 *
 * @param oldSecretTtl ISO 8601: how long the secrets so far stay in force
 * @throws OAuthError `admin_target_unknown`, `client_has_no_secret`, `too_many_client_secrets`
 */
export async function rotateClientSecret(
  server: Server,
  clientId: string,
  oldSecretTtl: string,
  now: Seconds,
): Promise<ClientWithSecret> {
  const end = after(oldSecretTtl, now);
  const made = await makeSecret(now);
  const client = await server.clients.update(clientId, (current) => {
    const before = living(current());
    if (isPublic(before)) throw new OAuthError("client_has_no_secret");
    const old = before.secrets
      .map((secret) => ({
        ...secret,
        expires_at: Math.min(secret.expires_at ?? Infinity, end),
      }))
      .filter(({ expires_at }) => now < expires_at);
    if (old.length >= MOST_SECRETS) {
      throw new OAuthError("too_many_client_secrets", {
        subject: String(MOST_SECRETS),
      });
    }
    return { ...before, secrets: [made.record, ...old] };
  });
  return { client, client_secret: made.secret };
}
