import type { Client, ResourceCatalogue } from "../entities.ts";
import { fieldError } from "../errors.ts";
import { OPENID } from "../openid/scopes.ts";
import { isNameIn } from "../protected-resources.ts";
import { includesResources } from "../resource.ts";
import { scopeSet } from "../scope.ts";
import type { Server } from "../server.ts";
import type { Settings } from "../settings.ts";

/**
 * Refuses `openid` for a client whose id is an audience of access tokens. It is the audience of the client's ID tokens,
 * and a reader that does not compare `typ` would take the one token for the other. A client that was so before may be
 * changed in other ways.
 *
 * @throws OAuthError `admin_body_invalid`
 */
export function checkIdTokenAudience(
  client: Client,
  settings: Pick<Settings, "issuer" | "audience">,
  catalogue: ResourceCatalogue,
  previous?: Client,
): void {
  const sharedBy = (one: Client) =>
    sharedAudience(one, settings) ??
    (isOpenId(one) && isNameIn(catalogue, one.client_id)
      ? "the audience of a protected resource"
      : undefined);
  const audience = sharedBy(client);
  if (audience === undefined) return;
  if (previous && sharedBy(previous) !== undefined) return;
  throw fieldError(
    "scope",
    `must not have ${OPENID}, because the client_id is ${audience} as well: an API could take an ID token for an access token. Register the app with another client_id`,
  );
}

/** Reads the catalogue of resources for the check, where a change may give a client `openid`. */
export async function catalogueForCheck(
  { resources }: { resources: Pick<Server["resources"], "read"> },
  scope: string | null | undefined,
): Promise<ResourceCatalogue> {
  return scopeSet(scope ?? "").includes(OPENID) ? resources.read() : {};
}

function isOpenId({ scope }: Client): boolean {
  return scopeSet(scope).includes(OPENID);
}

/** Names the audience of access tokens that is the audience of the client's ID tokens too. Undefined: there is none. */
function sharedAudience(
  { client_id, scope, resources, resource_server }: Client,
  { issuer, audience }: Pick<Settings, "issuer" | "audience">,
): string | undefined {
  if (!scopeSet(scope).includes(OPENID)) return undefined;
  const isOneOf = (uris: readonly string[]) =>
    includesResources(uris, [client_id]);
  if (isOneOf([issuer])) return "the issuer";
  if (isOneOf([audience])) return "AUDIENCE";
  if (resource_server !== undefined && isOneOf([resource_server]))
    return "its resource_server";
  return isOneOf(resources) ? "one of its resources" : undefined;
}
