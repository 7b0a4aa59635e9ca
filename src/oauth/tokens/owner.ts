import type { Seconds } from "../duration.ts";
import type { Client } from "../entities.ts";
import type { RequestLog } from "../request-log.ts";
import type { Server } from "../server.ts";
import {
  type IntrospectionClaims,
  kindOf,
  type Presenter,
} from "../token-kind.ts";

/*
 * Introspection and revocation for an administrator, who has no client: the client that owns the token presents it.
 * So the same checks hold as for a client, and a token of a client that does not exist is not active.
 */

/** Describes a token of any client. Undefined: it is not active. */
export async function introspectOwn(
  server: Server,
  token: string,
  log: RequestLog,
  now: Seconds,
): Promise<IntrospectionClaims | undefined> {
  const presenter = await ownerOf(server, token, log);
  if (!presenter) return undefined;
  return kindOf(server.tokenKinds, token).introspect(token, presenter, now);
}

/**
 * Ends the login of a token of any client. A token that is not valid is ignored (RFC 7009 section 2.2).
 *
 * @throws OAuthError `token_not_revocable`
 */
export async function revokeOwn(
  server: Server,
  token: string,
  log: RequestLog,
  now: Seconds,
): Promise<void> {
  const presenter = await ownerOf(server, token, log);
  if (presenter)
    await kindOf(server.tokenKinds, token).revoke(token, presenter, now);
}

/** Finds the client of a genuine token. The server's own copy may be a minute old, so the record is read again. */
async function ownerOf(
  server: Server,
  token: string,
  log: RequestLog,
): Promise<Presenter | undefined> {
  log.begin("client");
  const clientId = await kindOf(server.tokenKinds, token).clientIdOf(token);
  const client: Client | undefined =
    clientId === undefined
      ? undefined
      : await server.clients.findAgain(clientId);
  if (!client) return undefined;
  log.fields.client_id = client.client_id;
  return { client, network: () => "", log };
}
