import * as base64url from "jose/base64url";
import { equalBytes } from "./constant-time.ts";
import type { Seconds } from "./duration.ts";
import { fieldError, OAuthError, type Problem } from "./errors.ts";
import { ADMIN_TOKEN_PREFIX as PREFIX } from "./admin-token-form.ts";
import type { Role } from "./roles.ts";

/** The most named admin tokens. They are one record, which is read with every request of such a token. */
const MAX_TOKENS = 50;
/** The characters of a token's id, which follow the prefix. The other 35 characters hold 210 random bits. */
const ID_LENGTH = 8;

/** The most characters that are kept of the name of an administrator, which may come from Cloudflare Access. */
const MAX_ACTOR_LENGTH = 320;

/** A token as `makeAdminToken` makes it: the prefix and 32 random bytes in base64url. */
const form = new RegExp(`^${PREFIX}[\\w-]{43}$`);

/** A named admin token. */
export interface AdminToken {
  role: Role;
  /** The first characters of the token after its prefix. They are not secret: they tell which token leaked. */
  id: string;
  /** SHA-256 of the whole token, in base64url. */
  hash: string;
  created_at: Seconds;
  /** The administrator who made it, by the name in the log. Left out: a version of Baton that did not keep it. */
  created_by?: string | undefined;
  /** From this time on, the token is refused. Left out: it does not expire. */
  expires_at?: Seconds | undefined;
}

/** The named tokens, by their names. */
export type AdminTokens = Record<string, AdminToken>;

/** Stores the named admin tokens. */
export interface AdminTokenRepository {
  /** Finds the tokens in the isolate's own copy, which is at most a minute old. */
  find(): Promise<AdminTokens>;
  /** Finds the tokens without the isolate's own copy, at most once per second. */
  findAgain(): Promise<AdminTokens>;
  /** Reads the current record without any cache. */
  read(): Promise<AdminTokens>;
  /** Changes the record in one atomic step. `change` is called again if another change was faster. */
  update(change: (current: AdminTokens) => AdminTokens): Promise<void>;
  /** Lists what is wrong with the record. */
  problems(): Promise<Problem[]>;
}

/** The fields of a token that are shown: everything but the hash. */
export type ShownAdminToken = Omit<AdminToken, "hash"> & { name: string };

/** Makes what is shown of a token. */
export function shownAdminToken(
  name: string,
  { hash: _hash, ...shown }: AdminToken,
): ShownAdminToken {
  return { name, ...shown };
}

/**
 * Makes a named token. Expired tokens are removed, so that their names and their places are free.
 *
 * @param expires_at left out: it does not expire
 * @param created_by the administrator who makes it
 * @throws OAuthError `admin_token_name_taken`, or `admin_body_invalid` if there are too many
 */
export async function makeAdminToken(
  tokens: AdminTokenRepository,
  {
    name,
    role,
    expires_at,
    created_by,
  }: {
    name: string;
    role: Role;
    expires_at?: Seconds;
    created_by: string | undefined;
  },
  now: Seconds,
): Promise<ShownAdminToken & { token: string }> {
  const random = base64url.encode(crypto.getRandomValues(new Uint8Array(32)));
  const token = PREFIX + random;
  const made: AdminToken = {
    role,
    id: random.slice(0, ID_LENGTH),
    hash: base64url.encode(await digest(token)),
    created_at: now,
    ...(created_by !== undefined && {
      created_by: created_by.slice(0, MAX_ACTOR_LENGTH),
    }),
    ...(expires_at !== undefined && { expires_at }),
  };
  await tokens.update((current) => {
    const living = Object.entries(current).filter(
      ([, other]) => !isExpired(other, now),
    );
    if (living.some(([other]) => other === name))
      throw new OAuthError("admin_token_name_taken");
    if (living.length >= MAX_TOKENS)
      throw fieldError(
        "name",
        `there are ${MAX_TOKENS} admin tokens; delete one first`,
      );
    return { ...Object.fromEntries(living), [name]: made };
  });
  return { ...shownAdminToken(name, made), token };
}

/** Deletes a token. @throws OAuthError `admin_target_unknown` */
export function deleteAdminToken(
  tokens: AdminTokenRepository,
  name: string,
): Promise<void> {
  return tokens.update((current) => {
    if (!Object.hasOwn(current, name))
      throw new OAuthError("admin_target_unknown", {
        subject: "such admin token",
      });
    const { [name]: _deleted, ...rest } = current;
    return rest;
  });
}

/** A token that somebody presented, as it is stored. */
export interface FoundAdminToken {
  name: string;
  role: Role;
  isExpired: boolean;
}

/**
 * Finds the token that somebody presents. If the isolate's own copy does not have it, the record is read again (at
 * most once per second), because the token may be new.
 */
export async function findAdminToken(
  tokens: AdminTokenRepository,
  token: string,
  now: Seconds,
): Promise<FoundAdminToken | undefined> {
  if (!form.test(token)) return undefined;
  const hash = await digest(token);
  return (
    tokenIn(await tokens.find(), token, hash, now) ??
    tokenIn(await tokens.findAgain(), token, hash, now)
  );
}

function tokenIn(
  tokens: AdminTokens,
  token: string,
  hash: Uint8Array,
  now: Seconds,
): FoundAdminToken | undefined {
  const id = token.slice(PREFIX.length, PREFIX.length + ID_LENGTH);
  for (const [name, stored] of Object.entries(tokens)) {
    if (stored.id !== id) continue;
    if (equalBytes(base64url.decode(stored.hash), hash))
      return { name, role: stored.role, isExpired: isExpired(stored, now) };
  }
  return undefined;
}

function isExpired({ expires_at }: AdminToken, now: Seconds): boolean {
  return expires_at !== undefined && now >= expires_at;
}

async function digest(token: string): Promise<Uint8Array> {
  const bytes = new TextEncoder().encode(token);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}
