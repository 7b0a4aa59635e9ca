import { type ClientWithSecret, living } from "./registration.ts";
import { makeSecret, secretRecord } from "./secret.ts";
import { after, type Seconds } from "../duration.ts";
import { isPublic } from "../entities.ts";
import { OAuthError } from "../errors.ts";
import type { Server } from "../server.ts";

/** More than one secret is in force only while one replaces another. */
const MAX_SECRETS = 5;

interface Rotation {
  /** ISO 8601: how long the secrets so far stay in force. */
  oldSecretTtl: string;
  /** The secret to set, which the client has already; else one is made. */
  given?: string | undefined;
}

/**
 * Gives a client a new secret; the ones it had end after a while.
 *
 * @returns its record, and the secret this one time if it was made here
 * @throws OAuthError `admin_target_unknown`, `client_has_no_secret`, `too_many_client_secrets`
 */
export async function rotateClientSecret(
  server: Server,
  clientId: string,
  { oldSecretTtl, given }: Rotation,
  now: Seconds,
): Promise<ClientWithSecret> {
  const end = after(oldSecretTtl, now);
  const { record, secret } =
    given === undefined
      ? await makeSecret(now)
      : { record: await secretRecord(given, now), secret: undefined };
  const client = await server.clients.update(clientId, (current) => {
    const before = living(current());
    if (isPublic(before)) throw new OAuthError("client_has_no_secret");
    const isInForce = ({ expires_at = Infinity }) => now < expires_at;
    const same = before.secrets.find(
      (old) => old.hash === record.hash && isInForce(old),
    );
    // One that is in force already goes on as it is, but has no end any more.
    const { expires_at: _end, ...newest } = same ?? record;
    const old = before.secrets
      .filter(({ hash }) => hash !== record.hash)
      .map((secret) => ({
        ...secret,
        expires_at: Math.min(secret.expires_at ?? Infinity, end),
      }))
      .filter(isInForce);
    if (old.length >= MAX_SECRETS) {
      throw new OAuthError("too_many_client_secrets", {
        subject: String(MAX_SECRETS),
      });
    }
    return { ...before, secrets: [newest, ...old] };
  });
  return { client, ...(secret !== undefined && { client_secret: secret }) };
}
