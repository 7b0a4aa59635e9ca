import * as v from "valibot";
import type { AdminToken, AdminTokens } from "./admin-tokens.ts";
import { timestamp } from "./client-metadata.ts";
import { roleNamed } from "./roles.ts";
import { record } from "./schema.ts";

/**
 * The roles that version 0.3.0 knows. With another one in the record it accepts no named admin token, so that a
 * rollback would lock out the sign-in page.
 */
const oldRoles: readonly string[] = ["admin", "operator", "login", "read"];

/** The name of an admin token. It is in the log, as the actor, and in a path. */
export const adminTokenName = v.pipe(
  v.string(),
  v.regex(
    /^[a-z0-9][a-z0-9._-]{0,63}$/,
    "must have at most 64 characters out of a-z, 0-9, period, underscore and hyphen, and begin with a letter or a digit",
  ),
);

const storedAdminToken = v.object({
  role: v.string(),
  /** The first characters of the token after its prefix. They are not secret: they tell which token leaked. */
  id: v.pipe(v.string(), v.regex(/^[\w-]{8}$/)),
  /** SHA-256 of the whole token, in base64url. */
  hash: v.pipe(v.string(), v.regex(/^[\w-]{43}$/)),
  created_at: timestamp,
  /** The administrator who made it, by the name in the log. Left out: a version of Baton that did not keep it. */
  created_by: v.fallback(v.optional(v.string()), undefined),
  /** From this time on, the token is refused. Left out: it does not expire. */
  expires_at: v.optional(timestamp),
  /**
   * Role and expiry of a token whose role version 0.3.0 does not know. To that version it is a token that has expired.
   */
  newer: v.optional(
    v.object({ role: v.string(), expires_at: v.optional(timestamp) }),
  ),
});

/** The record `admin_tokens` in KV: every named token, by its name. */
export const adminTokensRecord = record(adminTokenName, storedAdminToken);

export type StoredAdminTokens = v.InferOutput<typeof adminTokensRecord>;

/**
 * Reads the tokens of the record. A token with a role that this version does not know is left out, because a newer
 * version made it: it is refused, and the other tokens are accepted.
 */
export function readAdminTokens(stored: StoredAdminTokens): AdminTokens {
  const tokens: AdminTokens = {};
  for (const [name, { role, expires_at, newer, ...rest }] of Object.entries(
    stored,
  )) {
    const current = newer ?? { role, expires_at };
    const known = roleNamed(current.role);
    if (known) tokens[name] = { role: known, ...rest, ...expiry(current) };
  }
  return tokens;
}

/** Makes the record of tokens. */
export function storedAdminTokens(tokens: AdminTokens): StoredAdminTokens {
  return Object.fromEntries(
    Object.entries(tokens).map(([name, token]) => [name, storedForm(token)]),
  );
}

function storedForm(token: AdminToken): StoredAdminTokens[string] {
  if (oldRoles.includes(token.role)) return token;
  const { role, created_at } = token;
  const newer = { role, ...expiry(token) };
  return { ...token, role: "read", expires_at: created_at, newer };
}

function expiry({ expires_at }: { expires_at?: number | undefined }) {
  return expires_at === undefined ? {} : { expires_at };
}
