import type { Seconds } from "../duration.ts";
import { readInteraction } from "./interaction.ts";
import type { RequestLog } from "../request-log.ts";
import type { Server } from "../server.ts";

/** The description of an authorization request, for the sign-in page to show to the user. */
export interface AuthorizationDescription {
  client_id: string;
  client_name?: string;
  /** The URI to which the browser is redirected after the decision. */
  redirect_uri: string;
  /** The requested scopes that the client may have, with the descriptions of the scope catalogue. */
  scopes: { scope: string; description: string }[];
  resource: string[];
  prompt?: string;
  login_hint?: string;
  ui_locales?: string;
  /** With the scope `openid`: the longest time since the sign-in, in seconds. */
  max_age?: number;
  /** With the scope `openid`: the authentication context classes that the client prefers. */
  acr_values?: string;
  /** With the scope `openid`: the user who must sign in, because the client has sent an ID token of theirs. */
  hinted_subject?: string;
  /** From this time on, the request cannot be decided. */
  expires_at: Seconds;
}

/**
 * Describes an authorization request for the user.
 *
 * @throws OAuthError as `readInteraction`
 */
export async function describeAuthorization(
  server: Server,
  encrypted: string,
  now: Seconds,
  log: RequestLog,
): Promise<AuthorizationDescription> {
  const interaction = await readInteraction(server, encrypted, now, log);
  const { request, client, left, expires_at } = interaction;
  const catalogue = await server.scopes.catalogue();
  const { client_id, client_name } = client;
  const { redirect_uri, prompt, login_hint, ui_locales } = request;
  const { max_age, acr_values, hinted_subject } = request;
  return {
    client_id,
    ...(client_name !== undefined && { client_name }),
    redirect_uri,
    scopes: left.scope.map((name) => ({
      scope: name,
      description: catalogue[name]?.description ?? name,
    })),
    resource: left.resource,
    ...(prompt !== undefined && { prompt }),
    ...(login_hint !== undefined && { login_hint }),
    ...(ui_locales !== undefined && { ui_locales }),
    ...(max_age !== undefined && { max_age }),
    ...(acr_values !== undefined && { acr_values }),
    ...(hinted_subject !== undefined && { hinted_subject }),
    expires_at,
  };
}
