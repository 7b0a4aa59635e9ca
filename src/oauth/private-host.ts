/** Host names and addresses that no server on the internet has. The server must not post to them for a stranger. */

/** IPv4 addresses that are private, loopback, link-local, shared, for documentation, multicast or reserved (RFC 6890). */
const privateIpv4 =
  /^(?:0|10|127|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])|169\.254|172\.(?:1[6-9]|2\d|3[01])|192\.0\.[02]|192\.88\.99|192\.168|198\.1[89]|198\.51\.100|203\.0\.113|22[4-9]|2[3-5]\d)\.[\d.]+$/;

/**
 * IPv6 addresses of the internet (2000::/3, RFC 4291 section 2.4), without those that hold an IPv4 address (2002::/16)
 * and those of protocols (2001::/23, RFC 6890 section 2.2.3).
 */
const publicIpv6 = /^\[(?!2001:(?::|1?[\da-f]{1,2}:)|2002:)[23][\da-f]{3}:/;

/** Names of this machine and of private networks (RFC 6761, RFC 6762, RFC 8375), and a single label. */
const privateName =
  /^(?:[^.]*|.+\.(?:localhost|local|internal|home\.arpa))\.?$/;

/**
 * Tells whether a host is a private address, or a name that the public DNS does not have.
 *
 * @param hostname as a URL spells it after parsing, which has one spelling for every IPv4 address
 */
export function isPrivateHost(hostname: string): boolean {
  return hostname.startsWith("[")
    ? !publicIpv6.test(hostname)
    : privateIpv4.test(hostname) || privateName.test(hostname);
}
