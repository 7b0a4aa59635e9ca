import { isLoopback } from "../oauth/redirect-uri.ts";

/**
 * A host name that nobody can register in the public DNS: a single label, such as the name of a container, and the
 * top-level names that are reserved for machines and networks of one's own (RFC 6761, RFC 6762, RFC 8375, and
 * `internal`).
 */
const localName =
  /^(?:[\w-]+|(?:[\w-]+\.)+(?:internal|local|localhost|test|home\.arpa))$/;

/**
 * Tells whether a URL of plain http names a machine of one's own: a loopback address, or a name that the public DNS
 * cannot have. An address of a private network is not one, because it is another machine in each network.
 */
export function isLocalName(url: string): boolean {
  return isLoopback(url) || localName.test(new URL(url).hostname);
}
