import { z } from "@hono/zod-openapi";
import { duration, timestamp } from "../../oauth/client-metadata.ts";
import { after } from "../../oauth/duration.ts";
import { LONGEST_LIFE } from "../../oauth/takeover.ts";
import { now } from "../endpoint.ts";
import { type AdminApi, adminRoute, json } from "./api.ts";

/** As many as fit into a body. */
const MAX_TOKENS = 100;

const tokenId = z
  .string()
  .regex(
    /^[\x21-\x7e]{1,255}$/,
    "has to be 1 to 255 printable ASCII characters without spaces",
  );

const revokedTokens = z
  .strictObject({
    tokens: z
      .array(
        z.strictObject({
          refresh_token_id: tokenId,
          expires_at: timestamp.optional(),
        }),
      )
      .min(1)
      .max(MAX_TOKENS),
    refresh_token_ttl: duration.optional().meta({
      description: `The longest life that the old server gave a refresh token: for how long those without expires_at are kept. Left out: ${LONGEST_LIFE}.`,
      example: LONGEST_LIFE,
    }),
  })
  .openapi("RevokedLeagueTokens");

const tokenIds = z
  .strictObject({
    refresh_token_ids: z.array(tokenId).min(1).max(MAX_TOKENS),
  })
  .openapi("LeagueTokenIds");

const count = (description: string) => z.int().meta({ description });

/** `/admin/league`: the refresh tokens of the league server that this one takes over from. */
export function leagueRoutes(api: AdminApi): void {
  api.openapi(
    adminRoute({
      method: "get",
      path: "/league",
      summary: "How far the move from a league server has come",
      responses: {
        200: json(
          z.object({
            accepts_tokens: z.boolean().meta({
              description: "Whether LEAGUE_ENCRYPTION_KEY is set.",
            }),
            exchanged: count("Tokens of the old server exchanged here."),
            revoked: count("Tokens of the old server that are refused here."),
          }),
          "Of the old server's tokens that have not expired.",
        ),
      },
    }),
    async (c) => {
      const { takeover } = await c.var.server();
      const counts = await takeover.count();
      return c.json({ accepts_tokens: takeover.acceptsTokens, ...counts }, 200);
    },
  );

  api.openapi(
    adminRoute({
      method: "post",
      path: "/league/revoked-tokens",
      summary: "Revoke refresh tokens of the old server; may be repeated",
      request: {
        body: { required: true, ...json(revokedTokens, "The tokens.") },
      },
      responses: {
        200: json(
          z.object({
            in_force: count("How many of these are refused from here on."),
            expired: count("How many need no entry: they have expired."),
            ended: count("How many logins these had become here, ended now."),
          }),
          "None of the tokens is good, nor any login that one has become.",
        ),
      },
    }),
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
      // Also those that have expired: what they have become may live on.
      const ended = await takeover.revoke(entries);
      const expired = entries.filter(({ expires_at }) => expires_at <= time);
      const in_force = entries.length - expired.length;
      return c.json({ in_force, expired: expired.length, ended }, 200);
    },
  );

  api.openapi(
    adminRoute({
      method: "post",
      path: "/league/tokens",
      summary: "Count what is known of some refresh tokens of the old server",
      request: { body: { required: true, ...json(tokenIds, "Which.") } },
      responses: {
        200: json(
          z.object({
            exchanged: count("How many of these were exchanged here."),
            revoked: count("How many of these are refused here."),
            unknown: count("How many of these are neither."),
          }),
          "How many there are of each.",
        ),
      },
    }),
    async (c) => {
      const { refresh_token_ids: ids } = c.req.valid("json");
      const { takeover } = await c.var.server();
      const { exchanged, revoked } = await takeover.countOf(ids);
      const unknown = ids.length - exchanged - revoked;
      return c.json({ exchanged, revoked, unknown }, 200);
    },
  );
}
