import type { Context } from "hono";
import { ADMIN_TOKEN_PREFIX } from "../oauth/admin-token-form.ts";
import { lowerCaseAscii } from "../oauth/ascii.ts";
import type { Administrator } from "../oauth/administration.ts";
import { OAuthError, type Reason } from "../oauth/errors.ts";
import type { GuessLimit } from "../oauth/guess-limit.ts";
import { includesRole, type Role } from "../oauth/roles.ts";
import type { Server } from "../oauth/server.ts";
import type { Settings } from "../oauth/settings.ts";
import { type AppEnv, networkOf, now } from "./endpoint.ts";
import { routeOf } from "./routes.ts";

/**
 * The network of a request that has none: on a local server, or by a service binding. Guesses at the admin token are
 * counted there too, because it opens everything and nobody needs many tries.
 */
const UNKNOWN_NETWORK = "unknown";

/** The header in which Access sends its JWT. Whatever else sends one has to forge a signature. */
const ACCESS_HEADER = "Cf-Access-Jwt-Assertion";

/** Tells whether there is an admin API. While it is off, it does not show. */
export function isAdminApiOn({ admin_token, access }: Settings): boolean {
  return admin_token !== undefined || access !== undefined;
}

/** The credentials of a request that are not those of an administrator. */
export interface NotAdministrator {
  refused: "admin_token_wrong" | "admin_token_expired";
  /** The administrator whose token has expired. */
  actor?: string;
}

/**
 * Finds out who sends a request, by the admin token (RFC 6750 section 2.1) or by Cloudflare Access. A bearer token
 * decides alone: a wrong one is refused, also where Access knows the person. Wrong credentials are limited per
 * network.
 *
 * @returns undefined if the request has no credentials
 * @throws OAuthError `admin_tokens_limited`, `admin_request_cross_site` or `access_keys_unavailable`
 */
export async function findAdministrator(
  c: Context<AppEnv>,
  server: Pick<Server, "settings" | "administration" | "guesses">,
): Promise<Administrator | NotAdministrator | undefined> {
  const token = bearerToken(c);
  const jwt = server.settings.access && c.req.header(ACCESS_HEADER);
  if (token !== undefined)
    return limitGuesses(c, server.guesses, () => byToken(server, token));
  if (jwt)
    return limitGuesses(c, server.guesses, () => byAccess(c, server, jwt));
  return undefined;
}

/**
 * Tells whether a request has the secret ADMIN_TOKEN, for where no configuration can be read.
 *
 * @throws OAuthError `admin_tokens_limited`
 */
export async function hasRootToken(
  c: Context<AppEnv>,
  adminToken: string,
  guesses: GuessLimit,
): Promise<boolean> {
  const token = bearerToken(c);
  if (token === undefined) return false;
  const found = await limitGuesses(c, guesses, async () =>
    (await isSameToken(token, adminToken)) ? root : wrong,
  );
  return found === root;
}

/**
 * Requires a role of the administrator who sends a request.
 *
 * @param realm the scheme and the realm of WWW-Authenticate
 * @throws OAuthError `admin_role_insufficient` (RFC 6750 section 3.1)
 */
export function requireRole(
  c: Context<AppEnv>,
  needed: Role,
  realm = challenge,
): void {
  if (includesRole(c.var.administrator?.role, needed)) return;
  const reason = "admin_role_insufficient";
  reportDenied(c, reason, needed);
  throw new OAuthError(reason, {
    subject: needed,
    headers: {
      "WWW-Authenticate": `${realm}, error="insufficient_scope", scope="${needed}"`,
    },
  });
}

/**
 * Adds the event of a refusal. The log adds the administrator, if it is known.
 *
 * @param role the role that is needed
 */
export function reportDenied(
  c: Context<AppEnv>,
  reason: Reason,
  role?: Role,
): void {
  c.var.log.addEvent("admin.denied", {
    reason,
    endpoint: routeOf(c) ?? "none",
    ...(role && { role }),
  });
}

/** The value of WWW-Authenticate without an error. */
export const challenge = 'Bearer realm="baton/admin"';

const root: Administrator = { actor: "root", role: "admin" };
const wrong: NotAdministrator = { refused: "admin_token_wrong" };

/** Returns the bearer token of a request (RFC 6750 section 2.1). Undefined: it has none. */
export function bearerToken(c: Context<AppEnv>): string | undefined {
  return c.req.header("Authorization")?.match(/^bearer +(.+)$/i)?.[1];
}

function limitGuesses(
  c: Context<AppEnv>,
  guesses: GuessLimit,
  attempt: () => Promise<Administrator | NotAdministrator>,
) {
  const network = networkOf(c) || UNKNOWN_NETWORK;
  const kind = "admin_token" as const;
  return guesses.limit({ kind, network }, attempt, (found) => found === wrong);
}

async function byToken(
  { settings, administration }: Pick<Server, "settings" | "administration">,
  token: string,
): Promise<Administrator | NotAdministrator> {
  const { admin_token } = settings;
  if (admin_token !== undefined && (await isSameToken(token, admin_token)))
    return root;
  if (!token.startsWith(ADMIN_TOKEN_PREFIX)) return wrong;
  const { findAdminToken } = await import("../oauth/admin-tokens.ts");
  const { tokens } = await administration();
  const found = await findAdminToken(tokens, token, now());
  if (!found) return wrong;
  const actor = `token:${found.name}`;
  return found.isExpired
    ? { refused: "admin_token_expired", actor }
    : { actor, role: found.role };
}

async function byAccess(
  c: Context<AppEnv>,
  { settings, administration }: Pick<Server, "settings" | "administration">,
  jwt: string,
): Promise<Administrator | NotAdministrator> {
  const { access } = await administration();
  const name = await access.verify(jwt, now());
  if (name === undefined) return wrong;
  const actor = `access:${name}`;
  c.var.log.fields.actor = actor;
  refuseCrossSite(c);
  const roles = settings.access?.roles;
  return { actor, role: roles?.get(lowerCaseAscii(name)) ?? roles?.get("*") };
}

/**
 * Refuses a change that another site's page has a browser send (CSRF): Access lets it through, because the browser
 * has the person's cookie. A program sends neither header.
 *
 * @throws OAuthError `admin_request_cross_site`
 */
function refuseCrossSite(c: Context<AppEnv>): void {
  if (c.req.method === "GET" || c.req.method === "HEAD") return;
  const site = c.req.header("Sec-Fetch-Site") ?? "none";
  const origin = c.req.header("Origin");
  const isOwn =
    ["none", "same-origin"].includes(site) &&
    (origin === undefined || origin === new URL(c.req.url).origin);
  if (isOwn) return;
  const reason = "admin_request_cross_site";
  reportDenied(c, reason);
  throw new OAuthError(reason);
}

/** Compares in constant time. Digests are compared, because they have the same length for every token. */
async function isSameToken(
  presented: string,
  expected: string,
): Promise<boolean> {
  const digest = (text: string) =>
    crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return crypto.subtle.timingSafeEqual(
    await digest(presented),
    await digest(expected),
  );
}
