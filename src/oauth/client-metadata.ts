import { z } from "zod";
import { authenticationMethods } from "./authentication-methods.ts";
import {
  durationProblem,
  lifetimeProblem,
  MAX_RETRY_WINDOW,
  retryWindowProblem,
} from "./duration.ts";
import { grantTypeNames } from "./grant-types.ts";
import { accessTokenFormats } from "./settings.ts";
import { parseScope, scopeToken } from "./scope.ts";

/**
 * The fields of a client's record, with the names of RFC 7591 section 2 and some of Baton's own. The schemas
 * of the admin API, the OpenAPI document and the check of every record from KV are made of them.
 */

/** RFC 6749 appendix A.1 (*VSCHAR), with a bound of Baton's. */
const clientIdPattern = /^[\x20-\x7e]{1,255}$/;

/** Tells whether a text can be a client id. A URL path cannot carry "." and "..". */
export function isClientId(text: string): boolean {
  return clientIdPattern.test(text) && text !== "." && text !== "..";
}

function text(description: string, maxLength: number) {
  return z.string().min(1).max(maxLength).meta({ description });
}

/** Adds a rule to a string schema. `problemOf` returns the message for a value that breaks the rule. */
function withRule(
  schema: z.ZodString,
  problemOf: (value: string) => string | undefined,
) {
  return schema.superRefine((value, context) => {
    const message = problemOf(value);
    if (message !== undefined) context.addIssue({ code: "custom", message });
  });
}

function uriProblem(uri: string): string | undefined {
  if (!URL.canParse(uri)) return "must be an absolute URI";
  if (uri.includes("#")) return "must not have a fragment";
  if (/[^\x21-\x7e]/.test(uri)) return "must be printable ASCII without spaces";
  return undefined;
}

/** Checks a redirect URI (RFC 6749 section 3.1.2). Schemes that a browser runs as script are not allowed. */
function redirectUriProblem(uri: string): string | undefined {
  return /^(javascript|data|vbscript|blob):/i.test(uri)
    ? "must not have a scheme that a browser runs as script"
    : uriProblem(uri);
}

const uri = withRule(z.string().max(2048), uriProblem);

function lifetime(description: string, example: string) {
  return withRule(z.string(), lifetimeProblem).meta({ description, example });
}

export const clientId = z
  .string()
  .refine(
    isClientId,
    "must be 1 to 255 printable ASCII characters, and not . or ..",
  )
  .meta({
    description: "The client identifier (RFC 6749 section 2.2).",
    example: "web",
  });

/** RFC 6749 appendix A.2 (*VSCHAR), with bounds of Baton's. */
export const clientSecret = z
  .string()
  .regex(/^[\x20-\x7e]{1,255}$/, "must be 1 to 255 printable ASCII characters");

export const scopeName = z
  .string()
  .max(255)
  .regex(
    scopeToken,
    "must be a scope-token of RFC 6749 section 3.3: printable ASCII without spaces, quotation marks and backslashes",
  )
  // An assignment to this name sets the prototype of an object and stores nothing.
  .refine((name) => name !== "__proto__", "must not be __proto__")
  .meta({ description: "One scope (RFC 6749 section 3.3).", example: "read" });

const scopeList = withRule(z.string().max(8192), (value) =>
  value === "" || parseScope(value)
    ? undefined
    : "must be scopes with spaces between them",
).meta({
  description:
    "Scopes with spaces between them. Order and repeats have no meaning.",
  example: "read write",
});

export const resourceUri = uri.meta({
  description: "The URI of a resource server (RFC 8707 section 2).",
  example: "https://api.example.com",
});

export const duration = withRule(z.string(), durationProblem);

/** The fields that describe a client. All may be left out when a client is created. */
export const clientMetadata = {
  client_name: text("A name for people.", 255),
  token_endpoint_auth_method: z.enum(authenticationMethods).meta({
    description:
      "The method by which the client authenticates. Left out: a secret, by HTTP Basic or in the body. none: a public client.",
  }),
  grant_types: z.array(z.enum(grantTypeNames)).max(10).meta({
    description:
      "The grant types that the client may use. Left out: authorization_code and refresh_token. client_credentials is only for clients with a secret.",
  }),
  scope: scopeList,
  redirect_uris: z
    .array(withRule(z.string().max(2048), redirectUriProblem))
    .max(100)
    .meta({
      description:
        "The URIs to which the authorization endpoint may redirect the browser, compared character by character. Each begins with https://, with an app's own scheme, or with http:// for 127.0.0.1, [::1] or localhost. The port of these three hosts may differ, and no path is the same as / there. A scheme without a period (myapp://callback) gets a warning (RFC 8252 section 8.4).",
    }),
  resources: z.array(resourceUri).max(100).meta({
    description:
      "The audiences that the client may ask for as resource (RFC 8707), spelled as in its access tokens. If there is only one, it is also the audience of tokens for which none is named.",
  }),
  resource_server: uri.meta({
    description: "Makes the client a resource server with this audience.",
  }),
  require_pkce: z.boolean().meta({
    description:
      "false: a confidential client may sign users in without PKCE. Only for clients that cannot send a code_challenge, because without it a stolen code can be injected into another session (RFC 9700 section 4.5). Left out: true. A public client always needs PKCE.",
  }),
  access_token_ttl: lifetime("Overrides ACCESS_TOKEN_TTL.", "PT10M"),
  refresh_token_ttl: lifetime("Overrides REFRESH_TOKEN_TTL.", "P14D"),
  refresh_token_max_age: lifetime("Overrides REFRESH_TOKEN_MAX_AGE.", "P6M"),
  refresh_token_retry_window: withRule(z.string(), retryWindowProblem).meta({
    description: `Overrides REFRESH_TOKEN_RETRY_WINDOW. At most ${MAX_RETRY_WINDOW}.`,
    example: "PT30S",
  }),
  access_token_format: z.enum(accessTokenFormats).meta({
    description:
      "Overrides ACCESS_TOKEN_FORMAT. league: for resource servers that were written for league/oauth2-server or Laravel Passport.",
  }),
};

export const timestamp = z
  .int()
  .min(0)
  .meta({ description: "Seconds since 1970." });
