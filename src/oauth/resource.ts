import type { Refused } from "./errors.ts";

/**
 * Decides the resources of an access token: the requested ones, or all that were granted (RFC 8707 section
 * 2.2). If the authorization named no resource, each request may choose.
 *
 * @param requested the values of the request's parameter `resource`
 * @param granted the resources of the authorization; empty if it named none
 * @param allowed the `resources` of the client's record
 */
export function finalizeResources(
  requested: readonly string[],
  granted: readonly string[],
  allowed: readonly string[],
): { resource: string[] } | Refused {
  if (requested.length === 0) {
    const available = granted.filter((resource) => allowed.includes(resource));
    const lostAll = available.length === 0 && granted.length > 0;
    return lostAll
      ? { refused: "resource_not_allowed" }
      : { resource: available };
  }
  const isPermitted = (resource: string) =>
    allowed.includes(resource) &&
    (granted.length === 0 || granted.includes(resource));
  return requested.every(isPermitted)
    ? { resource: [...new Set(requested)] }
    : { refused: "resource_not_allowed" };
}
