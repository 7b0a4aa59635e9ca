import { z } from "zod";
import type { Seconds } from "../oauth/duration.ts";
import { FAMILY_SECRET_BYTES } from "../oauth/tokens/refresh-token.ts";
import { scopeToken } from "../oauth/scope.ts";
import { subject } from "../oauth/subject.ts";

/** The content of a league token. */
export interface LeagueToken {
  refresh_token_id: string;
  client_id: string;
  /** The user; the client id if the token has no user. */
  subject: string;
  /** Only if the token has no user. */
  sub_type?: "client";
  scope: string[];
  expires_at: Seconds;
  /** A function of the token, so that a retry gets the same successor. */
  family_secret: Uint8Array;
}

/** An id in a token is an integer if it is one in the old server's tables. */
const id = z.union([z.string(), z.int().transform(String)]);

/**
 * Leaves out names that are not a scope-token (RFC 6749 section 3.3), because no scope here can have such a
 * name. A token that has only such names is not valid, because its login would have no scope at all.
 */
function keepScopeTokens(names: string[], context: z.RefinementCtx): string[] {
  const scopes = names.filter((name) => scopeToken.test(name));
  if (scopes.length === 0 && names.length > 0)
    context.addIssue({ code: "custom", message: "has no scope" });
  return scopes;
}

/** The JSON in a league refresh token. An authorization code of league has no `refresh_token_id`. */
const payload = z
  .object({
    client_id: id,
    // It becomes the name of a Durable Object, so it is bounded.
    refresh_token_id: id.pipe(z.string().regex(/^[\x21-\x7e]{1,255}$/)),
    scopes: z.array(z.string()).transform(keepScopeTokens),
    user_id: id.nullish(),
    /** Seconds since 1970. */
    expire_time: z.int().min(0),
  })
  .transform(
    ({ client_id, refresh_token_id, user_id, scopes, expire_time }) => ({
      client_id,
      refresh_token_id,
      // As in the old server's access tokens: without a user the client is the subject.
      subject: user_id || client_id,
      ...(!user_id && { sub_type: "client" as const }),
      scope: [...new Set(scopes)],
      expires_at: expire_time,
    }),
  )
  .refine((token) => subject.safeParse(token.subject).success);

/**
 * Reads the decrypted text of a league token.
 *
 * @param digest of the whole token, 32 bytes: it becomes the family secret, because only a holder of the
 *   token knows it
 * @returns undefined if it is not the text of a refresh token
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
    // A text that is not JSON is not a refresh token's.
    return undefined;
  }
}
