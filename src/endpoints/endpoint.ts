import type { Context } from "hono";
import type { OAuthError } from "../oauth/errors.ts";
import type { RequestLog } from "../oauth/request-log.ts";
import type { Server } from "../oauth/server.ts";
import type { Settings } from "../oauth/settings.ts";

/** What Hono carries through a request. */
export interface AppEnv {
  Bindings: Env;
  Variables: {
    /** The server, or OAuthError `configuration_malformed`. */
    server: () => Promise<Server>;
    log: RequestLog;
    /** Also in the answer's X-Request-Id and in the log. */
    requestId: string;
    /** Where the browser takes an error to, once that is certain (RFC 6749 section 4.1.2.1). */
    errorRedirect?: (error: {
      error: string;
      error_description: string;
    }) => string;
  };
}

/** An endpoint: one file, and one line in the registry (`index.ts`). */
export interface Endpoint {
  path: string;
  method: "GET" | "POST";
  /** Whether pages of other origins may call it. */
  cors: boolean;
  /** Whether the configuration has turned it on; left out: it is always there. */
  isOn?: (settings: Settings) => boolean;
  /** What the server's metadata says because this endpoint is there (RFC 8414 section 2). */
  metadata?: (settings: Settings) => Record<string, unknown>;
  respond: (c: Context<AppEnv>) => Promise<Response>;
  /** How a refusal is told where JSON is not for whom it is for; left out: as JSON. */
  renderError?: (
    c: Context<AppEnv>,
    refusal: OAuthError,
  ) => Response | Promise<Response>;
}

/** The request's one look at the clock: whole seconds since 1970. */
export function now(): number {
  return Math.floor(Date.now() / 1000);
}

/**
 * The network that a request came from: its address, or of an IPv6 address the first 64 bits, for one
 * customer has all of the rest. Empty where nothing says so, as in local development.
 */
export function networkOf(c: Context<AppEnv>): string {
  const address = c.req.header("CF-Connecting-IP") ?? "";
  // Of an IPv4 address in an IPv6 one, the former.
  const last = address.slice(address.lastIndexOf(":") + 1);
  if (!address.includes(":") || last.includes(".")) return last;
  const [before = [], after = []] = address
    .split("::")
    .map((part) => part.split(":").filter((group) => group !== ""));
  const zeros = Array<string>(8).fill("0");
  return [...before, ...zeros.slice(before.length + after.length), ...after]
    .slice(0, 4)
    .join(":");
}

/** RFC 9700 section 4.12: 303, so that no browser sends a form again. */
export function redirect(c: Context<AppEnv>, location: string): Response {
  c.header("Referrer-Policy", "no-referrer");
  return c.redirect(location, 303);
}
