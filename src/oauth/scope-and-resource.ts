import type { Client, ScopeCatalogue } from "./entities.ts";
import type { Refused } from "./errors.ts";
import type { Parameters } from "./parameters.ts";
import { finalizeResources } from "./resource.ts";
import {
  finalizeScopes,
  requestedScope,
  type RequestedScope,
  scopeSet,
} from "./scope.ts";

/** The scopes and resources of tokens. */
export interface ScopeAndResource {
  scope: string[];
  resource: string[];
}

/** The scopes and resources that a request asks for. */
export interface RequestedScopeAndResource {
  scope: RequestedScope;
  resource: readonly string[];
}

/** Reads the parameters `scope` and `resource` of a request (RFC 6749 section 3.3, RFC 8707 section 2). */
export function requestedScopeAndResource(
  parameters: Parameters,
): RequestedScopeAndResource {
  return {
    scope: requestedScope(parameters.optional("scope")),
    resource: parameters.all("resource"),
  };
}

/** Returns everything that a client is registered for, for a request that no login has narrowed. */
export function registeredFor({ scope }: Client): ScopeAndResource {
  return { scope: scopeSet(scope), resource: [] };
}

/**
 * Returns everything that a client may have today: its scopes that are in the catalogue, and its resources.
 */
export function allowedFor(
  { scope, resources }: Client,
  catalogue: ScopeCatalogue,
): ScopeAndResource {
  return {
    scope: scopeSet(scope).filter((name) => Object.hasOwn(catalogue, name)),
    resource: resources,
  };
}

/**
 * Decides the scopes and resources of tokens.
 *
 * @param granted the scopes and resources of the authorization
 * @param allowed the scopes and resources that the client may have today
 */
export function finalizeScopeAndResource(
  requested: RequestedScopeAndResource,
  granted: Readonly<ScopeAndResource>,
  allowed: Readonly<ScopeAndResource>,
): ScopeAndResource | Refused {
  const scopes = finalizeScopes(requested.scope, granted.scope, allowed.scope);
  if ("refused" in scopes) return scopes;
  const resources = finalizeResources(
    requested.resource,
    granted.resource,
    allowed.resource,
  );
  return "refused" in resources ? resources : { ...scopes, ...resources };
}
