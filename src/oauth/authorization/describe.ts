import type { Seconds } from "../duration.ts";
import { readInteraction } from "./interaction.ts";
import type { RequestLog } from "../request-log.ts";
import type { Server } from "../server.ts";

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
  encrypted: string,
  now: Seconds,
  log: RequestLog,
): Promise<AuthorizationDescription> {
  const interaction = await readInteraction(server, encrypted, now, log);
  const { request, client, allowed, expires_at } = interaction;
  const catalogue = await server.scopes.catalogue();
  const { client_name } = client;
  const { client_id, scope, resource } = request.login;
  const { redirect_uri, prompt, login_hint, ui_locales } = request;
  return {
    client_id,
    ...(client_name !== undefined && { client_name }),
    redirect_uri,
    scopes: scope
      .filter((name) => allowed.scope.includes(name))
      .map((name) => ({
        scope: name,
        description: catalogue[name]?.description ?? name,
      })),
    resource: resource.filter((uri) => allowed.resource.includes(uri)),
    ...(prompt !== undefined && { prompt }),
    ...(login_hint !== undefined && { login_hint }),
    ...(ui_locales !== undefined && { ui_locales }),
    expires_at,
  };
}
