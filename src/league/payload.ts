import { z } from "zod";
import type { Seconds } from "../oauth/duration.ts";
import { FAMILY_SECRET_BYTES } from "../oauth/tokens/refresh-token.ts";
import { scopeToken } from "../oauth/scope.ts";
import { subject } from "../oauth/subject.ts";

/** What a league token says. */
export interface LeagueToken {
  refresh_token_id: string;
  client_id: string;
  /** The user, or the client where there was none. */
  subject: string;
  scope: string[];
  expires_at: Seconds;
  /** A function of the token, so that a retry leads to the same successor. */
  family_secret: Uint8Array;
}

/** Ids may be integers in the old server's tables, and then are in its tokens. */
const id = z.union([z.string(), z.int().transform(String)]);

/**
 * What RFC 6749 section 3.3 has no word for is a scope that does not exist any more. A token for nothing
 * else is none: it would become one for no scope at all.
 */
function onlyScopes(names: string[], context: z.RefinementCtx): string[] {
  const scopes = names.filter((name) => scopeToken.test(name));
  if (scopes.length === 0 && names.length > 0)
    context.addIssue({ code: "custom", message: "are no scopes" });
  return scopes;
}

/** What league writes into a refresh token. An authorization code has no `refresh_token_id`. */
const payload = z
  .object({
    client_id: id,
    // Also the name of an object.
    refresh_token_id: id.pipe(z.string().regex(/^[\x21-\x7e]{1,255}$/)),
    scopes: z.array(z.string()).transform(onlyScopes),
    user_id: id.nullish(),
    /** Seconds since 1970. */
    expire_time: z.int().min(0),
  })
  .transform(
    ({ client_id, refresh_token_id, user_id, scopes, expire_time }) => ({
      client_id,
      refresh_token_id,
      // As the old server's access tokens have it: without a user the client is the subject.
      subject: user_id || client_id,
      scope: [...new Set(scopes)],
      expires_at: expire_time,
    }),
  )
  .refine((token) => subject.safeParse(token.subject).success);

/**
 * What the text inside a league token says; undefined if it is no refresh token's.
 *
 * @param digest of the whole token, 32 bytes: known to nobody who does not have the token
 */
export function readRefreshToken(
  text: Uint8Array,
  digest: Uint8Array,
): LeagueToken | undefined {
  const parsed = payload.safeParse(parseJson(text));
  if (!parsed.success) return undefined;
  const family_secret = digest.slice(0, FAMILY_SECRET_BYTES);
  return { ...parsed.data, family_secret };
}

function parseJson(text: Uint8Array): unknown {
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    return JSON.parse(decoder.decode(text));
  } catch {
    // Not JSON: no refresh token's.
    return undefined;
  }
}
