import * as v from "valibot";
import {
  describeSelfRegistered,
  type SelfRegisteredClient,
} from "./consent.ts";
import { grantedScopes } from "./granted-scopes.ts";
import type { Seconds } from "../duration.ts";
import type { ScopeCatalogue } from "../entities.ts";
import { readInteraction } from "./interaction.ts";
import type { RequestLog } from "../request-log.ts";
import { strictObject } from "../schema.ts";
import type { Server } from "../server.ts";
import { subject } from "../subject.ts";

/** The schema of what a description may be asked about a user. */
export const aboutUser = strictObject({
  subject: v.optional(
    v.pipe(
      subject,
      v.description(
        "The user who is signed in. The description then has granted_scopes.",
      ),
    ),
  ),
});

/** The description of an authorization request, for the sign-in page to show to the user. */
export interface AuthorizationDescription extends Partial<SelfRegisteredClient> {
  client_id: string;
  client_name?: string;
  /** The URI to which the browser is redirected after the decision. */
  redirect_uri: string;
  /** The requested scopes that the client may have, with the descriptions of the scope catalogue. */
  scopes: DescribedScope[];
  /**
   * Only if a user is named: the scopes that their logins at this client have already, for the same resources. The
   * decision may name them beside the requested ones.
   */
  granted_scopes?: DescribedScope[];
  resource: string[];
  /** The names of those resources that have one in the catalogue. Left out: none has. */
  resource_names?: Record<string, string>;
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

interface DescribedScope {
  scope: string;
  description: string;
}

/**
 * Describes an authorization request for the user.
 *
 * @param subject the user who is signed in, to tell what their logins at this client have already
 * @throws OAuthError as `readInteraction`
 */
export async function describeAuthorization(
  server: Server,
  encrypted: string,
  now: Seconds,
  log: RequestLog,
  subject?: string,
): Promise<AuthorizationDescription> {
  const interaction = await readInteraction(server, encrypted, now, log);
  const { request, client, left, expires_at } = interaction;
  const [catalogue, granted, names] = await Promise.all([
    server.scopes.catalogue(),
    subject === undefined
      ? undefined
      : grantedScopes(server, interaction, subject, now),
    namesOf(server, left.resource),
  ]);
  const { client_id, client_name } = client;
  const { redirect_uri, prompt, login_hint, ui_locales } = request;
  const { max_age, acr_values, hinted_subject } = request;
  return {
    client_id,
    ...(client_name !== undefined && { client_name }),
    redirect_uri,
    ...describeSelfRegistered(client, redirect_uri),
    scopes: describeScopes(left.scope, catalogue),
    ...(granted && { granted_scopes: describeScopes(granted, catalogue) }),
    resource: left.resource,
    ...(names && { resource_names: names }),
    ...(prompt !== undefined && { prompt }),
    ...(login_hint !== undefined && { login_hint }),
    ...(ui_locales !== undefined && { ui_locales }),
    ...(max_age !== undefined && { max_age }),
    ...(acr_values !== undefined && { acr_values }),
    ...(hinted_subject !== undefined && { hinted_subject }),
    expires_at,
  };
}

function describeScopes(
  names: readonly string[],
  catalogue: ScopeCatalogue,
): DescribedScope[] {
  return names.map((scope) => ({
    scope,
    description: catalogue[scope]?.description ?? scope,
  }));
}

/** Returns the names of those resources that the catalogue has a name for. Undefined: it has none. */
async function namesOf(
  server: Server,
  resources: readonly string[],
): Promise<Record<string, string> | undefined> {
  if (resources.length === 0) return undefined;
  const catalogue = await server.resources.catalogue();
  const named = resources.flatMap((uri) => {
    const name = Object.hasOwn(catalogue, uri) ? catalogue[uri]?.name : "";
    return name ? [[uri, name] as const] : [];
  });
  return named.length > 0 ? Object.fromEntries(named) : undefined;
}
