import * as v from "valibot";
import { scopeName } from "../../oauth/client-metadata.ts";
import { fieldError, OAuthError } from "../../oauth/errors.ts";
import { fieldChanges } from "../../oauth/field-changes.ts";
import { maxCharacters, strictObject } from "../../oauth/schema.ts";
import { type AdminApi, json, named } from "./api.ts";

/** The largest catalogue. It is one record that every refresh reads, so it must stay small. */
const MAX_SCOPES = 500;

const description = v.pipe(
  v.string(),
  v.minLength(1),
  maxCharacters(1000),
  v.metadata({
    description: "The meaning of the scope, in words for a user.",
    example: "Read your notes",
  }),
);

const scope = named("Scope", v.object({ scope: scopeName, description }));
const scopeParameter = v.object({ scope: scopeName });

/** `/admin/scopes`: the catalogue of scopes. */
export function scopeRoutes(api: AdminApi): void {
  api.add(
    {
      method: "get",
      path: "/scopes",
      summary: "List the scopes",
      responses: {
        200: json(v.object({ scopes: v.array(scope) }), "The catalogue."),
      },
    },
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

  api.add(
    {
      method: "put",
      path: "/scopes/{scope}",
      summary: "Add or change a scope",
      request: {
        params: scopeParameter,
        body: {
          required: true,
          ...json(strictObject({ description }), "The scope."),
        },
      },
      responses: { 200: json(scope, "The scope as it is now.") },
    },
    async (c) => {
      const { scopes } = await c.var.server();
      const name = c.req.valid("param").scope;
      const entry = c.req.valid("json");
      let from: string | undefined;
      await scopes.update((before) => {
        from = Object.hasOwn(before, name)
          ? before[name]?.description
          : undefined;
        const catalogue = { ...before, [name]: entry };
        if (Object.keys(catalogue).length > MAX_SCOPES) {
          throw fieldError(
            "scope",
            `the catalogue is full: it has ${MAX_SCOPES} scopes; remove one first`,
          );
        }
        return catalogue;
      });
      c.var.log.addEvent("scope.changed", {
        action: from === undefined ? "created" : "changed",
        scope: name,
        changes: fieldChanges({ description: from }, entry),
      });
      return c.json({ scope: name, ...entry }, 200);
    },
  );

  api.add(
    {
      method: "delete",
      path: "/scopes/{scope}",
      summary: "Remove a scope; clients and grants that have it lose it",
      request: { params: scopeParameter },
      responses: { 204: { description: "The scope is removed." } },
    },
    async (c) => {
      const { scopes } = await c.var.server();
      const name = c.req.valid("param").scope;
      let from: string | undefined;
      await scopes.update((before) => {
        from = before[name]?.description;
        if (!Object.hasOwn(before, name)) {
          throw new OAuthError("admin_target_unknown", {
            subject: "such scope",
          });
        }
        const { [name]: _removed, ...rest } = before;
        return rest;
      });
      c.var.log.addEvent("scope.changed", {
        action: "deleted",
        scope: name,
        changes: fieldChanges({ description: from }, {}),
      });
      return c.body(null, 204);
    },
  );
}
