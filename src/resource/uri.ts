/**
 * The parts of a URI: scheme, user information, host, port and rest (RFC 3986 section 3). The same pattern as in
 * `oauth/resource.ts`, because this folder stands alone. A test compares the two.
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

/** Returns the form in which Baton compares resources (RFC 3986 section 6.2.3). */
export function comparable(uri: string): string {
  const parts = uriParts.exec(uri);
  if (!parts) return uri;
  const [, name = "", user = "", host, port = "", rest = ""] = parts;
  const scheme = name.toLowerCase();
  if (host === undefined) return `${scheme}:${rest}`;
  const server = `${scheme}://${user}${host.toLowerCase()}`;
  const isDefault = port === ":" || port === defaultPorts.get(scheme);
  return server + (isDefault ? "" : port) + rest.replace(/^\/(?=\?|$)/, "");
}

/**
 * Puts a well-known path between the host of a URL and its own path (RFC 8414 section 3.1, RFC 9728 section 3.1).
 *
 * @throws TypeError if it is not a URL
 */
export function wellKnown(url: string, name: string): URL {
  const { origin, pathname, search } = new URL(url);
  const path = pathname === "/" ? "" : pathname;
  return new URL(`/.well-known/${name}${path}${search}`, origin);
}
