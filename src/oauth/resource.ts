import type { Refused } from "./errors.ts";

/**
 * Which resources an access token is for (RFC 8707 section 2.2): the requested ones, else all that
 * were granted. A grant without resources leaves the choice to each request.
 *
 * @param requested the request's `resource` parameters
 * @param granted the resources of the authorization; empty if it names none
 * @param allowed the client's `resources`
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
  const permitted = (resource: string) =>
    allowed.includes(resource) &&
    (granted.length === 0 || granted.includes(resource));
  return requested.every(permitted)
    ? { resource: [...new Set(requested)] }
    : { refused: "resource_not_allowed" };
}
