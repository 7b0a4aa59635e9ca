import { isPrivateHost } from "./private-host.ts";
import { isLoopback } from "./redirect-uri.ts";

/**
 * Checks an address of a client that the server asks or posts to: `backchannel_logout_uri` (OpenID Connect Back-Channel
 * Logout section 2.2) or `jwks_uri`. It is checked when it is registered, and again each time before the server uses it,
 * because a client chooses it and the server can reach more than the client.
 *
 * @param issuer a local server, whose issuer is a loopback address, may reach a program beside it
 * @returns what is wrong; undefined if nothing is
 */
export function outgoingUriProblem(
  uri: string,
  issuer: string,
): string | undefined {
  if (!URL.canParse(uri)) return "must be a URL";
  if (uri.includes("#")) return "must not have a fragment";
  if (isLoopback(issuer) && isLoopback(uri)) return undefined;
  const { protocol, hostname } = new URL(uri);
  if (protocol !== "https:" || !/^https:\/\/[^/?\\]/i.test(uri))
    return "must begin with https://";
  // A parser drops an empty user, so the text itself is looked at.
  if (/^https:\/\/[^/?\\]*@/i.test(uri))
    return "must not have a user or a password";
  return isPrivateHost(hostname)
    ? "must not lead to a private address"
    : undefined;
}
