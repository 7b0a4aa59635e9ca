import type { Context } from "hono";
import * as v from "valibot";
import { scopeName } from "../../oauth/client-metadata.ts";
import { fieldError, OAuthError } from "../../oauth/errors.ts";
import { fieldChanges } from "../../oauth/field-changes.ts";
import { maxCharacters, strictObject } from "../../oauth/schema.ts";
import type { AppEnv } from "../endpoint.ts";
import type { ScopeCatalogue } from "../../oauth/entities.ts";
import {
  type AdminApi,
  json,
  named,
  preconditionFailed,
  rehearsalQuery,
} from "./api.ts";
import { etagOf, precondition } from "./precondition.ts";

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
      tagged: true,
      responses: {
        200: json(v.object({ scopes: v.array(scope) }), "The catalogue."),
      },
    },
    async (c) => {
      const { scopes } = await c.var.server();
      const catalogue = await scopes.read();
      c.header("ETag", await etagOf(catalogue));
      return c.json({ scopes: catalogueJson(catalogue) }, 200);
    },
  );

  api.add(
    {
      method: "put",
      path: "/scopes/{scope}",
      summary: "Add or change a scope; the ETag is that of the list",
      request: {
        params: scopeParameter,
        query: strictObject(rehearsalQuery),
        body: {
          required: true,
          ...json(strictObject({ description }), "The scope."),
        },
      },
      tagged: true,
      conditional: true,
      responses: {
        200: json(
          scope,
          "The scope as it is now. With dry_run: as it would be.",
        ),
        ...preconditionFailed,
      },
    },
    async (c) => {
      const { scopes } = await c.var.server();
      const name = c.req.valid("param").scope;
      const entry = c.req.valid("json");
      const check = await ifMatch(c, () => scopes.read());
      let from: string | undefined;
      const change = (before: ScopeCatalogue) => {
        check(before);
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
      };
      if (c.req.valid("query").dry_run === "true") {
        change(await scopes.read());
        return c.json({ scope: name, ...entry }, 200);
      }
      c.header("ETag", await etagOf(await scopes.update(change)));
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
      tagged: true,
      conditional: true,
      responses: {
        204: { description: "The scope is removed." },
        ...preconditionFailed,
      },
    },
    async (c) => {
      const { scopes } = await c.var.server();
      const name = c.req.valid("param").scope;
      const check = await ifMatch(c, () => scopes.read());
      let from: string | undefined;
      const left = await scopes.update((before) => {
        check(before);
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
      c.header("ETag", await etagOf(left));
      return c.body(null, 204);
    },
  );
}

function catalogueJson(catalogue: ScopeCatalogue) {
  return Object.entries(catalogue).map(([name, entry]) => ({
    scope: name,
    ...entry,
  }));
}

/** Reads If-Match of a change: the ETag of the whole catalogue, because it is one record. */
function ifMatch(c: Context<AppEnv>, read: () => Promise<ScopeCatalogue>) {
  return precondition(c, "The scope catalogue", read, (catalogue) => catalogue);
}
