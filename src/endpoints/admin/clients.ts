import { z } from "@hono/zod-openapi";
import {
  clientId,
  clientMetadata,
  duration,
  timestamp,
} from "../../oauth/client-metadata.ts";
import {
  deleteClient,
  existing,
  registerClient,
  rotateClientSecret,
  updateClient,
} from "../../oauth/client-registration.ts";
import { type Client, clientRecord } from "../../oauth/entities.ts";
import { now } from "../endpoint.ts";
import { type AdminApi, adminRoute, conflict, json } from "./api.ts";

/** As many as KV reads in one operation. */
const MOST_CLIENTS_A_PAGE = 100;

const metadata = z.strictObject(clientMetadata).partial();
const newClient = metadata
  .extend({ client_id: clientId.optional() })
  .openapi("NewClient");
const clientPatch = z
  .strictObject(
    Object.fromEntries(
      Object.entries(clientMetadata).map(([name, schema]) => [
        name,
        schema.nullable(),
      ]),
    ) as {
      [Name in keyof typeof clientMetadata]: z.ZodNullable<
        (typeof clientMetadata)[Name]
      >;
    },
  )
  .partial()
  .openapi("ClientPatch");

const { secrets: _, ...publicFields } = clientRecord.shape;
const client = z
  .object({
    ...publicFields,
    credentials: z
      .array(
        z.object({ created_at: timestamp, expires_at: timestamp.optional() }),
      )
      .meta({
        description: "When each secret in force was made, and when it ends.",
      }),
  })
  .openapi("Client");
const clientWithSecret = client
  .extend({
    client_secret: z
      .string()
      .optional()
      .meta({ description: "Told this one time." }),
    client_secret_expires_at: z
      .literal(0)
      .optional()
      .meta({ description: "RFC 7591: 0 is never." }),
  })
  .openapi("ClientWithSecret");

const clientParameter = z.object({
  client_id: z
    .string()
    .max(255)
    .openapi({ param: { name: "client_id", in: "path" } }),
});

/** A record as it is shown: never a secret or a hash. */
function shown({ secrets, ...fields }: Client) {
  return {
    ...fields,
    credentials: secrets.map(({ hash: _hash, ...times }) => times),
  };
}

function shownWithSecret({
  client,
  client_secret,
}: {
  client: Client;
  client_secret?: string;
}) {
  return {
    ...shown(client),
    ...(client_secret !== undefined && {
      client_secret,
      client_secret_expires_at: 0 as const,
    }),
  };
}

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
          "The client, and its secret this one time.",
        ),
        ...conflict(
          "The client id is taken, also by a client that was deleted.",
        ),
      },
    }),
    async (c) => {
      const server = await c.var.connect();
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
        query: z.strictObject({
          limit: z.coerce
            .number()
            .int()
            .min(1)
            .max(MOST_CLIENTS_A_PAGE)
            .default(MOST_CLIENTS_A_PAGE),
          cursor: z.string().max(1024).optional(),
        }),
      },
      responses: {
        200: json(
          z.object({
            clients: z.array(client),
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
      const page = await (await c.var.connect()).clients.list(limit, cursor);
      return c.json({ ...page, clients: page.clients.map(shown) }, 200);
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
      const server = await c.var.connect();
      return c.json(
        shown(await existing(server, c.req.valid("param").client_id)),
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
      const server = await c.var.connect();
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
      const server = await c.var.connect();
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
          z.strictObject({
            old_secret_ttl: duration.optional().meta({
              description:
                "How long the secrets so far stay in force. Left out: PT24H.",
              example: "PT24H",
            }),
          }),
          "How to go on with the old secrets.",
        ),
      },
      responses: {
        201: json(
          clientWithSecret,
          "The client, and its new secret this one time.",
        ),
        ...conflict("The client is public, or has too many secrets in force."),
      },
    }),
    async (c) => {
      const server = await c.var.connect();
      const { old_secret_ttl = "PT24H" } = c.req.valid("json");
      const { client_id } = c.req.valid("param");
      return c.json(
        shownWithSecret(
          await rotateClientSecret(server, client_id, old_secret_ttl, now()),
        ),
        201,
      );
    },
  );
}
