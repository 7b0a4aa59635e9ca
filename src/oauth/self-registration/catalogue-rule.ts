import type { Client, ResourceCatalogue } from "../entities.ts";
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
  const scopes = open.flatMap(([, { scope }]) => scopeSet(scope));
  const resources = open.map(([uri]) => uri);
  return {
    ...client,
    scope: scopeSet([client.scope, ...scopes].join(" ")).join(" "),
    resources: [...new Set([...client.resources, ...resources])],
  };
}
