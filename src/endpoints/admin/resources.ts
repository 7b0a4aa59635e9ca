import type { Context } from "hono";
import * as v from "valibot";
import {
  clientMetadata,
  isClientId,
  resourceUri,
  scopeList,
} from "../../oauth/client-metadata.ts";
import { catalogueGivesPower } from "../../oauth/clients/power.ts";
import type {
  Client,
  ClientTombstone,
  ResourceCatalogue,
} from "../../oauth/entities.ts";
import { fieldError, OAuthError } from "../../oauth/errors.ts";
import { fieldChanges } from "../../oauth/field-changes.ts";
import { OPENID } from "../../oauth/openid/scopes.ts";
import { entryOf, type Resource } from "../../oauth/protected-resources.ts";
import { comparableResource } from "../../oauth/resource.ts";
import { maxCharacters, strictObject } from "../../oauth/schema.ts";
import { scopeSet } from "../../oauth/scope.ts";
import { requireRole } from "../administrator.ts";
import type { AppEnv } from "../endpoint.ts";
import {
  type AdminApi,
  json,
  named,
  preconditionFailed,
  rehearsalQuery,
} from "./api.ts";
import { etagOf, precondition } from "./precondition.ts";

/** The largest catalogue. It is one record that every refresh reads, so it must stay small. */
const MAX_RESOURCES = 200;
/** The most scopes in all resources together, for the same reason. */
const MAX_SCOPES = 1000;

const name = v.pipe(
  v.string(),
  v.minLength(1),
  maxCharacters(255),
  v.metadata({ description: "A name for people.", example: "Notes" }),
);

const audience = v.pipe(
  v.string(),
  maxCharacters(2048),
  v.regex(
    /^[\x21-\x7e]+$/,
    "must be 1 to 2048 printable ASCII characters without spaces",
  ),
  v.metadata({
    description:
      "The audience (aud) of its access tokens. Left out: the URI. No other resource may have it.",
    example: "https://api.example.com",
  }),
);

const scope = v.pipe(
  scopeList,
  v.description(
    "The scopes that belong to the resource, with spaces between them. A token for other resources does not have them. openid, profile, email, phone, address and offline_access belong to no resource; listed here, they are open to clients that registered themselves.",
  ),
);

const format = v.pipe(
  clientMetadata.access_token_format,
  v.description(
    "The format of its access tokens. Left out: that of the client, else ACCESS_TOKEN_FORMAT. A token for resources with different formats has rfc9068.",
  ),
);

const lifetime = v.pipe(
  clientMetadata.access_token_ttl,
  v.metadata({
    description:
      "The lifetime of its access tokens. Left out: that of the client, else ACCESS_TOKEN_TTL. A token for several resources has the shortest.",
    example: "PT10M",
  }),
);

const isOpen = v.pipe(
  v.boolean(),
  v.description(
    "true: clients that registered themselves may ask for the resource and its scopes.",
  ),
);

const resource = named(
  "Resource",
  v.object({
    resource: resourceUri,
    name: v.optional(name),
    scope,
    audience: v.optional(audience),
    access_token_format: v.optional(format),
    access_token_ttl: v.optional(lifetime),
    self_registered_clients: isOpen,
  }),
);

const resourceChange = named(
  "ResourceChange",
  strictObject({
    name: v.optional(v.nullable(name)),
    scope: v.optional(v.nullable(scope)),
    audience: v.optional(v.nullable(audience)),
    access_token_format: v.optional(v.nullable(format)),
    access_token_ttl: v.optional(v.nullable(lifetime)),
    self_registered_clients: v.optional(isOpen),
  }),
);

const resourceParameter = v.object({ resource: resourceUri });

const rehearsal = strictObject({
  ...rehearsalQuery,
  assume_scopes: v.optional(
    v.pipe(
      v.string(),
      maxCharacters(8192),
      v.description(
        "With dry_run: scopes to take as in the catalogue, with spaces between them.",
      ),
    ),
  ),
});

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
        query: rehearsal,
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
      const check = await ifMatch(c, () => resources.read());
      const known = [
        ...Object.keys(await scopes.read()),
        ...(dry_run === "true" ? scopeSet(assume_scopes) : []),
      ];
      for (const text of [uri, asked.audience ?? uri].filter(isClientId))
        refuseIdOfClient(text, uri, await clients.read(text));
      let from: Resource | undefined;
      const change = (before: ResourceCatalogue) => {
        check(before);
        from = resourceIn(before, uri);
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
      c.var.log.addEvent("resource.changed", {
        action: from === undefined ? "created" : "changed",
        resource: uri,
        changes: fieldChanges({ ...from }, { ...catalogue[uri] }),
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
      const check = await ifMatch(c, () => resources.read());
      let from: Resource | undefined;
      const left = await resources.update((before) => {
        check(before);
        from = resourceIn(before, uri);
        if (!from)
          throw new OAuthError("admin_target_unknown", {
            subject: "such resource",
          });
        const { [uri]: _removed, ...rest } = before;
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

function resourceIn(
  catalogue: ResourceCatalogue,
  uri: string,
): Resource | undefined {
  return Object.hasOwn(catalogue, uri) ? catalogue[uri] : undefined;
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

/** Reads If-Match of a change: the ETag of the whole catalogue, because it is one record. */
function ifMatch(c: Context<AppEnv>, read: () => Promise<ResourceCatalogue>) {
  return precondition(
    c,
    "The catalogue of resources",
    read,
    (catalogue) => catalogue,
  );
}
