import type { Seconds } from "./duration.ts";
import { openForDecision } from "./pending-authorization.ts";
import type { RequestLog } from "./request-log.ts";
import { allowedScopes } from "./scope.ts";
import type { Server } from "./server.ts";

/** What a login shows to the person. */
export interface AuthorizationDescription {
  client_id: string;
  client_name?: string;
  /** Where the browser goes afterwards. */
  redirect_uri: string;
  /** What the client asks for, in the words of the scope catalogue. */
  scopes: { scope: string; description: string }[];
  resource: string[];
  prompt?: string;
  login_hint?: string;
  ui_locales?: string;
  /** When the request can no longer be decided. */
  expires_at: Seconds;
}

/**
 * What a client asks for, in words for the person.
 *
 * @throws OAuthError `authorization_request_…` if the request is none of ours, has expired, or is not
 *   what its client may ask for any more
 */
export async function describeAuthorization(
  server: Server,
  sealed: string,
  now: Seconds,
  log: RequestLog,
): Promise<AuthorizationDescription> {
  const { request, client, expires_at } = await openForDecision(
    server,
    sealed,
    now,
    log,
  );
  const catalogue = await server.scopes.catalogue();
  const allowed = allowedScopes(client, catalogue);
  const { client_id, redirect_uri, scope, resource } = request;
  const { prompt, login_hint, ui_locales } = request;
  return {
    client_id,
    ...(client.client_name !== undefined && {
      client_name: client.client_name,
    }),
    redirect_uri,
    scopes: scope
      .filter((name) => allowed.includes(name))
      .map((name) => ({
        scope: name,
        description: catalogue[name]!.description,
      })),
    resource: resource.filter((uri) => client.resources.includes(uri)),
    ...(prompt !== undefined && { prompt }),
    ...(login_hint !== undefined && { login_hint }),
    ...(ui_locales !== undefined && { ui_locales }),
    expires_at,
  };
}
