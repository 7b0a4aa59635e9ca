import type { Refused } from "./errors.ts";
import type { Client, ScopeCatalogue } from "./entities.ts";
import { finalizeResources } from "./resource.ts";
import { finalizeScopes, type RequestedScope, scopeSet } from "./scope.ts";

/** Scopes and resources: what tokens are for. */
export interface Grant {
  scope: string[];
  resource: string[];
}

/** What a client may have today: of its scopes those that the catalogue still has, and its resources. */
export function allowanceOf(
  { scope, resources }: Client,
  catalogue: ScopeCatalogue,
): Grant {
  return {
    scope: scopeSet(scope).filter((name) => Object.hasOwn(catalogue, name)),
    resource: resources,
  };
}

/**
 * What tokens get: the verdict on scopes, then on resources.
 *
 * @param requested what the request asks for
 * @param granted what was authorized
 * @param allowed what the client may have today
 */
export function finalizeGrant(
  requested: { scope: RequestedScope; resource: readonly string[] },
  granted: Readonly<Grant>,
  allowed: Readonly<Grant>,
): Grant | Refused {
  const scopes = finalizeScopes(requested.scope, granted.scope, allowed.scope);
  if ("refused" in scopes) return scopes;
  const resources = finalizeResources(
    requested.resource,
    granted.resource,
    allowed.resource,
  );
  return "refused" in resources ? resources : { ...scopes, ...resources };
}
