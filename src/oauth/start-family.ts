import type { Seconds } from "./duration.ts";
import type { Client } from "./entities.ts";
import { familyEnd, refreshTokenExpiry } from "./lifetimes.ts";
import { FAMILY_SECRET_BYTES, hashFamilySecret } from "./refresh-token.ts";
import type { Server } from "./server.ts";
import { tokenResponse, type TokenResponse } from "./token-response.ts";

/** What a user has authorized a client for; checked by the caller. */
export interface Authorization {
  client: Client;
  subject: string;
  scope: string[];
  resource: string[];
}

/** Starts a family of refresh tokens and answers with its first pair. */
export async function startFamily(
  server: Server,
  authorization: Authorization,
  now: Seconds,
): Promise<TokenResponse> {
  const { client, subject, scope, resource } = authorization;
  const family_secret = crypto.getRandomValues(
    new Uint8Array(FAMILY_SECRET_BYTES),
  );
  const ends_at = familyEnd(client, server.settings, now);
  const expires_at = refreshTokenExpiry(client, server.settings, now, ends_at);
  const family_id = await server.families.create({
    client_id: client.client_id,
    subject,
    scope,
    resource,
    secret_hash: await hashFamilySecret(family_secret),
    created_at: now,
    expires_at,
    ends_at,
  });
  const refreshToken = { family_id, generation: 1, expires_at, family_secret };
  return tokenResponse(server, { ...authorization, refreshToken }, now);
}
