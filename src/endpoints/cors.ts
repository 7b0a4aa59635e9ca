import type { Context, MiddlewareHandler } from "hono";
import type { AppEnv } from "./endpoint.ts";

/** The response headers that a page of another origin may read. */
const EXPOSED_HEADERS = "DPoP-Nonce,Retry-After,WWW-Authenticate,X-Request-Id";
/**
 * The time for which a browser may keep a preflight, in seconds: two hours, the most that Chromium allows.
 */
const PREFLIGHT_SECONDS = "7200";

/** The request headers that every preflight grants. */
const ALWAYS_GRANTED = ["Authorization", "Content-Type"];
/**
 * The most headers that a preflight may ask for, and the most characters of their names. Clients with tracing and
 * the headers of a vendor send about twenty.
 */
const MAX_ASKED_HEADERS = 64;
const MAX_ASKED_CHARACTERS = 2_048;
/** A header name (RFC 9110 section 5.1). A lone `*` is not a name here: in an answer it stands for every header. */
const headerName = /^(?!\*$)[\w!#$%&'*+.^`|~-]+$/;

/** Lets pages of other origins read the answers at a path, errors too, without credentials. */
export function readableByOrigins(): MiddlewareHandler<AppEnv> {
  return async function readableByOrigins(c, next) {
    await next();
    const { headers } = c.res;
    // The answer to a preflight has all its headers already.
    if (headers.has("Access-Control-Max-Age")) return;
    const origin = await allowedOrigin(c);
    if (origin !== null) headers.set("Access-Control-Allow-Origin", origin);
    headers.set("Access-Control-Expose-Headers", EXPOSED_HEADERS);
    headers.append("Vary", "Origin");
  };
}

/**
 * Answers a preflight: the question of a browser whether a page of another origin may send a request (Fetch,
 * "CORS-preflight fetch"). It is granted the headers that it asks for, because no credentials are sent across
 * origins.
 *
 * @param methods the methods at the path, with commas between them
 */
export function answerPreflight(methods: string): MiddlewareHandler<AppEnv> {
  return async function answerPreflight(c, next) {
    if (c.req.method !== "OPTIONS") return next();
    const origin = await allowedOrigin(c);
    const asked = c.req.header("Access-Control-Request-Headers") ?? "";
    return new Response(null, {
      status: 204,
      headers: {
        Vary: "Origin, Access-Control-Request-Headers",
        "Access-Control-Max-Age": PREFLIGHT_SECONDS,
        ...(origin !== null && {
          "Access-Control-Allow-Origin": origin,
          "Access-Control-Allow-Methods": methods,
          "Access-Control-Allow-Headers": grantedHeaders(asked).join(),
        }),
      },
    });
  };
}

/**
 * Returns the headers that a preflight grants. If it asks for more than anybody needs, it gets none of them
 * rather than some, because a browser gives up when one is missing.
 */
function grantedHeaders(asked: string): string[] {
  if (asked.length > MAX_ASKED_CHARACTERS) return ALWAYS_GRANTED;
  const granted = [...ALWAYS_GRANTED];
  const known = new Set(granted.map((name) => name.toLowerCase()));
  for (const item of asked.split(",")) {
    const name = item.trim();
    // Names have no case.
    if (!headerName.test(name) || known.has(name.toLowerCase())) continue;
    known.add(name.toLowerCase());
    granted.push(name);
  }
  return granted.length - ALWAYS_GRANTED.length > MAX_ASKED_HEADERS
    ? ALWAYS_GRANTED
    : granted;
}

/**
 * Returns the origin that may read the answer; null: the origin of this request may not. CORS_ORIGINS narrows
 * the origins. While the configuration cannot be read, any origin may read the error that says so.
 */
async function allowedOrigin(c: Context<AppEnv>): Promise<string | null> {
  const findServer = c.get("server");
  const server = await findServer().catch(() => undefined);
  const { cors_origins } = server?.settings ?? {};
  if (!cors_origins) return "*";
  const origin = c.req.header("Origin") ?? "";
  return cors_origins.includes(origin) ? origin : null;
}
