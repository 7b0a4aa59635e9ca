import type { Refused } from "./errors.ts";

/**
 * Scheme, user information, host, port and rest of a URI (RFC 3986 section 3). A URI whose authority has
 * another form, such as a percent-encoded host, has a scheme and a rest only. `URL` is not used, because it
 * takes far more spellings for the same.
 */
const uriParts =
  /^([a-z][a-z\d+.-]*):(?:\/\/([\w.~!$&'()*+,;=:%-]*@)?(\[[\da-f:.]+\]|[\w.~!$&'()*+,;=-]+)(:\d*)?(?=[/?]|$))?(.*)$/i;

/** The default ports of RFC 9110 section 4.2 and RFC 6455 section 3. */
const defaultPorts = new Map([
  ["http", ":80"],
  ["https", ":443"],
  ["ws", ":80"],
  ["wss", ":443"],
]);

/**
 * Returns the form in which resources are compared (RFC 3986 section 6.2.3): scheme and host in lower case,
 * without an empty or default port, and without the path `/` after a host. Nothing else is changed.
 */
export function comparableResource(uri: string): string {
  const parts = uriParts.exec(uri);
  if (!parts) return uri;
  const [, name = "", user = "", host, port = "", rest = ""] = parts;
  const scheme = name.toLowerCase();
  if (host === undefined) return `${scheme}:${rest}`;
  const server = `${scheme}://${user}${host.toLowerCase()}`;
  const isDefault = port === ":" || port === defaultPorts.get(scheme);
  return server + (isDefault ? "" : port) + rest.replace(/^\/(?=\?|$)/, "");
}

/** Tells whether a list includes each of some resources, in any spelling. */
export function includesResources(
  list: readonly string[],
  resources: readonly string[],
): boolean {
  const known = new Set(list.map(comparableResource));
  return resources.every((uri) => known.has(comparableResource(uri)));
}

/** Returns the only resource of a list, which may have it in several spellings; none if there are none or several. */
export function soleResource(resources: readonly string[]): string[] {
  const [only, ...spellings] = resources;
  return only !== undefined && includesResources([only], spellings)
    ? [only]
    : [];
}

/**
 * Returns those of some resources that are registered, each once and as it is registered. If two spellings of
 * a resource are registered, it is the exact one, else the first.
 */
export function registeredResources(
  resources: readonly string[],
  registered: readonly string[],
): string[] {
  const exact = new Set(registered);
  const spellings = new Map<string, string>();
  for (const uri of registered) {
    const form = comparableResource(uri);
    if (!spellings.has(form)) spellings.set(form, uri);
  }
  const found = new Map<string, string>();
  for (const uri of resources) {
    const form = comparableResource(uri);
    const spelling = exact.has(uri) ? uri : spellings.get(form);
    if (spelling !== undefined && !found.has(form)) found.set(form, spelling);
  }
  return [...found.values()];
}

/**
 * Decides the resources of an access token: the requested ones, or all that were granted (RFC 8707 section
 * 2.2). If the authorization named no resource, each request may choose. The result is spelled as the client's
 * record is today.
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
  const isOpen = granted.length === 0;
  const available = isOpen ? allowed : registeredResources(granted, allowed);
  if (requested.length === 0) {
    if (isOpen) return { resource: [] };
    return available.length === 0
      ? { refused: "resource_not_allowed" }
      : { resource: [...available] };
  }
  return includesResources(available, requested)
    ? { resource: registeredResources(requested, available) }
    : { refused: "resource_not_allowed" };
}
