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

/** The scopes and resources that tokens are for. */
export interface ScopeAndResource {
  scope: string[];
  resource: string[];
}

/** The scopes and resources that a request names. */
export interface RequestedScopeAndResource {
  scope: RequestedScope;
  resource: readonly string[];
}

/** Reads `scope` and `resource` of a request (RFC 6749 section 3.3, RFC 8707 section 2). */
export function requestedScopeAndResource(
  parameters: Parameters,
): RequestedScopeAndResource {
  return {
    scope: requestedScope(parameters.optional("scope")),
    resource: parameters.all("resource"),
  };
}

/** All that a client is registered for, where no login has narrowed it. */
export function registeredFor({ scope }: Client): ScopeAndResource {
  return { scope: scopeSet(scope), resource: [] };
}

/** All that a client may have today: those of its scopes that the catalogue still has, and its resources. */
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
 * Decides what tokens are for: the verdict on scopes, then on resources.
 *
 * @param requested what the request asks for
 * @param granted what was authorized
 * @param allowed what the client may have today
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
