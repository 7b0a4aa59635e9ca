import * as v from "valibot";
import { clientId, scopeName, timestamp } from "../../oauth/client-metadata.ts";
import {
  decideAuthorization,
  decision,
} from "../../oauth/authorization/decide.ts";
import {
  aboutUser,
  describeAuthorization,
} from "../../oauth/authorization/describe.ts";
import { encryptedRequest } from "../../oauth/authorization/interaction.ts";
import { MAX_AGE_SECONDS } from "../../oauth/authorization/openid-parameters.ts";
import { strictObject } from "../../oauth/schema.ts";
import { now } from "../endpoint.ts";
import { type AdminApi, json, named } from "./api.ts";

/** Describes a parameter that the client sent for the sign-in page (OpenID Connect Core section 3.1.2.1). */
function clientHint(meaning: string) {
  const description = `As the client sent it: ${meaning}.`;
  return v.optional(v.pipe(v.string(), v.description(description)));
}

const describedScopes = v.array(
  v.object({ scope: scopeName, description: v.string() }),
);

/** Describes a field that only clients have which registered themselves. */
function ofStranger<S extends v.GenericSchema>(schema: S, words: string) {
  const description = `Only of a client that has registered itself: ${words}.`;
  return v.optional(v.pipe(schema, v.description(description)));
}

const description = named(
  "AuthorizationDescription",
  v.object({
    client_id: clientId,
    client_name: v.optional(v.string()),
    redirect_uri: v.pipe(
      v.string(),
      v.description(
        "The client's redirect URI, which the browser goes to after the decision.",
      ),
    ),
    scopes: v.pipe(
      describedScopes,
      v.description(
        "The scopes that the client asks for and may have, with their descriptions in the catalogue.",
      ),
    ),
    granted_scopes: v.optional(
      v.pipe(
        describedScopes,
        v.description(
          "Only with the parameter subject: the scopes that the user's logins at this client have already, for the same resources. The decision may name them beside the requested ones.",
        ),
      ),
    ),
    resource: v.pipe(
      v.array(v.string()),
      v.description("The resource servers that the tokens are for (RFC 8707)."),
    ),
    resource_names: v.optional(
      v.pipe(
        v.record(v.string(), v.string()),
        v.description(
          "The names of those resources that have one in the catalogue.",
        ),
      ),
    ),
    registered_by: ofStranger(
      v.picklist(["metadata_document", "dynamic_registration"]),
      "how. Nobody has checked the client or its name",
    ),
    client_host: ofStranger(
      v.string(),
      "the host whose document describes it, in ASCII. Left out: it has no document",
    ),
    redirect_host: ofStranger(
      v.string(),
      "the host and port of the redirect URI, in ASCII. Left out: the URI has an app's own scheme",
    ),
    redirect_is_loopback: ofStranger(
      v.boolean(),
      "true if the browser goes to a program on the user's own device. Any program there can be behind it, whatever client_host says",
    ),
    needs_consent: ofStranger(
      v.literal(true),
      "the decision must have consent: true, because the user has seen all this and agreed",
    ),
    prompt: clientHint(
      "none (show no page), or some of login, consent and select_account",
    ),
    login_hint: clientHint("a name of the user, for the sign-in form"),
    ui_locales: clientHint("the languages that the user prefers"),
    max_age: v.optional(
      v.pipe(
        v.number(),
        v.integer(),
        v.minValue(0),
        v.maxValue(MAX_AGE_SECONDS),
        v.description(
          "Only with the scope openid. The longest time since the sign-in, in seconds. If the sign-in is older, the user must sign in again. The decision must have auth_time.",
        ),
      ),
    ),
    acr_values: clientHint(
      "the authentication context classes that the app prefers, the best first; only with the scope openid",
    ),
    hinted_subject: v.optional(
      v.pipe(
        v.string(),
        v.description(
          "Only with the scope openid. The user who must sign in: the app has sent an ID token of theirs (id_token_hint). If another user signs in, the app gets login_required.",
        ),
      ),
    ),
    expires_at: v.pipe(
      timestamp,
      v.description(
        "The end of the request, in seconds since 1970: afterwards it cannot be decided.",
      ),
    ),
  }),
);

/** `/admin/authorizations`: the sign-in page describes and decides an authorization request. */
export function authorizationRoutes(api: AdminApi): void {
  api.add(
    {
      method: "get",
      path: "/authorizations",
      role: "login",
      summary:
        "Describe an authorization request, for the sign-in page to show",
      request: {
        query: strictObject({
          request: encryptedRequest,
          ...aboutUser.entries,
        }),
      },
      responses: { 200: json(description, "The authorization request.") },
    },
    async (c) => {
      const server = await c.var.server();
      const { request, subject } = c.req.valid("query");
      const { log } = c.var;
      const asked = await describeAuthorization(
        server,
        request,
        now(),
        log,
        subject,
      );
      return c.json(asked, 200);
    },
  );

  api.add(
    {
      method: "post",
      path: "/authorizations",
      role: "login",
      summary:
        "Decide an authorization request: who signed in and what they allow, or an error",
      request: {
        body: {
          required: true,
          ...json(decision, "The decision."),
        },
      },
      responses: {
        200: json(
          v.object({
            redirect_to: v.pipe(
              v.string(),
              v.description("The URL to redirect the browser to."),
            ),
          }),
          "The redirect to the client, with a code or an error.",
        ),
      },
    },
    async (c) => {
      const server = await c.var.server();
      const decided = c.req.valid("json");
      return c.json(
        await decideAuthorization(server, decided, Date.now(), c.var.log),
        200,
      );
    },
  );
}
