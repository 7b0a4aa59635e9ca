import {
  type ClientWithSecret,
  existingClient,
  type Precondition,
} from "./registration.ts";
import { givenSecretRecord, makeSecret } from "./secret.ts";
import { after, type Seconds } from "../duration.ts";
import { hasSecret } from "../entities.ts";
import { OAuthError } from "../errors.ts";
import type { Server } from "../server.ts";

/** The largest number of secrets in force. A client has several only while one replaces another. */
const MAX_SECRETS = 5;

interface Rotation {
  /** ISO 8601: the time for which the old secrets stay in force. */
  oldSecretTtl: string;
  /** The secret to set. Left out: a new one is made. */
  given?: string | undefined;
  /** True: the given secret may be easy to guess. */
  allowWeak: boolean;
}

/**
 * Gives a client a new secret. Its old secrets end after `oldSecretTtl`.
 *
 * @returns the client's record, and the secret, only this time and only if it was made here
 * @throws OAuthError `admin_target_unknown`, `client_has_no_secret`, `too_many_client_secrets`,
 *   `admin_body_invalid`, and what `precondition` throws
 */
export async function rotateClientSecret(
  server: Server,
  clientId: string,
  { oldSecretTtl, given, allowWeak }: Rotation,
  now: Seconds,
  precondition: Precondition = () => {},
): Promise<ClientWithSecret> {
  const end = after(oldSecretTtl, now);
  const { record, secret } =
    given === undefined
      ? await makeSecret(now)
      : {
          record: await givenSecretRecord(given, now, allowWeak),
          secret: undefined,
        };
  const client = await server.clients.update(clientId, (current) => {
    const client = existingClient(current());
    precondition(client);
    if (!hasSecret(client))
      throw new OAuthError("client_has_no_secret", {
        subject: String(client.token_endpoint_auth_method),
      });
    const isInForce = ({ expires_at = Infinity }) => now < expires_at;
    const sameSecret = client.secrets.find(
      (old) => old.hash === record.hash && isInForce(old),
    );
    // A secret that is already in force keeps its record, but no longer expires.
    const { expires_at: _end, ...newest } = sameSecret ?? record;
    const old = client.secrets
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
    return { ...client, secrets: [newest, ...old] };
  });
  return { client, ...(secret !== undefined && { client_secret: secret }) };
}
