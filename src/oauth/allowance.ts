import type { Client } from "./entities.ts";
import type { Grant } from "./finalize-grant.ts";
import { allowedScopes } from "./scope.ts";
import type { Server } from "./server.ts";

/** What a client may have, and the record that says so. */
export interface Allowance {
  client: Client;
  allowed: Grant;
}

/**
 * What a client may have today, as this isolate knows it; if that is less than what is wanted, it looks
 * past its own copy first, at most once a second: a scope that was given to a client a moment ago has to
 * work at once, and must not fall away for the whole life of a login.
 */
export async function allowanceFor(
  { clients, scopes }: Pick<Server, "clients" | "scopes">,
  client: Client,
  wanted: { scope: readonly string[]; resource: readonly string[] },
): Promise<Allowance> {
  const known = {
    scope: allowedScopes(client, await scopes.catalogue()),
    resource: client.resources,
  };
  const covered =
    wanted.scope.every((name) => known.scope.includes(name)) &&
    wanted.resource.every((uri) => known.resource.includes(uri));
  if (covered) return { client, allowed: known };

  const newest = (await clients.findAgain(client.client_id)) ?? client;
  const scope = allowedScopes(newest, await scopes.catalogueAgain());
  return { client: newest, allowed: { scope, resource: newest.resources } };
}
