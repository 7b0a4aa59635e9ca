import type { Context } from "hono";
import * as v from "valibot";
import { deleteClient, restoreClient } from "../../oauth/clients/deletion.ts";
import { givesPower } from "../../oauth/clients/power.ts";
import {
  existingClient,
  type Precondition,
  registerClient,
  updateClient,
} from "../../oauth/clients/registration.ts";
import { rehearsal } from "../../oauth/clients/rehearsal.ts";
import { rotateClientSecret } from "../../oauth/clients/secret-rotation.ts";
import type { Client } from "../../oauth/entities.ts";
import { scopeSet } from "../../oauth/scope.ts";
import { refuseChangeOfDocumentPart } from "../../oauth/self-registration/document-rule.ts";
import type { Server } from "../../oauth/server.ts";
import { maxCharacters, strictObject } from "../../oauth/schema.ts";
import { requireRole } from "../administrator.ts";
import { type AppEnv, now } from "../endpoint.ts";
import {
  type AdminApi,
  conflict,
  errorBody,
  json,
  nextCursor,
  pageQuery,
  preconditionFailed,
  rehearsalQueryWithScopes,
} from "./api.ts";
import {
  changedClient,
  client,
  clientParameter,
  clientPatch,
  clientWithSecret,
  createdClient,
  listedClient,
  newClient,
  secretRotation,
  clientJson,
  clientVersion,
  clientWithSecretJson,
  warningsJson,
} from "./client-schemas.ts";
import { etagOf, precondition } from "./precondition.ts";

const listQuery = v.object({
  deleted: v.optional(
    v.pipe(
      v.picklist(["true", "false"]),
      v.description("true: the deleted clients that can be restored."),
    ),
  ),
  prefix: v.optional(
    v.pipe(
      v.string(),
      maxCharacters(255),
      v.description("Only clients whose client_id begins with this text."),
    ),
  ),
});

/** `/admin/clients`: the clients and their secrets. */
export function clientRoutes(api: AdminApi): void {
  api.add(
    {
      method: "post",
      path: "/clients",
      role: "admin",
      summary: "Create a client",
      request: {
        query: rehearsalQueryWithScopes,
        body: { required: true, ...json(newClient, "The client.") },
      },
      tagged: true,
      responses: {
        200: json(
          changedClient,
          "With dry_run: the client as it would be. It was not created.",
        ),
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
      const { dry_run, assume_scopes = "" } = c.req.valid("query");
      if (dry_run === "true") {
        const registry = rehearsal(server, scopeSet(assume_scopes));
        const rehearsed = await registerClient(registry, body, now());
        return c.json(changedJson(rehearsed), 200);
      }
      const made = await registerClient(server, body, now());
      await tag(c, made.client);
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
        query: strictObject({ ...pageQuery.entries, ...listQuery.entries }),
      },
      responses: {
        200: json(
          v.object({
            clients: v.array(listedClient),
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
      const { deleted, ...query } = c.req.valid("query");
      const { clients: repository } = await c.var.server();
      const { clients, malformed, ...next } =
        deleted === "true"
          ? await repository.listDeleted(query, now())
          : await repository.list(query);
      return c.json(
        {
          clients: clients.map((listed) => clientJson(listed)),
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
      tagged: true,
      responses: { 200: json(client, "The client.") },
    },
    async (c) => {
      const server = await c.var.server();
      const { client_id } = c.req.valid("param");
      const found = existingClient(await server.clients.read(client_id));
      await tag(c, found);
      return c.json(clientJson(found), 200);
    },
  );

  api.add(
    {
      method: "patch",
      path: "/clients/{client_id}",
      summary:
        "Change a client; null removes a field (RFC 7396). The name, grant types, redirect URIs, token_endpoint_auth_method, keys and dpop_bound_access_tokens of a client with a metadata document are those of the document, and cannot be changed",
      request: {
        params: clientParameter,
        query: rehearsalQueryWithScopes,
        body: { required: true, ...json(clientPatch, "The fields to change.") },
      },
      tagged: true,
      conditional: true,
      responses: {
        200: json(
          changedClient,
          "The changed client. With dry_run: as it would be.",
        ),
        403: json(
          errorBody,
          "The administrator has neither of these roles. `operator` is enough for a new name, fewer grant types, scopes, redirect URIs, resources and keys (`jwks`), shorter lifetimes, `require_pkce` true, `dpop_bound_access_tokens` and `single_use_client_assertions` true, `refresh_without_offline_access` false, `disabled` true and `tokens_not_before`. Every other change may give the client power, and needs `admin`.",
        ),
        ...preconditionFailed,
      },
    },
    async (c) => {
      const server = await c.var.server();
      const { client_id } = c.req.valid("param");
      const patch = c.req.valid("json");
      const { dry_run, assume_scopes = "" } = c.req.valid("query");
      const isRehearsal = dry_run === "true";
      const check = await ifMatch(c, server, client_id);
      const changed = await updateClient(
        isRehearsal ? rehearsal(server, scopeSet(assume_scopes)) : server,
        client_id,
        patch,
        now(),
        {
          precondition(current) {
            check(current);
            refuseChangeOfDocumentPart(current, patch);
          },
          authorize(before, after) {
            if (givesPower(before, after, server.settings))
              requireRole(c, "admin");
          },
        },
      );
      if (!isRehearsal) await tag(c, changed.client);
      return c.json(changedJson(changed), 200);
    },
  );

  api.add(
    {
      method: "delete",
      path: "/clients/{client_id}",
      role: "admin",
      summary: "Delete a client; its grants end unless it is restored",
      request: { params: clientParameter },
      conditional: true,
      responses: {
        204: {
          description:
            "The client is deleted. For 30 days it can be restored, with its secrets and grants.",
        },
        ...preconditionFailed,
      },
    },
    async (c) => {
      const server = await c.var.server();
      const { client_id } = c.req.valid("param");
      const check = await ifMatch(c, server, client_id);
      await deleteClient(server, client_id, now(), check);
      return c.body(null, 204);
    },
  );

  api.add(
    {
      method: "post",
      path: "/clients/{client_id}/restore",
      role: "admin",
      summary: "Restore a deleted client, with its secrets and grants",
      request: { params: clientParameter },
      tagged: true,
      responses: {
        200: json(client, "The client, as it was when it was deleted."),
        ...conflict(
          "The client is not deleted, was deleted more than 30 days ago, or its record was not kept.",
        ),
      },
    },
    async (c) => {
      const server = await c.var.server();
      const { client_id } = c.req.valid("param");
      const restored = await restoreClient(server, client_id, now());
      await tag(c, restored);
      return c.json(clientJson(restored), 200);
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
      tagged: true,
      conditional: true,
      responses: {
        201: json(
          clientWithSecret,
          "The client, with its new secret if the server has made it.",
        ),
        ...conflict(
          "The client is public, authenticates with a key, or has too many valid secrets.",
        ),
        ...preconditionFailed,
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
      const rotated = await rotateClientSecret(
        server,
        client_id,
        { oldSecretTtl, given, allowWeak },
        now(),
        await ifMatch(c, server, client_id),
      );
      await tag(c, rotated.client);
      return c.json(clientWithSecretJson(rotated), 201);
    },
  );
}

function changedJson(changed: { client: Client; warnings: string[] }) {
  return { ...clientJson(changed.client), ...warningsJson(changed.warnings) };
}

/** Sets the ETag of a response that shows a client. */
async function tag(c: Context<AppEnv>, shown: Client): Promise<void> {
  c.header("ETag", await etagOf(clientVersion(shown)));
}

/** Reads If-Match of a change of a client. There is none of a deleted client. */
function ifMatch(
  c: Context<AppEnv>,
  { clients }: Server,
  clientId: string,
): Promise<Precondition> {
  const read = async () => {
    const record = await clients.read(clientId);
    return record && "secrets" in record ? record : undefined;
  };
  return precondition(c, "The client", read, clientVersion);
}
