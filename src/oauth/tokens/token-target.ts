import type { Seconds } from "../duration.ts";
import type { Catalogues, Client } from "../entities.ts";
import type { LoginAttributes } from "../login-attributes.ts";
import {
  audiencesOf,
  entryOf,
  scopeOwners,
  scopesForResources,
  withResourceRules,
} from "../protected-resources.ts";
import { defaultResource } from "../resource-memory.ts";
import type { ScopeAndResource } from "../scope-and-resource.ts";
import type { Server } from "../server.ts";

/** The decisions about an access token before it is made. */
interface Decided {
  client: Client;
  login: LoginAttributes;
  granted: ScopeAndResource;
  catalogues: Catalogues;
}

/** The purpose of an access token, by the catalogue of resources as it is today. */
interface TokenTarget {
  /** With the format and lifetime of the token. */
  client: Client;
  scope: string[];
  /** Empty: nobody has named a resource, and the catalogue has none for the token. */
  resource: string[];
  audience: string[];
}

/** Decides what an access token is for: the resources that were named, else the client's only one, else AUDIENCE. */
export async function tokenTarget(
  { settings }: Pick<Server, "settings">,
  { client, login, granted, catalogues }: Decided,
  now: Seconds,
): Promise<TokenTarget> {
  const { resources: catalogue } = catalogues;
  const { scope, resource: named } = granted;
  const only =
    named.length === 0 ? await defaultResource(client, login) : undefined;
  const resources = only === undefined ? named : [only];
  const isKnown = resources.some((uri) => entryOf(uri, catalogue));
  return {
    client: withResourceRules(client, resources, catalogue, settings, now),
    scope: scopesLeft(client, scope, resources, catalogues),
    // In league's format, a token for a resource that nobody has named keeps the client's id as its audience.
    resource: isKnown ? resources : named,
    audience:
      resources.length > 0
        ? audiencesOf(resources, catalogue)
        : [settings.audience],
  };
}

/** Returns the client with the format and lifetime of an access token, for the length of a login without refreshes. */
export async function clientForToken(
  server: Pick<Server, "settings">,
  decided: Decided,
  now: Seconds,
): Promise<Client> {
  return (await tokenTarget(server, decided, now)).client;
}

/**
 * Leaves out the scopes of other resources. The grant has done so already, but a family's object of an older version,
 * which runs beside this one during a deployment, has not.
 */
function scopesLeft(
  client: Client,
  scope: readonly string[],
  resources: readonly string[],
  { resources: catalogue }: Catalogues,
): string[] {
  const owners = scopeOwners(scope, client.resources, catalogue);
  return scopesForResources(scope, resources, owners);
}
