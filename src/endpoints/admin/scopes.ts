import * as v from "valibot";
import { scopeName } from "../../oauth/client-metadata.ts";
import { fieldError, OAuthError } from "../../oauth/errors.ts";
import { fieldChanges } from "../../oauth/field-changes.ts";
import { isRegisteredClaim } from "../../oauth/login-claims.ts";
import { claimsOfScope } from "../../oauth/openid/scopes.ts";
import { nameProblem } from "../../oauth/openid/plain-json.ts";
import { maxCharacters, rule, strictObject } from "../../oauth/schema.ts";
import { scopeSet } from "../../oauth/scope.ts";
import { requireRole } from "../administrator.ts";
import type { ScopeCatalogue } from "../../oauth/entities.ts";
import {
  type AdminApi,
  conflict,
  json,
  named,
  preconditionFailed,
  rehearsalQuery,
} from "./api.ts";
import { entryIn, ifMatch, withoutEntry } from "./catalogue.ts";
import { etagOf } from "./precondition.ts";

/** The name of the catalogue in a refusal. */
const CATALOGUE = "The scope catalogue";

/** The largest catalogue. It is one record that every refresh reads, so it must stay small. */
const MAX_SCOPES = 500;
/** The most names of claims in all scopes together, for the same reason. */
const MAX_CLAIMS = 1000;

const description = v.pipe(
  v.string(),
  v.minLength(1),
  maxCharacters(1000),
  v.metadata({
    description: "The meaning of the scope, in words for a user.",
    example: "Read your notes",
  }),
);

/** What the standard scopes mean (OpenID Connect Core sections 3.1.2.1 and 5.4), in words for a user. */
const standardDescriptions: Record<string, string> = {
  openid: "Know who you are",
  profile: "Read your profile, such as your name and your picture",
  email: "Read your e-mail address",
  phone: "Read your phone number",
  address: "Read your postal address",
};

const claims = v.pipe(
  v.array(v.pipe(v.string(), rule(claimNameProblem))),
  v.maxLength(50),
  v.metadata({
    description:
      "The claims about the user that the scope releases, out of id_token_claims and userinfo. Left out: for profile, email, phone and address those of OpenID Connect Core section 5.4, for other scopes none.",
    example: ["team"],
  }),
);

function claimNameProblem(name: string): string | undefined {
  if (isRegisteredClaim("id_token_claims", name))
    return "is a claim that Baton sets itself, so no scope releases it";
  return nameProblem(name) === undefined
    ? undefined
    : "must be the name of a claim: 1 to 100 characters, without control characters, and not __proto__";
}

const scope = named(
  "Scope",
  v.object({ scope: scopeName, description, claims: v.optional(claims) }),
);
const scopeChange = strictObject({
  description: v.optional(
    v.pipe(
      description,
      v.description(
        "The meaning of the scope, in words for a user. Left out: as before. A new scope needs one, unless it is openid, profile, email, phone or address.",
      ),
    ),
  ),
  claims: v.optional(
    v.pipe(
      v.nullable(claims),
      v.description(
        "The claims about the user that the scope releases, out of id_token_claims and userinfo. Left out: as before. null: for profile, email, phone and address those of OpenID Connect Core section 5.4, for other scopes none.",
      ),
    ),
  ),
});
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
      summary:
        "Add or change a scope: what is left out stays, and null for claims makes them the standard ones; the ETag is that of the list. Only the role admin makes a scope release more claims",
      request: {
        params: scopeParameter,
        query: strictObject(rehearsalQuery),
        body: {
          required: true,
          ...json(
            scopeChange,
            "The scope. A new one needs a description, unless it is openid, profile, email, phone or address.",
          ),
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
      const asked = c.req.valid("json");
      const check = await ifMatch(c, CATALOGUE, () => scopes.read());
      let from: Scope | undefined;
      const change = (before: ScopeCatalogue) => {
        check(before);
        from = entryIn(before, name);
        const entry = changedScope(name, from, asked);
        const catalogue = { ...before, [name]: entry };
        // An operator gives a client nothing, and so nothing about its users.
        if (releasesMore(name, before, catalogue)) requireRole(c, "admin");
        if (Object.keys(catalogue).length > MAX_SCOPES) {
          throw fieldError(
            "scope",
            `the catalogue is full: it has ${MAX_SCOPES} scopes; remove one first`,
          );
        }
        if (claimsIn(catalogue) > MAX_CLAIMS)
          throw fieldError(
            "claims",
            `the catalogue is full: its scopes name ${MAX_CLAIMS} claims; name fewer`,
          );
        return catalogue;
      };
      if (c.req.valid("query").dry_run === "true") {
        const rehearsed = change(await scopes.read());
        return c.json({ scope: name, ...rehearsed[name]! }, 200);
      }
      const catalogue = await scopes.update(change);
      c.header("ETag", await etagOf(catalogue));
      const changes = fieldChanges({ ...from }, { ...catalogue[name] });
      if (from === undefined || changes.length > 0)
        c.var.log.addEvent("scope.changed", {
          action: from === undefined ? "created" : "changed",
          scope: name,
          changes,
        });
      return c.json({ scope: name, ...catalogue[name]! }, 200);
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
        ...conflict("A protected resource names the scope."),
        ...preconditionFailed,
      },
    },
    async (c) => {
      const { scopes, resources } = await c.var.server();
      const name = c.req.valid("param").scope;
      const owner = Object.entries(await resources.read()).find(
        ([, { scope }]) => scopeSet(scope).includes(name),
      )?.[0];
      const check = await ifMatch(c, CATALOGUE, () => scopes.read());
      let from: Scope | undefined;
      const left = await scopes.update((before) => {
        check(before);
        from = entryIn(before, name);
        const left = withoutEntry(before, name, "such scope");
        if (owner !== undefined)
          throw new OAuthError("scope_of_resource", { subject: owner });
        return left;
      });
      c.var.log.addEvent("scope.changed", {
        action: "deleted",
        scope: name,
        changes: fieldChanges({ ...from }, {}),
      });
      c.header("ETag", await etagOf(left));
      return c.body(null, 204);
    },
  );
}

type Scope = ScopeCatalogue[string];

/** Makes the entry of a scope. What is left out stays as it was. */
function changedScope(
  name: string,
  before: Scope | undefined,
  asked: v.InferOutput<typeof scopeChange>,
): Scope {
  const standard = Object.hasOwn(standardDescriptions, name)
    ? standardDescriptions[name]
    : undefined;
  const text = asked.description ?? before?.description ?? standard;
  if (text === undefined)
    throw fieldError(
      "description",
      "is missing: say in words for a user what the scope allows",
    );
  const released = asked.claims === undefined ? before?.claims : asked.claims;
  return {
    description: text,
    ...(released && { claims: [...new Set(released)] }),
  };
}

/** Tells whether a scope releases a claim after a change that it did not release before. */
function releasesMore(
  name: string,
  before: ScopeCatalogue,
  after: ScopeCatalogue,
): boolean {
  const released = entryIn(before, name) ? claimsOfScope(name, before) : [];
  return claimsOfScope(name, after).some((claim) => !released.includes(claim));
}

function claimsIn(catalogue: ScopeCatalogue): number {
  return Object.values(catalogue).flatMap(({ claims = [] }) => claims).length;
}

function catalogueJson(catalogue: ScopeCatalogue) {
  return Object.entries(catalogue).map(([name, entry]) => ({
    scope: name,
    ...entry,
  }));
}
