import type { Client, ResourceCatalogue } from "../entities.ts";
import { isNameIn } from "../protected-resources.ts";
import { scopeSet } from "../scope.ts";

/**
 * Returns a client with everything that it may have today. A client that registered itself may ask for the resources that the
 * catalogue opens to such clients, and for their scopes, beside what an administrator has added to its record. Other
 * clients have what their records say.
 */
export function withCatalogueRule(
  client: Client,
  catalogue: ResourceCatalogue,
): Client {
  if (client.registered_by === undefined) return client;
  const open = Object.entries(catalogue).filter(
    ([, { self_registered_clients }]) => self_registered_clients,
  );
  const scopes = scopeSet(
    [client.scope, ...open.map(([, { scope }]) => scope)].join(" "),
  );
  const resources = open.map(([uri]) => uri);
  // Its ID tokens would have the audience of the resource's access tokens.
  const isResource = isNameIn(catalogue, client.client_id);
  return {
    ...client,
    scope: scopes
      .filter((scope) => !isResource || scope !== "openid")
      .join(" "),
    resources: [...new Set([...client.resources, ...resources])],
  };
}
