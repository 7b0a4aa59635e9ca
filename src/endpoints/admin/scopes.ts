import { z } from "@hono/zod-openapi";
import { scopeName } from "../../oauth/client-metadata.ts";
import { fieldError, OAuthError } from "../../oauth/errors.ts";
import { type AdminApi, adminRoute, json } from "./api.ts";

/** The largest catalogue. It is one record that every refresh reads, so it must stay small. */
const MAX_SCOPES = 500;

const description = z.string().min(1).max(1000).meta({
  description: "The meaning of the scope, in words for a user.",
  example: "Read your notes",
});

const scope = z.object({ scope: scopeName, description }).openapi("Scope");
const scopeParameter = z.object({
  scope: scopeName,
});

/** `/admin/scopes`: the catalogue of scopes. */
export function scopeRoutes(api: AdminApi): void {
  api.openapi(
    adminRoute({
      method: "get",
      path: "/scopes",
      summary: "List the scopes",
      responses: {
        200: json(z.object({ scopes: z.array(scope) }), "The catalogue."),
      },
    }),
    async (c) => {
      const { scopes } = await c.var.server();
      const catalogue = Object.entries(await scopes.read());
      return c.json(
        {
          scopes: catalogue.map(([name, entry]) => ({ scope: name, ...entry })),
        },
        200,
      );
    },
  );

  api.openapi(
    adminRoute({
      method: "put",
      path: "/scopes/{scope}",
      summary: "Add or change a scope",
      request: {
        params: scopeParameter,
        body: {
          required: true,
          ...json(z.strictObject({ description }), "The scope."),
        },
      },
      responses: { 200: json(scope, "The scope as it is now.") },
    }),
    async (c) => {
      const { scopes } = await c.var.server();
      const name = c.req.valid("param").scope;
      const entry = c.req.valid("json");
      await scopes.update((before) => {
        const catalogue = { ...before, [name]: entry };
        if (Object.keys(catalogue).length > MAX_SCOPES) {
          throw fieldError(
            "scope",
            `the catalogue is full: it has ${MAX_SCOPES} scopes; remove one first`,
          );
        }
        return catalogue;
      });
      return c.json({ scope: name, ...entry }, 200);
    },
  );

  api.openapi(
    adminRoute({
      method: "delete",
      path: "/scopes/{scope}",
      summary: "Remove a scope; clients and grants that have it lose it",
      request: { params: scopeParameter },
      responses: { 204: { description: "The scope is removed." } },
    }),
    async (c) => {
      const { scopes } = await c.var.server();
      const name = c.req.valid("param").scope;
      await scopes.update((before) => {
        if (!Object.hasOwn(before, name)) {
          throw new OAuthError("admin_target_unknown", {
            subject: "such scope",
          });
        }
        const { [name]: _removed, ...rest } = before;
        return rest;
      });
      return c.body(null, 204);
    },
  );
}
