import * as v from "valibot";
import { clientId, resourceUri } from "../../oauth/client-metadata.ts";
import {
  type Confirmation,
  hasKey,
  thumbprintPattern,
} from "../../oauth/confirmation.ts";
import type { Client } from "../../oauth/entities.ts";
import { fieldError } from "../../oauth/errors.ts";
import { loginClaimsOf } from "../../oauth/login-claims.ts";
import {
  boundLoginClaims,
  loginClaimChanges,
  loginClaims,
  refuseFutureSignIn,
} from "../../oauth/openid/login-claims-schema.ts";
import { maxCharacters, strictObject } from "../../oauth/schema.ts";
import { withCatalogueRule } from "../../oauth/self-registration/catalogue-rule.ts";
import { requestedScopeInJson } from "../../oauth/scope.ts";
import { noSuchGrant } from "../../oauth/tokens/grant-details.ts";
import { keepRegistration } from "../../oauth/self-registration/keep.ts";
import { grantTokens } from "../../oauth/tokens/grant-tokens.ts";
import { grantId, updateGrant } from "../../oauth/tokens/update-grant.ts";
import { subject } from "../../oauth/subject.ts";
import { now } from "../endpoint.ts";
import { type AdminApi, count, json, named } from "./api.ts";
import { grantDetails, grantDetailsJson } from "./grant-schemas.ts";

/** Makes the field of the thumbprint of a key or a certificate that the client will prove. */
function thumbprintOf(thing: string, description: string) {
  return v.optional(
    v.pipe(
      v.string(),
      v.regex(
        thumbprintPattern,
        `must be the SHA-256 thumbprint of ${thing} in base64url: 43 characters without padding`,
      ),
      v.metadata({
        description,
        example: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
      }),
    ),
  );
}

const newGrant = named(
  "NewGrant",
  v.pipe(
    strictObject({
      client_id: clientId,
      subject,
      scope: v.optional(
        v.pipe(
          v.string(),
          maxCharacters(8192),
          v.metadata({
            description:
              "The scopes to grant, with spaces between them. Left out: all of the client's.",
            example: "read",
          }),
        ),
      ),
      resource: v.optional(
        v.union(
          [resourceUri, v.pipe(v.array(resourceUri), v.maxLength(100))],
          "must be a URI, or an array of at most 100 URIs",
        ),
      ),
      dpop_jkt: thumbprintOf(
        "a public key",
        "The thumbprint (RFC 7638) of the key with which the client makes its DPoP proofs. The access token is bound to the key; the grant as well, if the client is public. Left out: bearer tokens.",
      ),
      "x5t#S256": thumbprintOf(
        "a certificate",
        "The thumbprint (RFC 8705 section 3.1) of the client certificate, for a client with tls_client_certificate_bound_access_tokens alone. The access token is bound to the certificate; the grant as well, if the client is public.",
      ),
      ...loginClaims,
    }),
    boundLoginClaims(),
  ),
);

const tokens = named(
  "TokenResponse",
  v.object({
    token_type: v.picklist(["Bearer", "DPoP"]),
    expires_in: count("The access token's life, in seconds."),
    access_token: v.string(),
    refresh_token: v.optional(v.string()),
    refresh_token_timeout: v.optional(
      count(
        "How long the refresh token may be held without using it, in seconds.",
      ),
    ),
    authorization_expires_in: v.optional(
      count(
        "How long the login lasts, however often it is refreshed, in seconds.",
      ),
    ),
    id_token: v.optional(
      v.pipe(
        v.string(),
        v.description(
          "The ID token, a signed JWT that says who signed in. Only with the scope openid.",
        ),
      ),
    ),
    scope: v.optional(v.string()),
  }),
);

const grantParameter = v.object({ grant_id: grantId });

const changes = named(
  "GrantChanges",
  v.pipe(strictObject(loginClaimChanges), boundLoginClaims()),
);

/** `/admin/grants`: a back end that has authenticated its user starts a grant, looks at one or ends it. */
export function grantRoutes(api: AdminApi): void {
  api.add(
    {
      method: "post",
      path: "/grants",
      role: "login",
      summary: "Start a grant for a user, and get its first tokens",
      request: {
        body: {
          required: true,
          ...json(newGrant, "The user, the client, and what is granted."),
        },
      },
      responses: {
        200: json(
          tokens,
          "The first tokens, as the token endpoint returns them.",
        ),
      },
    },
    async (c) => {
      const server = await c.var.server();
      const body = c.req.valid("json");
      const { client_id, subject, scope, resource = [] } = body;
      const user = { subject, ...loginClaimsOf(body) };
      const time = now();
      refuseFutureSignIn(user, time);
      const record = await server.clients.read(client_id);
      if (!record || !("secrets" in record))
        throw fieldError("client_id", "there is no such client");
      const client =
        record.registered_by === undefined
          ? record
          : withCatalogueRule(record, await server.resources.read());
      if (client.disabled_at !== undefined)
        throw fieldError(
          "client_id",
          "the client is disabled. Enable it first",
        );
      c.var.log.fields.client_id = client_id;
      const boundTo = namedKeys(client, body);
      const requested = {
        scope: requestedScopeInJson(scope),
        resource: [resource].flat(),
      };
      const tokens = await grantTokens(
        server,
        client,
        user,
        requested,
        time,
        boundTo,
        c.var.log,
      );
      const kept = keepRegistration(server, client, time, true);
      if (kept) c.executionCtx.waitUntil(kept);
      return c.json(tokens, 200);
    },
  );

  api.add(
    {
      method: "get",
      path: "/grants/{grant_id}",
      summary: "Show a grant",
      request: { params: grantParameter },
      responses: { 200: json(grantDetails, "The grant, which has not ended.") },
    },
    async (c) => {
      const server = await c.var.server();
      const { grant_id } = c.req.valid("param");
      const familyId = server.families.parseGrantId(grant_id);
      const family = familyId && (await server.families.look(familyId));
      if (!family) throw noSuchGrant();
      const role = c.var.administrator?.role;
      return c.json(
        await grantDetailsJson(server, role, grant_id, family, now()),
        200,
      );
    },
  );

  api.add(
    {
      method: "patch",
      path: "/grants/{grant_id}",
      // Claims may give a user power, so an operator may not set them.
      role: "login",
      summary:
        "Change what a grant says about its user; a field replaces the whole field, null removes it",
      request: {
        params: grantParameter,
        body: {
          required: true,
          ...json(
            changes,
            "The fields to change. The next access token has them; UserInfo and introspection have them at once.",
          ),
        },
      },
      responses: { 200: json(grantDetails, "The grant as it is now.") },
    },
    async (c) => {
      const server = await c.var.server();
      const { grant_id } = c.req.valid("param");
      const changes = c.req.valid("json");
      return c.json(
        await updateGrant(server, grant_id, changes, now(), c.var.log),
        200,
      );
    },
  );

  api.add(
    {
      method: "delete",
      path: "/grants/{grant_id}",
      summary: "End a grant; may be repeated",
      request: { params: grantParameter },
      responses: {
        204: {
          description:
            "The grant has ended: none of its refresh tokens is valid.",
        },
      },
    },
    async (c) => {
      const { families } = await c.var.server();
      const familyId = families.parseGrantId(c.req.valid("param").grant_id);
      if (!familyId) throw noSuchGrant();
      const result = await families.revoke(familyId);
      if (result.outcome === "revoked") {
        const { subject } = result;
        const grant_id = families.grantIdOf(familyId);
        c.var.log.addRevocation({ subject, grant_id });
      }
      return c.body(null, 204);
    },
  );
}

/**
 * Returns the keys that the client will prove, by a request for a grant. Undefined: none.
 *
 * @throws OAuthError if the client's tokens are always bound (RFC 9449 section 5.2, RFC 8705 section 3.4) and the request
 *   does not name the key
 */
function namedKeys(
  client: Client,
  {
    dpop_jkt: jkt,
    "x5t#S256": thumbprint,
  }: Pick<v.InferOutput<typeof newGrant>, "dpop_jkt" | "x5t#S256">,
): Confirmation | undefined {
  if (client.dpop_bound_access_tokens && jkt === undefined)
    throw fieldError(
      "dpop_jkt",
      "is missing, and the tokens of this client are always bound to its key (dpop_bound_access_tokens). Let the client make its key first, and send the thumbprint of the public key (RFC 7638)",
    );
  const isBound = client.tls_client_certificate_bound_access_tokens === true;
  if (isBound && thumbprint === undefined)
    throw fieldError(
      "x5t#S256",
      "is missing, and the tokens of this client are always bound to its certificate (tls_client_certificate_bound_access_tokens). Send the SHA-256 thumbprint of the certificate with which the client connects",
    );
  if (!isBound && thumbprint !== undefined)
    throw fieldError(
      "x5t#S256",
      "must not be there, because the tokens of this client are not bound to a certificate. Set tls_client_certificate_bound_access_tokens in its record first",
    );
  const keys: Confirmation = {
    ...(jkt !== undefined && { jkt }),
    ...(thumbprint !== undefined && { "x5t#S256": thumbprint }),
  };
  return hasKey(keys) ? keys : undefined;
}
