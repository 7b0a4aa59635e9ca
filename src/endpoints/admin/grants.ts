import { z } from "@hono/zod-openapi";
import { clientId, resourceUri } from "../../oauth/client-metadata.ts";
import { fieldError } from "../../oauth/client-registration.ts";
import { OAuthError } from "../../oauth/errors.ts";
import { finalizeResources } from "../../oauth/resource.ts";
import { finalizeScopes, requestedScope, scopeSet } from "../../oauth/scope.ts";
import { startFamily } from "../../oauth/start-family.ts";
import { now } from "../endpoint.ts";
import { type AdminApi, adminRoute, json } from "./api.ts";

/** Enough for any identifier that is one (RFC 9068 section 2.2 sets no bound). */
const MOST_SUBJECT_BYTES = 255;

const subject = z
  .string()
  .min(1)
  .refine(
    (text) => new TextEncoder().encode(text).length <= MOST_SUBJECT_BYTES,
    {
      error: `has to be at most ${MOST_SUBJECT_BYTES} bytes`,
    },
  )
  // A lone surrogate has no UTF-8: two different subjects would become one.
  .refine((text) => text.isWellFormed() && !/\p{Cc}/u.test(text), {
    error: "has to be text without control characters",
  })
  .meta({
    description: "The user: `sub` of the access tokens.",
    example: "alice",
  });

const newGrant = z
  .strictObject({
    client_id: clientId,
    subject,
    scope: z.string().max(8192).optional().meta({
      description: "The scopes to grant. Left out: all of the client.",
      example: "read",
    }),
    resource: z.union([resourceUri, z.array(resourceUri).max(100)]).optional(),
  })
  .openapi("NewGrant");

const tokens = z
  .object({
    token_type: z.literal("Bearer"),
    expires_in: z.int().meta({ description: "Seconds." }),
    access_token: z.string(),
    refresh_token: z.string(),
    scope: z.string().optional(),
  })
  .openapi("TokenResponse");

/** `/admin/grants`: how a back end that has authenticated its user starts a family of tokens. */
export function grantRoutes(api: AdminApi): void {
  api.openapi(
    adminRoute({
      method: "post",
      path: "/grants",
      summary: "Start a family of refresh tokens for a user",
      request: {
        body: { required: true, ...json(newGrant, "Whose, for which client.") },
      },
      responses: {
        200: json(
          tokens,
          "The first pair of tokens, as the token endpoint answers.",
        ),
      },
    }),
    async (c) => {
      const server = await c.var.connect();
      const { client_id, subject, scope, resource = [] } = c.req.valid("json");
      const client = await server.clients.read(client_id);
      if (!client || !("secrets" in client))
        throw fieldError("client_id", "there is no such client");
      c.var.log.fields.client_id = client_id;
      if (!client.grant_types.includes("refresh_token")) {
        throw new OAuthError("grant_type_not_allowed", {
          subject: "refresh_token",
        });
      }

      const catalogue = await server.scopes.read();
      const clientScopes = scopeSet(client.scope);
      const allowed = clientScopes.filter((name) =>
        Object.hasOwn(catalogue, name),
      );
      const scopes = finalizeScopes(
        requestedScope(scope || undefined),
        clientScopes,
        allowed,
      );
      if ("refused" in scopes) throw new OAuthError(scopes.refused);
      const resources = finalizeResources(
        [resource].flat(),
        [],
        client.resources,
      );
      if ("refused" in resources) throw new OAuthError(resources.refused);

      const authorization = { client, subject, ...scopes, ...resources };
      return c.json(await startFamily(server, authorization, now()), 200);
    },
  );
}
