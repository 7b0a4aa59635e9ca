import * as v from "valibot";
import { isClientId } from "../../oauth/client-metadata.ts";
import { catalogueGivesPower } from "../../oauth/clients/power.ts";
import type {
  Client,
  ClientTombstone,
  ResourceCatalogue,
} from "../../oauth/entities.ts";
import { fieldError } from "../../oauth/errors.ts";
import { fieldChanges } from "../../oauth/field-changes.ts";
import { OPENID } from "../../oauth/openid/scopes.ts";
import { entryOf, type Resource } from "../../oauth/protected-resources.ts";
import { comparableResource } from "../../oauth/resource.ts";
import { scopeSet } from "../../oauth/scope.ts";
import { requireRole } from "../administrator.ts";
import {
  type AdminApi,
  json,
  preconditionFailed,
  rehearsalQueryWithScopes,
} from "./api.ts";
import { entryIn, ifMatch, withoutEntry } from "./catalogue.ts";
import { etagOf } from "./precondition.ts";
import {
  resource,
  resourceChange,
  resourceParameter,
} from "./resource-schemas.ts";

/** The name of the catalogue in a refusal. */
const CATALOGUE = "The catalogue of resources";

/** The largest catalogue. It is one record that every refresh reads, so it must stay small. */
const MAX_RESOURCES = 200;
/** The most scopes in all resources together, for the same reason. */
const MAX_SCOPES = 1000;

/** `/admin/resources`: the catalogue of protected resources (RFC 8707 section 2, RFC 9728 section 1.2). */
export function resourceRoutes(api: AdminApi): void {
  api.add(
    {
      method: "get",
      path: "/resources",
      summary: "List the protected resources",
      tagged: true,
      responses: {
        200: json(v.object({ resources: v.array(resource) }), "The catalogue."),
      },
    },
    async (c) => {
      const { resources } = await c.var.server();
      const catalogue = await resources.read();
      c.header("ETag", await etagOf(catalogue));
      return c.json({ resources: catalogueJson(catalogue) }, 200);
    },
  );

  api.add(
    {
      method: "put",
      path: "/resources/{resource}",
      summary:
        "Add or change a protected resource, whose URI is percent-encoded in the path: what is left out stays, and null removes it; the ETag is that of the list. Only the role admin opens a resource to clients that registered themselves, sets its audience or format, makes its tokens live longer, or lets one of its scopes into tokens for other resources",
      request: {
        params: resourceParameter,
        query: rehearsalQueryWithScopes,
        body: {
          required: true,
          ...json(
            resourceChange,
            "The resource. Its scopes must be in the scope catalogue.",
          ),
        },
      },
      tagged: true,
      conditional: true,
      responses: {
        200: json(
          resource,
          "The resource as it is now. With dry_run: as it would be.",
        ),
        ...preconditionFailed,
      },
    },
    async (c) => {
      const { resources, scopes, clients } = await c.var.server();
      const uri = c.req.valid("param").resource;
      const asked = c.req.valid("json");
      const { dry_run, assume_scopes = "" } = c.req.valid("query");
      const check = await ifMatch(c, CATALOGUE, () => resources.read());
      const known = [
        ...Object.keys(await scopes.read()),
        ...(dry_run === "true" ? scopeSet(assume_scopes) : []),
      ];
      for (const text of [uri, asked.audience ?? uri].filter(isClientId))
        refuseIdOfClient(text, uri, await clients.read(text));
      let from: Resource | undefined;
      const change = (before: ResourceCatalogue) => {
        check(before);
        from = entryIn(before, uri);
        const entry = changedResource(from, asked);
        refuseUnknownScopes(entry, [...known, ...scopeSet(from?.scope ?? "")]);
        refuseSharedName(uri, entry, before);
        const after = { ...before, [uri]: entry };
        // An operator gives clients nothing.
        if (catalogueGivesPower(before, after, uri)) requireRole(c, "admin");
        return bounded(after);
      };
      if (dry_run === "true") {
        const rehearsed = change(await resources.read());
        return c.json({ resource: uri, ...rehearsed[uri]! }, 200);
      }
      const catalogue = await resources.update(change);
      c.header("ETag", await etagOf(catalogue));
      const changes = fieldChanges({ ...from }, { ...catalogue[uri] });
      if (from === undefined || changes.length > 0)
        c.var.log.addEvent("resource.changed", {
          action: from === undefined ? "created" : "changed",
          resource: uri,
          changes,
        });
      return c.json({ resource: uri, ...catalogue[uri]! }, 200);
    },
  );

  api.add(
    {
      method: "delete",
      path: "/resources/{resource}",
      summary:
        "Remove a protected resource; clients whose records name it keep it as a name, and clients that registered themselves lose it. Only the role admin removes one that has an audience, format, lifetime or scopes",
      request: { params: resourceParameter },
      tagged: true,
      conditional: true,
      responses: {
        204: { description: "The resource is removed." },
        ...preconditionFailed,
      },
    },
    async (c) => {
      const { resources } = await c.var.server();
      const uri = c.req.valid("param").resource;
      const check = await ifMatch(c, CATALOGUE, () => resources.read());
      let from: Resource | undefined;
      const left = await resources.update((before) => {
        check(before);
        from = entryIn(before, uri);
        const rest = withoutEntry(before, uri, "such resource");
        // Its clients keep it as a name, with their own lifetime and format, and its scopes belong to nobody.
        if (catalogueGivesPower(before, rest, uri)) requireRole(c, "admin");
        return rest;
      });
      c.var.log.addEvent("resource.changed", {
        action: "deleted",
        resource: uri,
        changes: fieldChanges({ ...from }, {}),
      });
      c.header("ETag", await etagOf(left));
      return c.body(null, 204);
    },
  );
}

/** Makes the entry of a resource. What is left out stays as it was, and null removes it. */
function changedResource(
  before: Resource | undefined,
  asked: v.InferOutput<typeof resourceChange>,
): Resource {
  const merged = { ...before, ...asked };
  const { name, audience, access_token_format, access_token_ttl } = merged;
  return {
    ...(name != null && { name }),
    scope: scopeSet(merged.scope ?? "").join(" "),
    ...(audience != null && { audience }),
    ...(access_token_format != null && { access_token_format }),
    ...(access_token_ttl != null && { access_token_ttl }),
    self_registered_clients: merged.self_registered_clients ?? false,
  };
}

function refuseUnknownScopes(
  { scope }: Resource,
  known: readonly string[],
): void {
  const unknown = scopeSet(scope).find((scope) => !known.includes(scope));
  if (unknown !== undefined)
    throw fieldError("scope", `${unknown} is not in the scope catalogue`);
}

/**
 * Refuses a URI or an audience that another resource has, in any spelling: a token must be for one of them alone, and its
 * audience is all that says for which.
 */
function refuseSharedName(
  uri: string,
  { audience }: Resource,
  catalogue: ResourceCatalogue,
): void {
  const same = entryOf(uri, catalogue);
  if (same && same.uri !== uri)
    throw fieldError("resource", `is in the catalogue as ${same.uri}`);
  for (const [other, entry] of Object.entries(catalogue)) {
    if (other === uri) continue;
    const taken = [other, entry.audience ?? other].map(comparableResource);
    if (taken.includes(comparableResource(uri)))
      throw fieldError("resource", `is the audience of ${other}`);
    if (audience !== undefined && taken.includes(comparableResource(audience)))
      throw fieldError(
        "audience",
        `is that of ${other}, whose API would accept the tokens of both`,
      );
  }
}

/** Refuses an audience that is that of a client's ID tokens, because an API could take one for an access token. */
function refuseIdOfClient(
  text: string,
  uri: string,
  client: Client | ClientTombstone | undefined,
): void {
  if (!client || !("secrets" in client)) return;
  if (scopeSet(client.scope).includes(OPENID))
    throw fieldError(
      text === uri ? "resource" : "audience",
      `is the id of a client that has ${OPENID}, so it is the audience of ID tokens`,
    );
}

/** @throws OAuthError `admin_body_invalid` if the catalogue is too large */
function bounded(catalogue: ResourceCatalogue): ResourceCatalogue {
  const entries = Object.values(catalogue);
  if (entries.length > MAX_RESOURCES)
    throw fieldError(
      "resource",
      `the catalogue is full: it has ${MAX_RESOURCES} resources; remove one first`,
    );
  if (entries.flatMap(({ scope }) => scopeSet(scope)).length > MAX_SCOPES)
    throw fieldError(
      "scope",
      `the catalogue is full: its resources name ${MAX_SCOPES} scopes; name fewer`,
    );
  return catalogue;
}

function catalogueJson(catalogue: ResourceCatalogue) {
  return Object.entries(catalogue).map(([uri, entry]) => ({
    resource: uri,
    ...entry,
  }));
}
