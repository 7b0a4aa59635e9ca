import type { Catalogues, Client } from "./entities.ts";
import type { Refused } from "./errors.ts";
import type { Parameters } from "./parameters.ts";
import { openScope } from "./offline-access.ts";
import {
  type ScopeOwners,
  scopeOwners,
  scopesForResources,
} from "./protected-resources.ts";
import { finalizeResources, soleResource } from "./resource.ts";
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

/** The scopes and resources that a client may have today. */
export interface Allowed extends ScopeAndResource {
  /** Left out: none of the scopes belongs to a resource. */
  scope_owners?: ScopeOwners;
  /** The client registered itself, so none of its tokens is for no resource. */
  needs_resource?: true;
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
 * Returns everything that may be granted to a request that no login has narrowed: what it names, if the client may have
 * that; else what the client is registered for.
 */
export function grantableFor(
  client: Client,
  { scope }: Pick<RequestedScopeAndResource, "scope">,
  allowed: Readonly<ScopeAndResource>,
): ScopeAndResource {
  return scope === undefined
    ? registeredFor(client)
    : { scope: allowed.scope, resource: [] };
}

/**
 * Returns everything that a client may have today: its scopes that are in the catalogue, and its resources.
 */
export function allowedFor(client: Client, catalogues: Catalogues): Allowed {
  const { scope, resources, registered_by } = client;
  const open = openScope(client, catalogues.scopes);
  const scopes = scopeSet(`${scope} ${open}`).filter((name) =>
    Object.hasOwn(catalogues.scopes, name),
  );
  const scope_owners = scopeOwners(scopes, resources, catalogues.resources);
  return {
    scope: scopes,
    resource: resources,
    ...(scope_owners && { scope_owners }),
    ...(registered_by && { needs_resource: true }),
  };
}

/**
 * Returns the scopes that a token for some resources may have.
 *
 * @param named the resources that the request or the authorization names. Empty: the client's only one counts
 */
export function scopesFor(
  { scope, resource, scope_owners }: Allowed,
  named: readonly string[],
): string[] {
  const resources = named.length > 0 ? named : soleResource(resource);
  return scopesForResources(scope, resources, scope_owners);
}

/**
 * Returns the resources whose digests decide a request (`resource-memory.ts`): those that it names, or the client's only
 * one, where a rule of the catalogue depends on it.
 */
export function resourcesInQuestion(
  requested: readonly string[],
  { resource, scope_owners, needs_resource }: Allowed,
): readonly string[] {
  const isRuled = scope_owners !== undefined || needs_resource === true;
  return requested.length > 0 || !isRuled ? requested : soleResource(resource);
}

/**
 * Decides the scopes and resources of tokens. A scope that belongs to another resource is left out without an error,
 * unless it is requested by name or no scope is left.
 *
 * @param granted the scopes and resources of the authorization
 * @param allowed the scopes and resources that the client may have today
 */
export function finalizeScopeAndResource(
  requested: RequestedScopeAndResource,
  granted: Readonly<ScopeAndResource>,
  allowed: Readonly<Allowed>,
): ScopeAndResource | Refused {
  const scopes = finalizeScopes(requested.scope, granted.scope, allowed.scope);
  if ("refused" in scopes) return scopes;
  const resources = finalizeResources(
    requested.resource,
    granted.resource,
    allowed.resource,
  );
  if ("refused" in resources) return resources;
  const { scope_owners, needs_resource } = allowed;
  if (!scope_owners && !needs_resource) return { ...scopes, ...resources };

  const named = resources.resource;
  const resource = named.length > 0 ? named : soleResource(allowed.resource);
  if (needs_resource && resource.length === 0)
    return { refused: "resource_missing" };
  const scope = scopesForResources(scopes.scope, resource, scope_owners);
  const foreign = scopes.scope.find((name) => !scope.includes(name));
  const isRefused = requested.scope !== undefined || scope.length === 0;
  if (foreign !== undefined && isRefused)
    return { refused: "scope_of_another_resource", subject: foreign };
  return { scope, resource: needs_resource ? resource : named };
}
