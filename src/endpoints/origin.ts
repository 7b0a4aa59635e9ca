import type { Context, MiddlewareHandler } from "hono";
import { OAuthError } from "../oauth/errors.ts";
import { isLoopback } from "../oauth/redirect-uri.ts";
import { type AppEnv, isConfigured } from "./endpoint.ts";

/** The time for which a browser must use https only, in seconds: a year (RFC 6797 section 6.1.1). */
const TRANSPORT_SECURITY = "max-age=31536000";
/**
 * Not for a loopback address, because a browser would then refuse every other program at http://localhost.
 */
const securedUrl = /^https:\/\/(?!(?:localhost|127\.0\.0\.1|\[::1\])[:/])/i;

/** A host with an optional port, in the characters of RFC 3986 sections 3.2.2 and 3.2.3. */
const hostHeader = /^[\w.~!$&'()*+,;=%:[\]-]+$/;

/** Returns the value of Strict-Transport-Security for an answer. Undefined: it has no such header. */
export function transportSecurity(url: string): string | undefined {
  return securedUrl.test(url) ? TRANSPORT_SECURITY : undefined;
}

/**
 * Refuses a request that came by plain http, or to a host name that is not in ALLOWED_HOSTS. A loopback address
 * and another Worker with a service binding may use any scheme and any host name, because such a request does
 * not cross a network. So may the host of an ISSUER with plain http, which only a local server has.
 * X-Forwarded-Proto is not read, because anybody may send it.
 *
 * @throws OAuthError `host_malformed`, `host_not_allowed` or `https_required`
 */
export function holdOrigin(): MiddlewareHandler<AppEnv> {
  return async function holdOrigin(c, next) {
    const host = c.req.header("Host");
    // RFC 9112 section 3.2: 400 for a Host that is not valid. The platform makes the URL of it, also if the
    // result is not a URL.
    if (host !== undefined && !isValidHost(host))
      throw new OAuthError("host_malformed");

    // The endpoints report a configuration that cannot be read.
    const findServer = c.get("early");
    const server = await findServer().catch(() => undefined);
    const { allowed_hosts: allowed, issuer = "" } = server?.settings ?? {};
    if (!allowed && c.req.url.startsWith("https:")) return next();

    const url = new URL(c.req.url);
    const isHeld =
      !isLoopback(`http://${url.host}`) &&
      !isPlainIssuer(issuer, url) &&
      !isFromServiceBinding(url, host);
    const isForeign = isHeld && allowed && !allowed.includes(url.hostname);
    if (isForeign && (await isConfigured(c)))
      throw new OAuthError("host_not_allowed");
    if (isHeld && url.protocol === "http:") return refusePlainHttp(c, url);
    return next();
  };
}

function isValidHost(host: string): boolean {
  return hostHeader.test(host) && URL.canParse(`http://${host}`);
}

/** Tells whether a URL has the host of an ISSUER with plain http. */
function isPlainIssuer(issuer: string, { hostname }: URL): boolean {
  return issuer.startsWith("http:") && new URL(issuer).hostname === hostname;
}

/**
 * Tells whether another Worker has sent the request by a service binding, to a URL of its own making. Such a
 * request has no Host, or that of the request that it was copied from. A request from outside has the Host of its
 * URL, because the platform makes the URL of it; so has a request that a Worker passes on as it came.
 */
function isFromServiceBinding(url: URL, host: string | undefined): boolean {
  if (host === undefined) return true;
  // Another port, or the final dot of a domain name, is the same host in another spelling.
  const name = (hostname: string) => hostname.replace(/\.$/, "");
  const { hostname } = new URL(`${url.protocol}//${host}`);
  return name(hostname) !== name(url.hostname);
}

/**
 * Redirects what a person may have typed into a browser. A body is not redirected: a client that sends its
 * secret in the clear must learn of it.
 */
function refusePlainHttp(c: Context<AppEnv>, url: URL): Response {
  if (c.req.method !== "GET" && c.req.method !== "HEAD")
    throw new OAuthError("https_required");
  const target = new URL(url);
  target.protocol = "https:";
  // The port of http does not serve https.
  target.port = "";
  return c.redirect(target.href, 308);
}
