import { z } from "@hono/zod-openapi";
import {
  deleteClient,
  existingClient,
  registerClient,
  updateClient,
} from "../../oauth/clients/registration.ts";
import { rotateClientSecret } from "../../oauth/clients/secret-rotation.ts";
import { now } from "../endpoint.ts";
import { type AdminApi, adminRoute, conflict, json, pageQuery } from "./api.ts";
import {
  client,
  clientParameter,
  clientPatch,
  clientWithSecret,
  newClient,
  secretRotation,
  shown,
  shownWithSecret,
} from "./client-schemas.ts";

/** `/admin/clients`: who may ask for tokens. */
export function clientRoutes(api: AdminApi): void {
  api.openapi(
    adminRoute({
      method: "post",
      path: "/clients",
      summary: "Make a client",
      request: { body: { required: true, ...json(newClient, "The client.") } },
      responses: {
        201: json(
          clientWithSecret,
          "The client, and its secret this one time if it was made here.",
        ),
        ...conflict(
          "The client id is taken, also by a client that was deleted.",
        ),
      },
    }),
    async (c) => {
      const server = await c.var.server();
      return c.json(
        shownWithSecret(
          await registerClient(server, c.req.valid("json"), now()),
        ),
        201,
      );
    },
  );

  api.openapi(
    adminRoute({
      method: "get",
      path: "/clients",
      summary: "List the clients, a page at a time",
      request: {
        query: pageQuery,
      },
      responses: {
        200: json(
          z.object({
            clients: z.array(client),
            malformed: z
              .array(z.object({ name: z.string(), problem: z.string() }))
              .optional()
              .meta({
                description:
                  "Records that cannot be read; they can be deleted.",
              }),
            cursor: z
              .string()
              .optional()
              .meta({ description: "There is more: send it back." }),
          }),
          "A page of clients.",
        ),
      },
    }),
    async (c) => {
      const { limit, cursor } = c.req.valid("query");
      const server = await c.var.server();
      const { clients, malformed, ...next } = await server.clients.list(
        limit,
        cursor,
      );
      return c.json(
        {
          clients: clients.map(shown),
          ...(malformed.length > 0 && { malformed }),
          ...next,
        },
        200,
      );
    },
  );

  api.openapi(
    adminRoute({
      method: "get",
      path: "/clients/{client_id}",
      summary: "Show a client",
      request: { params: clientParameter },
      responses: { 200: json(client, "The client.") },
    }),
    async (c) => {
      const server = await c.var.server();
      return c.json(
        shown(
          existingClient(
            await server.clients.read(c.req.valid("param").client_id),
          ),
        ),
        200,
      );
    },
  );

  api.openapi(
    adminRoute({
      method: "patch",
      path: "/clients/{client_id}",
      summary: "Change a client; null takes a field away (RFC 7396)",
      request: {
        params: clientParameter,
        body: { required: true, ...json(clientPatch, "The fields to change.") },
      },
      responses: { 200: json(client, "The client as it is now.") },
    }),
    async (c) => {
      const server = await c.var.server();
      const { client_id } = c.req.valid("param");
      return c.json(
        shown(await updateClient(server, client_id, c.req.valid("json"))),
        200,
      );
    },
  );

  api.openapi(
    adminRoute({
      method: "delete",
      path: "/clients/{client_id}",
      summary: "Delete a client; its refresh tokens end with it",
      request: { params: clientParameter },
      responses: { 204: { description: "It is gone." } },
    }),
    async (c) => {
      const server = await c.var.server();
      await deleteClient(server, c.req.valid("param").client_id, now());
      return c.body(null, 204);
    },
  );

  api.openapi(
    adminRoute({
      method: "post",
      path: "/clients/{client_id}/secrets",
      summary: "Give a client a new secret",
      request: {
        params: clientParameter,
        body: json(
          secretRotation,
          "The new secret, and how to go on with the old ones.",
        ),
      },
      responses: {
        201: json(
          clientWithSecret,
          "The client, and its new secret this one time if it was made here.",
        ),
        ...conflict("The client is public, or has too many secrets in force."),
      },
    }),
    async (c) => {
      const server = await c.var.server();
      const { old_secret_ttl = "PT24H", client_secret } = c.req.valid("json");
      const { client_id } = c.req.valid("param");
      return c.json(
        shownWithSecret(
          await rotateClientSecret(
            server,
            client_id,
            { oldSecretTtl: old_secret_ttl, given: client_secret },
            now(),
          ),
        ),
        201,
      );
    },
  );
}
