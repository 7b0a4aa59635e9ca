import * as v from "valibot";
import { duration, timestamp } from "../../oauth/client-metadata.ts";
import { after } from "../../oauth/duration.ts";
import { strictObject } from "../../oauth/schema.ts";
import { LONGEST_LIFE } from "../../oauth/takeover.ts";
import { now } from "../endpoint.ts";
import { type AdminApi, count, json, named } from "./api.ts";

/**
 * The number of tokens that fit into a body of 16 KiB, if their ids have 80 characters, as league makes them.
 */
const MAX_TOKENS = 100;

const tokenId = v.pipe(
  v.string(),
  v.regex(
    /^[\x21-\x7e]{1,255}$/,
    "must be 1 to 255 printable ASCII characters without spaces",
  ),
);

const revokedTokens = named(
  "RevokedLeagueTokens",
  strictObject({
    tokens: v.pipe(
      v.array(
        strictObject({
          refresh_token_id: tokenId,
          expires_at: v.optional(timestamp),
        }),
      ),
      v.minLength(1),
      v.maxLength(MAX_TOKENS),
    ),
    refresh_token_ttl: v.optional(
      v.pipe(
        duration,
        v.metadata({
          description: `The longest life that the old server gave a refresh token, as an ISO 8601 duration. A token without expires_at stays revoked that long. Left out: ${LONGEST_LIFE}.`,
          example: LONGEST_LIFE,
        }),
      ),
    ),
  }),
);

const tokenIds = named(
  "LeagueTokenIds",
  strictObject({
    refresh_token_ids: v.pipe(
      v.array(tokenId),
      v.minLength(1),
      v.maxLength(MAX_TOKENS),
    ),
  }),
);

/** `/admin/league`: the refresh tokens of the old server that this server takes over from. */
export function leagueRoutes(api: AdminApi): void {
  api.add(
    {
      method: "get",
      path: "/league",
      summary: "Count the old server's tokens that were exchanged or revoked",
      responses: {
        200: json(
          v.object({
            accepts_tokens: v.pipe(
              v.boolean(),
              v.description(
                "True if LEAGUE_ENCRYPTION_KEY is set, so that the old server's tokens are accepted.",
              ),
            ),
            exchanged: count(
              "Tokens of the old server that were exchanged here.",
            ),
            revoked: count("Tokens of the old server that are revoked here."),
          }),
          "The counts of the old server's tokens that have not expired.",
        ),
      },
    },
    async (c) => {
      const { takeover } = await c.var.server();
      const counts = await takeover.count();
      return c.json({ accepts_tokens: takeover.acceptsTokens, ...counts }, 200);
    },
  );

  api.add(
    {
      method: "post",
      path: "/league/revoked-tokens",
      summary:
        "Revoke refresh tokens of the old server and end their grants; may be repeated",
      request: {
        body: { required: true, ...json(revokedTokens, "The tokens.") },
      },
      responses: {
        200: json(
          v.object({
            in_force: count("Tokens of the request that are revoked now."),
            expired: count(
              "Tokens of the request that have expired, and so need no revocation.",
            ),
            ended: count("Grants of these tokens that were ended now."),
          }),
          "None of these tokens is valid any more, and every grant that one of them started has ended.",
        ),
      },
    },
    async (c) => {
      const { tokens, refresh_token_ttl = LONGEST_LIFE } = c.req.valid("json");
      const { takeover } = await c.var.server();
      const time = now();
      const latest = after(refresh_token_ttl, time);
      const entries = tokens.map(
        ({ refresh_token_id, expires_at = latest }) => ({
          refresh_token_id,
          expires_at,
        }),
      );
      // Expired tokens too, because the families that they started may not have ended.
      const ended = await takeover.revoke(entries);
      const expired = entries.filter(({ expires_at }) => expires_at <= time);
      const in_force = entries.length - expired.length;
      c.var.log.addEvent("league_tokens.revoked", { in_force, ended });
      return c.json({ in_force, expired: expired.length, ended }, 200);
    },
  );

  api.add(
    {
      method: "post",
      path: "/league/tokens",
      summary:
        "Count how many of some old refresh tokens were exchanged or revoked",
      request: {
        body: { required: true, ...json(tokenIds, "The ids of the tokens.") },
      },
      responses: {
        200: json(
          v.object({
            exchanged: count("Tokens of the request that were exchanged here."),
            revoked: count("Tokens of the request that are revoked here."),
            unknown: count("Tokens of the request that are neither."),
          }),
          "The counts.",
        ),
      },
    },
    async (c) => {
      const { refresh_token_ids: ids } = c.req.valid("json");
      const { takeover } = await c.var.server();
      const { exchanged, revoked } = await takeover.countOf(ids);
      const unknown = ids.length - exchanged - revoked;
      return c.json({ exchanged, revoked, unknown }, 200);
    },
  );
}
