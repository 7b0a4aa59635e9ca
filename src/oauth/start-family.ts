import type { Seconds } from "./duration.ts";
import type { Client } from "./entities.ts";
import { familyEnd, lifetimesOf, refreshTokenExpiry } from "./lifetimes.ts";
import {
  FAMILY_SECRET_BYTES,
  hashFamilySecret,
  newestKeyId,
} from "./refresh-token.ts";
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
  const lifetimes = lifetimesOf(client, server.settings);
  const ends_at = familyEnd(lifetimes, now);
  const expires_at = refreshTokenExpiry(lifetimes, now, ends_at);
  const key_id = newestKeyId(server.tokenKeys);
  const family_id = await server.families.create({
    client_id: client.client_id,
    client_issued_at: client.client_id_issued_at,
    subject,
    scope,
    resource,
    secret_hash: await hashFamilySecret(family_secret),
    created_at: now,
    expires_at,
    ends_at,
    key_id,
  });
  const refreshToken = { family_id, generation: 1, expires_at, family_secret };
  return tokenResponse(server, { ...authorization, refreshToken, key_id }, now);
}
