import type { Context } from "hono";
import type { Administrator } from "../oauth/administration.ts";
import type { ScopeCatalogue } from "../oauth/entities.ts";
import type { OAuthError } from "../oauth/errors.ts";
import type { RequestLog } from "../oauth/request-log.ts";
import type { EarlyServer, Server } from "../oauth/server.ts";
import type { Settings } from "../oauth/settings.ts";

/**
 * The bindings, and the variables that Hono carries through a request. A refresh reads them with `c.get`, because
 * each use of `c.var` copies them all.
 */
export interface AppEnv {
  Bindings: Env;
  Variables: {
    /** @throws OAuthError `configuration_malformed` */
    server: () => Promise<Server>;
    /**
     * Returns the server before its signing keys are ready. An endpoint that uses it awaits `server` before it
     * changes anything.
     *
     * @throws OAuthError `configuration_malformed`, but not for PRIVATE_KEY alone
     */
    early: () => Promise<EarlyServer>;
    /** True: if the configuration cannot be read, that is the refusal, whatever else is wrong. */
    configurationFirst?: true;
    log: RequestLog;
    /** Who sends a request of the admin API. */
    administrator?: Administrator;
    /** The name of the administrator, for the log. */
    actor?: string;
    /** A UUID, which is also in `X-Request-Id` of the response and in the log. */
    requestId: string;
    /**
     * Makes the redirect URL of an error. Unset until client and redirect URI are certain (RFC 6749 section
     * 4.1.2.1).
     */
    errorRedirect?: (error: {
      error: string;
      error_description: string;
    }) => string;
    /** The place of the client to which an error does not redirect the browser, for the page that shows the error. */
    withheld?: string;
  };
}

/**
 * An endpoint: one file, and one line in the registry (`index.ts`). Two of them may have one path, with another
 * method each.
 */
export interface Endpoint {
  path: string;
  method: "GET" | "POST" | "PUT" | "DELETE";
  /** True if pages of other origins may call the endpoint (CORS). */
  cors: boolean;
  /** Tells whether the configuration turns the endpoint on. Left out: it is always on. */
  isOn?: (settings: Settings) => boolean;
  /** The endpoint exists while the scope catalogue has this scope. Left out: the catalogue is not asked. */
  needsScope?: string;
  /** Returns the members that the endpoint adds to the server metadata (RFC 8414 section 2). */
  metadata?: (
    settings: Settings,
    catalogue: ScopeCatalogue,
  ) => Record<string, unknown>;
  /**
   * Answers a request.
   *
   * @throws OAuthError
   */
  respond: (c: Context<AppEnv>) => Promise<Response>;
  /** Renders a refusal, for a person or with more headers. Left out: refusals are JSON. */
  renderError?: (
    c: Context<AppEnv>,
    refusal: OAuthError,
  ) => Response | Promise<Response>;
}

/** Tells whether the scope catalogue has the scope that an endpoint needs. */
export function hasNeededScope(
  { needsScope }: Endpoint,
  catalogue: ScopeCatalogue,
): boolean {
  return needsScope === undefined || Object.hasOwn(catalogue, needsScope);
}

/** Tells whether the whole configuration can be read. What can be read of it refuses nothing before. */
export function isConfigured(c: Context<AppEnv>): Promise<boolean> {
  return c.var.server().then(
    () => true,
    () => false,
  );
}

/** The current time in whole seconds since 1970. A request reads it once, so that all checks agree. */
export function now(): number {
  return Math.floor(Date.now() / 1000);
}

/**
 * The address of every request that a Worker of another zone sends. The platform then sets CF-Worker to that
 * zone (https://developers.cloudflare.com/workers/runtime-apis/headers/).
 */
const WORKERS_ADDRESS = "2a06:98c0:3600::103";

/**
 * Returns the network that a request came from: the IPv4 address, or the first 64 bits of the IPv6 address,
 * because one customer has all addresses with the same 64 bits. For a request of another Worker it is the
 * Worker's zone, because all Workers have one address. Empty if the platform does not tell, and for a loopback
 * address, as in local development.
 */
export function networkOf(c: Context<AppEnv>): string {
  const address = c.req.header("CF-Connecting-IP") ?? "";
  const zone = c.req.header("CF-Worker");
  if (address === WORKERS_ADDRESS && zone !== undefined) return zone;
  // An IPv6 address that holds an IPv4 address (::ffff:192.0.2.1) counts as the IPv4 address.
  const last = address.slice(address.lastIndexOf(":") + 1);
  if (/^127\.|^::1$/.test(address.includes(".") ? last : address)) return "";
  if (!address.includes(":") || last.includes(".")) return last;
  const [before = [], after = []] = address
    .split("::")
    .map((part) => part.split(":").filter((group) => group !== ""));
  const zeros = Array<string>(8).fill("0");
  return [...before, ...zeros.slice(before.length + after.length), ...after]
    .slice(0, 4)
    .join(":");
}

/** Redirects the browser with 303, so that it does not send a form again (RFC 9700 section 4.12). */
export function redirect(c: Context<AppEnv>, location: string): Response {
  c.header("Referrer-Policy", "no-referrer");
  return c.redirect(location, 303);
}
