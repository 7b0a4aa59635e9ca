import * as v from "valibot";
import {
  deleteClient,
  existingClient,
  registerClient,
  updateClient,
} from "../../oauth/clients/registration.ts";
import { rotateClientSecret } from "../../oauth/clients/secret-rotation.ts";
import { requireRole } from "../administrator.ts";
import { now } from "../endpoint.ts";
import { type AdminApi, conflict, json, nextCursor, pageQuery } from "./api.ts";
import {
  changedClient,
  client,
  clientParameter,
  clientPatch,
  clientWithSecret,
  createdClient,
  newClient,
  secretRotation,
  clientJson,
  clientWithSecretJson,
  warningsJson,
} from "./client-schemas.ts";

/** `/admin/clients`: the clients and their secrets. */
export function clientRoutes(api: AdminApi): void {
  api.add(
    {
      method: "post",
      path: "/clients",
      role: "admin",
      summary: "Create a client",
      request: { body: { required: true, ...json(newClient, "The client.") } },
      responses: {
        201: json(
          createdClient,
          "The client, with its secret if the server has made it.",
        ),
        ...conflict(
          "The client id is taken. The id of a deleted client stays taken until its grants have ended.",
        ),
      },
    },
    async (c) => {
      const server = await c.var.server();
      const body = c.req.valid("json");
      const made = await registerClient(server, body, now());
      return c.json(
        { ...clientWithSecretJson(made), ...warningsJson(made.warnings) },
        201,
      );
    },
  );

  api.add(
    {
      method: "get",
      path: "/clients",
      summary: "List the clients, a page at a time",
      request: {
        query: pageQuery,
      },
      responses: {
        200: json(
          v.object({
            clients: v.array(client),
            malformed: v.optional(
              v.pipe(
                v.array(v.object({ name: v.string(), problem: v.string() })),
                v.description(
                  "Client records that cannot be read. They can be deleted.",
                ),
              ),
            ),
            cursor: nextCursor,
          }),
          "A page of clients.",
        ),
      },
    },
    async (c) => {
      const { limit, cursor } = c.req.valid("query");
      const server = await c.var.server();
      const { clients, malformed, ...next } = await server.clients.list(
        limit,
        cursor,
      );
      return c.json(
        {
          clients: clients.map(clientJson),
          ...(malformed.length > 0 && { malformed }),
          ...next,
        },
        200,
      );
    },
  );

  api.add(
    {
      method: "get",
      path: "/clients/{client_id}",
      summary: "Show a client",
      request: { params: clientParameter },
      responses: { 200: json(client, "The client.") },
    },
    async (c) => {
      const server = await c.var.server();
      const { client_id } = c.req.valid("param");
      const found = existingClient(await server.clients.read(client_id));
      return c.json(clientJson(found), 200);
    },
  );

  api.add(
    {
      method: "patch",
      path: "/clients/{client_id}",
      summary: "Change a client; null removes a field (RFC 7396)",
      request: {
        params: clientParameter,
        body: { required: true, ...json(clientPatch, "The fields to change.") },
      },
      responses: { 200: json(changedClient, "The changed client.") },
    },
    async (c) => {
      const server = await c.var.server();
      const { client_id } = c.req.valid("param");
      const patch = c.req.valid("json");
      // Without a secret, a client's tokens are as good as its secret was.
      if (patch.token_endpoint_auth_method !== undefined)
        requireRole(c, "admin");
      const changed = await updateClient(server, client_id, patch, now());
      return c.json(
        { ...clientJson(changed.client), ...warningsJson(changed.warnings) },
        200,
      );
    },
  );

  api.add(
    {
      method: "delete",
      path: "/clients/{client_id}",
      role: "admin",
      summary: "Delete a client and end its grants",
      request: { params: clientParameter },
      responses: { 204: { description: "The client is deleted." } },
    },
    async (c) => {
      const server = await c.var.server();
      await deleteClient(server, c.req.valid("param").client_id, now());
      return c.body(null, 204);
    },
  );

  api.add(
    {
      method: "post",
      path: "/clients/{client_id}/secrets",
      role: "admin",
      summary: "Give a client a new secret",
      request: {
        params: clientParameter,
        body: json(
          secretRotation,
          "The new secret, and how long the older ones stay valid.",
        ),
      },
      responses: {
        201: json(
          clientWithSecret,
          "The client, with its new secret if the server has made it.",
        ),
        ...conflict("The client is public, or has too many valid secrets."),
      },
    },
    async (c) => {
      const server = await c.var.server();
      const {
        old_secret_ttl: oldSecretTtl = "PT24H",
        client_secret: given,
        allow_weak_secret: allowWeak = false,
      } = c.req.valid("json");
      const { client_id } = c.req.valid("param");
      return c.json(
        clientWithSecretJson(
          await rotateClientSecret(
            server,
            client_id,
            { oldSecretTtl, given, allowWeak },
            now(),
          ),
        ),
        201,
      );
    },
  );
}
