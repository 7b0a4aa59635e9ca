import { z } from "@hono/zod-openapi";
import { clientId, scopeName, timestamp } from "../../oauth/client-metadata.ts";
import {
  decideAuthorization,
  decision,
} from "../../oauth/authorization/decide.ts";
import { describeAuthorization } from "../../oauth/authorization/describe.ts";
import { encryptedRequest } from "../../oauth/authorization/interaction.ts";
import { now } from "../endpoint.ts";
import { type AdminApi, adminRoute, json } from "./api.ts";

/** What the client has said to the login (OpenID Connect Core section 3.1.2.1). */
function passedOn(what: string) {
  const description = `As the client has sent it: ${what}.`;
  return z.string().optional().meta({ description });
}

const description = z
  .object({
    client_id: clientId,
    client_name: z.string().optional(),
    redirect_uri: z
      .string()
      .meta({ description: "Where the browser goes afterwards." }),
    scopes: z
      .array(z.object({ scope: scopeName, description: z.string() }))
      .meta({
        description: "What is asked for, in the words of the catalogue.",
      }),
    resource: z.array(z.string()).meta({
      description: "The resource servers that the tokens are to be for.",
    }),
    prompt: passedOn("none, login, consent or select_account"),
    login_hint: passedOn("who it may be"),
    ui_locales: passedOn("which languages the person prefers"),
    expires_at: timestamp.meta({
      description:
        "When the request can no longer be decided, in seconds since 1970.",
    }),
  })
  .openapi("AuthorizationDescription");

/** `/admin/authorizations`: what the login asks and says, between LOGIN_URL and the way back. */
export function authorizationRoutes(api: AdminApi): void {
  api.openapi(
    adminRoute({
      method: "get",
      path: "/authorizations",
      summary: "What a client asks a person for, to be shown by the login",
      request: { query: z.strictObject({ request: encryptedRequest }) },
      responses: { 200: json(description, "What is asked for.") },
    }),
    async (c) => {
      const server = await c.var.server();
      const { request } = c.req.valid("query");
      const { log } = c.var;
      const asked = await describeAuthorization(server, request, now(), log);
      return c.json(asked, 200);
    },
  );

  api.openapi(
    adminRoute({
      method: "post",
      path: "/authorizations",
      summary: "Say who has signed in and what they allow, or that they do not",
      request: {
        body: {
          required: true,
          ...json(decision, "Who, and what."),
        },
      },
      responses: {
        200: json(
          z.object({
            redirect_to: z
              .string()
              .meta({ description: "Where to send the browser now." }),
          }),
          "The way back to the client.",
        ),
      },
    }),
    async (c) => {
      const server = await c.var.server();
      const decided = c.req.valid("json");
      return c.json(
        await decideAuthorization(server, decided, Date.now(), c.var.log),
        200,
      );
    },
  );
}
