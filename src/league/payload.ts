import * as v from "valibot";
import type { Seconds } from "../oauth/duration.ts";
import { FAMILY_SECRET_BYTES } from "../oauth/refresh-token-layout.ts";
import { parse } from "../oauth/schema.ts";
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
const id = v.union([
  v.string(),
  v.pipe(v.number(), v.safeInteger(), v.transform(String)),
]);

/**
 * Names that are not a scope-token (RFC 6749 section 3.3) are left out, because no scope here can have such a
 * name. A token that has only such names is not valid, because its login would have no scope at all.
 */
function isScopeToken(name: string): boolean {
  return scopeToken.test(name);
}

/** The JSON in a league refresh token. An authorization code of league has no `refresh_token_id`. */
const payload = v.pipe(
  v.object({
    client_id: id,
    // It becomes the name of a Durable Object, so it is bounded.
    refresh_token_id: v.pipe(id, v.regex(/^[\x21-\x7e]{1,255}$/)),
    scopes: v.pipe(
      v.array(v.string()),
      v.check((names) => names.length === 0 || names.some(isScopeToken)),
      v.transform((names) => names.filter(isScopeToken)),
    ),
    user_id: v.nullish(id),
    /** Seconds since 1970. */
    expire_time: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  }),
  v.transform(
    ({ client_id, refresh_token_id, user_id, scopes, expire_time }) => ({
      client_id,
      refresh_token_id,
      // As in the old server's access tokens: without a user the client is the subject.
      subject: user_id || client_id,
      ...(!user_id && { sub_type: "client" as const }),
      scope: [...new Set(scopes)],
      expires_at: expire_time,
    }),
  ),
  v.check((token) => !parse(subject, token.subject).issues),
);

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
  const { data, issues } = parse(payload, parseJson(text));
  if (issues) return undefined;
  const family_secret = digest.slice(0, FAMILY_SECRET_BYTES);
  return { ...data, family_secret };
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
